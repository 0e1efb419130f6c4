"""The entry point for an ASGI server."""

from django.core.asgi import get_asgi_application

from .environment import begin

begin()

application = get_asgi_application()
