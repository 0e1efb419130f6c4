"""Sign-in forms that answer hostile input with a message."""

import struct
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.base import forms as code_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as app_forms
from allauth.mfa.webauthn import forms as key_forms
from cryptography.exceptions import InvalidSignature
from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError

#: What the libraries raise on forged CBOR inside base64 inside JSON, tried with made-up answers.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    struct.error,
    InvalidSignature,
)


def _not_accepted() -> ValidationError:
    return ValidationError("The key was not accepted. Try again.", code="incorrect_code")


class _EachCodeOnce:
    """allauth forgets a used code after one period, but with a tolerance it is good for three; and
    it never knew the code that set the app up."""

    user: User
    #: What was shown; where an app is being set up there is none yet.
    authenticator: Authenticator | None = None

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        if self.authenticator is None or self.authenticator.type == Authenticator.Type.TOTP:
            used = f"sign_in.used_code.{self.user.pk}.{normalize_user_code(code)}"
            if not cache.add(used, True, timeout=settings.MFA_TOTP_PERIOD * 3):
                raise ValidationError("This code was used before. Wait for the next one.")
        return code


class CodeForm(_EachCodeOnce, code_forms.AuthenticateForm):
    """The second step of signing in."""


class SetUpAppForm(_EachCodeOnce, app_forms.ActivateTOTPForm):
    """The first code of an authenticator app."""


class ConfirmCodeForm(_EachCodeOnce, code_forms.ReauthenticateForm):
    """A code before a change of factors."""


class NewPasswordForm(AdminPasswordChangeForm):
    """The old password is asked for as on the other pages: wrong ones lock the account."""

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if not get_adapter(context.request).reauthenticate(self.user, old):
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return old


class CredentialField(forms.JSONField):
    """What a key answers; too deep is as unreadable as no JSON at all."""

    widget = forms.HiddenInput

    def to_python(self, value: object) -> Any:
        try:
            return super().to_python(value)
        except RecursionError as error:
            raise _not_accepted() from error


class KeyForm(key_forms.AuthenticateWebAuthnForm):
    """A key at the second step of signing in."""

    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        try:
            return super().clean_credential()
        except (*UNREADABLE, ValidationError) as error:
            raise _not_accepted() from error


class ConfirmKeyForm(KeyForm, key_forms.ReauthenticateWebAuthnForm):
    """A key before a change of factors."""


class AddKeyForm(key_forms.AddWebAuthnForm):
    """A new key and the name its owner knows it by."""

    name = forms.CharField(
        max_length=100,
        required=False,
        help_text="What you call this key, for example where you keep it.",
    )
    credential = CredentialField()

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
            answer = cleaned.get("credential")
            if answer:
                cleaned["credential"] = {
                    "id": answer["id"],
                    "rawId": answer["rawId"],
                    "type": answer["type"],
                    # These two are base64: nothing else of what was sent is stored.
                    "response": {
                        part: answer["response"][part]
                        for part in ("clientDataJSON", "attestationObject")
                    },
                }
        except (*UNREADABLE, ValidationError) as error:
            raise ValidationError({"credential": _not_accepted()}) from error
        return cleaned


class RenameKeyForm(key_forms.EditWebAuthnForm):
    """Another name for a key."""

    name = forms.CharField(max_length=100)
