"""The door of the staff desk."""

import time
from collections.abc import Callable

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import urlencode

from ..addresses import at_the_desk
from .factors import has_shown_second_factor

#: Seconds between two notes that a person is still at work.
NOTE_EVERY = 300
ALWAYS_OPEN = {"account_login", "account_logout"}
OPEN_TO_SHOW_A_FACTOR = {"mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
OPEN_TO_SET_UP_A_FACTOR = {
    "account_reauthenticate",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
}


class TwoFactors:
    """allauth asks for a second factor at sign-in only. This asks at every staff page.

    Whoever has a factor must have shown it in this session: an older session that knew only the
    password does not outlive the set-up. Whoever has none must set one up first, where
    ``TWO_FACTORS_REQUIRED`` is set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        if match and match.view_name.startswith(("account_", "mfa_")):
            # Secrets and codes must not come back with the browser's back button.
            add_never_cache_headers(response)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: object,
        kwargs: object,
    ) -> HttpResponse | None:
        match = request.resolver_match
        # Public pages must not even look at the session.
        if not match or not at_the_desk(request) or request.user.is_anonymous:
            return None
        _note_activity(request)
        if match.view_name in ALWAYS_OPEN:
            return None
        if request.user.has_second_factor:  # type: ignore[attr-defined]  # StaffBackend's
            if has_shown_second_factor(request) or match.view_name in OPEN_TO_SHOW_A_FACTOR:
                return None
            _put_aside(request, view)
            methods = get_adapter(request).get_reauthentication_methods(request.user)
            after = urlencode({"next": request.get_full_path()})
            return redirect(f"{methods[0]['url']}?{after}")
        if settings.TWO_FACTORS_REQUIRED and match.view_name not in OPEN_TO_SET_UP_A_FACTOR:
            _put_aside(request, view)
            return redirect(reverse("mfa_index"))
        return None


def _put_aside(request: HttpRequest, view: Callable[..., HttpResponseBase]) -> None:
    """What is sent before the factor is shown would be lost: its view says how it is kept."""
    keep = getattr(view, "put_aside", None)
    if keep and request.method == "POST":
        keep(request)


def _note_activity(request: HttpRequest) -> None:
    """Idle time counts from the last page, to within some minutes; each note is a write."""
    now = int(time.time())
    if now - request.session.get("last_seen", 0) > NOTE_EVERY:
        request.session["last_seen"] = now
