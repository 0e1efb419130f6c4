"""The pages that differ from allauth's own."""

import ipaddress
from typing import Any

from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.contrib.auth.views import PasswordChangeView
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy

from .factors import remember_second_factor
from .forms import NewPasswordForm


class _SetsUp:
    """A page on which a second factor is set up."""

    request: HttpRequest

    def form_valid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        remember_second_factor(self.request)
        return response


class ChangePassword(PasswordChangeView):
    """A new password for who knows the old one, in the admin's look."""

    form_class = NewPasswordForm
    success_url = reverse_lazy("admin:password_change_done")


class SetUpApp(_SetsUp, ActivateTOTPView):
    """An authenticator app, by drawing or by typing."""


class AddKey(_SetsUp, AddWebAuthnView):
    """A passkey or security key, which the browser binds to the name of the site."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"site_has_no_name": _is_address(self.request.get_host())}


def _is_address(host: str) -> bool:
    """True for ``127.0.0.1:8000``, to which no browser binds a key."""
    try:
        ipaddress.ip_address(host.rpartition("]")[0].strip("[") or host.partition(":")[0])
    except ValueError:
        return False
    return True
