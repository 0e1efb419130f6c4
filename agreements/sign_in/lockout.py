"""What happens after too many failed attempts, and how it is lifted."""

import logging
from datetime import timedelta

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

logger = logging.getLogger(__name__)


def too_many_attempts(request: HttpRequest) -> HttpResponse:
    """The page that says when to try again (429).

    The time is the latest possible: refused attempts do not prolong a lockout.
    """
    address = get_adapter(request).get_client_ip(request)
    logger.warning("Too many attempts on %s from %s", request.path, address)
    wait = timedelta(minutes=settings.LOCKOUT_MINUTES)
    context = {
        "minutes": settings.LOCKOUT_MINUTES,
        "until": timezone.localtime() + wait,
        "time_zone": settings.TIME_ZONE,
    }
    response = render(request, "sign_in/too_many_attempts.html", context, status=429)
    response["Retry-After"] = int(wait.total_seconds())
    add_never_cache_headers(response)
    return response


def lift_lockout(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Forget the failed passwords and codes of ``user``'s account.

    The lockout of the address they came from stays. Failed passwords are kept by the name, and
    failed codes by the account's id.
    """
    names = get_adapter(request)
    passwords = names._get_login_attempts_cache_key(request, username=user.get_username())
    for key in (passwords, f"mfa-auth-user-{user.pk}"):
        ratelimit.clear(request, action="login_failed", key=key)
