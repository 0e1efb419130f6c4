"""The entry point for a WSGI server."""

from django.core.wsgi import get_wsgi_application

from .environment import begin

begin()

application = get_wsgi_application()
