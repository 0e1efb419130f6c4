"""The accounts of staff, and help for those who cannot get in."""

from typing import cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from agreements.sign_in.factors import reset_second_factors, second_factors
from agreements.sign_in.lockout import lift_lockout

# Nothing is sent by mail, and whoever could edit the second factors could read their secrets.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Django's accounts, with help for a colleague who lost a factor or is locked out."""

    actions = ["help_to_sign_in"]
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "second_factor"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        known = Exists(second_factors().filter(user=OuterRef("pk")))
        return super().get_queryset(request).annotate(second_factor_known=known)

    @admin.display(boolean=True, description="second factor")
    def second_factor(self, user: User) -> bool:
        """So that an administrator sees who has none."""
        return user.second_factor_known  # type: ignore[attr-defined]

    @admin.action(
        permissions=["change"],
        description="Reset second factors and lift the lockout of selected users",
    )
    def help_to_sign_in(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """One's own factors are changed on one's own pages, which ask who is there; only a
        superuser helps a superuser."""
        helper = cast(User, request.user)
        for user in users:
            if user == helper:
                said = f"{user}: change your own second factors under “Second factors”, above."
                self.message_user(request, said, messages.ERROR)
            elif user.is_superuser and not helper.is_superuser:
                said = f"{user}: only a superuser can do this for a superuser."
                self.message_user(request, said, messages.ERROR)
            else:
                reset_second_factors(user, by=helper, how="by an administrator")
                lift_lockout(request, user)
                said = f"{user} has no second factor now, and can sign in again with the password."
                self.message_user(request, said)
