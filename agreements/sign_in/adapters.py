"""What allauth asks a project to decide."""

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse

from .factors import has_shown_second_factor, second_factors
from .lockout import too_many_attempts


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by an administrator; a lockout is a page, not a line in a form."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def validation_error(self, code: str, *args: object) -> ValidationError:
        if code in ("too_many_login_attempts", "rate_limited"):
            raise ImmediateHttpResponse(too_many_attempts(self.request))
        error: ValidationError = super().validation_error(code, *args)
        return error

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: str) -> str:
        """Failures count for the account. allauth's key has the Host header in it, of which a
        guesser can send as many as there are ports."""
        return credentials["username"].casefold()

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """Whoever signed in a moment ago has just proved who they are."""
        records = get_authentication_records(self.request, self.request.user)
        if records and time.time() - records[-1]["at"] < app_settings.REAUTHENTICATION_TIMEOUT:
            return False
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, Any]]:
        """A password does not stand in for a second factor that was not shown yet."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not methods or has_shown_second_factor(self.request):
            return methods
        if not second_factors().filter(user=user).exists():
            return methods
        password = reverse("account_reauthenticate")
        return [method for method in methods if method["url"] != password]


class FactorAdapter(DefaultMFAAdapter):
    """Second factors carry the name that staff sign in with."""

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return str(user.get_username())

    def build_totp_svg(self, url: str) -> str:
        """The drawing alone, to stand in the page: the policy allows no ``data:`` images."""
        drawing: str = super().build_totp_svg(url)
        return drawing.partition("?>")[2]
