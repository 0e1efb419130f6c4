"""What the templates of the staff desk know about signing in."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from ..addresses import at_the_desk


def staff_desk(request: HttpRequest) -> dict[str, Any]:
    """The admin's header for the sign-in pages, and on all staff pages whether two factors are
    required. Public pages get nothing, so that they never touch a session."""
    match = request.resolver_match
    if not match or not at_the_desk(request):
        return {}
    context: dict[str, Any] = {"two_factors_required": settings.TWO_FACTORS_REQUIRED}
    if match.view_name.startswith(("account_", "mfa_")):
        context |= admin.site.each_context(request)
    return context
