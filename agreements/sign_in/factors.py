"""Second factors: who has one, whether this session has shown it, and how they are taken away."""

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest


def second_factors() -> QuerySet[Authenticator]:
    """Everybody's apps and keys. A recovery code stands in for one and is none by itself."""
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(
        type__in=(Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    )
    return factors


def has_shown_second_factor(request: HttpRequest) -> bool:
    """True if a second factor was used, or set up, by the signed-in person in this session."""
    records = get_authentication_records(request, request.user)
    return any(record["method"] == "mfa" for record in records)


def remember_second_factor(request: HttpRequest) -> None:
    """Setting a factor up shows that one has it; without this the next page would ask for it."""
    record_authentication(request, request.user, "mfa", set_up=True)


def reset_second_factors(user: User, by: User, how: str) -> None:
    """Delete all second factors and recovery codes of ``user``; the admin's history tells."""
    Authenticator.objects.filter(user=user).delete()
    LogEntry.objects.log_actions(by.pk, [user], CHANGE, f"Second factors reset {how}.")
