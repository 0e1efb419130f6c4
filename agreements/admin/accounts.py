"""The accounts of staff, and help for those who cannot get in.

An account is shut, never deleted, so that the history stays told.
"""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db.models import Exists, ManyToManyField, OuterRef, Q, QuerySet
from django.forms import CheckboxSelectMultiple, ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest

from ..sign_in.factors import reset_second_factors, second_factors
from ..sign_in.lockout import lift_lockout
from .guard import signed_in

# Nothing is sent by mail, and whoever could edit the second factors could read their secrets.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Whoever keeps the accounts gives only what they have themselves, and helps a colleague who
    lost a factor or is locked out.

    So no administrator becomes a superuser, or takes over the account of one by a new password.
    """

    actions = ["help_to_sign_in"]
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("The person", {"fields": ("first_name", "last_name", "email")}),
        ("What the account may do", {"fields": ("is_active", "groups")}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    superuser_fields = ("is_staff", "is_superuser", "user_permissions")
    list_display = ("username", "email", "first_name", "last_name", "is_active", "second_factor")
    list_filter = ("is_active", "groups")
    filter_horizontal = ("user_permissions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        known = Exists(second_factors().filter(user=OuterRef("pk")))
        accounts: QuerySet[User] = super().get_queryset(request)
        return accounts.annotate(second_factor_known=known)

    @admin.display(boolean=True, description="second factor")
    def second_factor(self, user: User) -> bool:
        """So that an administrator sees who has none."""
        return bool(user.second_factor_known)  # type: ignore[attr-defined]

    @admin.action(
        permissions=["change"],
        description="Reset second factors and lift the lockout of selected users",
    )
    def help_to_sign_in(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """One's own factors are changed on one's own pages, which ask who is there; only a
        superuser helps a superuser."""
        helper = signed_in(request)
        for user in users:
            if user == helper:
                said = f"{user}: change your own second factors under “Second factors”, above."
                self.message_user(request, said, messages.ERROR)
            elif not helper.is_superuser and not _within_reach(helper, user):
                said = f"{user}: this account may do what yours may not."
                self.message_user(request, said, messages.ERROR)
            else:
                reset_second_factors(user, by=helper, how="by an administrator")
                lift_lockout(request, user)
                said = f"{user} has no second factor now, and can sign in again with the password."
                self.message_user(request, said)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj and _superuser(request):
            fieldsets = (*fieldsets, ("Superuser", {"fields": self.superuser_fields}))
        return fieldsets

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        """Only groups that allow nothing the person may not do."""
        if db_field.name == "groups":
            kwargs |= {
                "queryset": groups_within_reach(request.user),
                "widget": CheckboxSelectMultiple,
            }
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """No account that may do what the person may not."""
        within = obj is None or _superuser(request) or _within_reach(request.user, obj)
        return within and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool
    ) -> None:
        """An account made here is one of the staff; what it may do follows from its groups."""
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)


def _superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def _granted(user: User | AnonymousUser) -> QuerySet[Permission]:
    """What the account may do, or may do again once it is no longer shut."""
    return Permission.objects.filter(Q(group__user=user) | Q(user=user))


def _within_reach(user: User | AnonymousUser, other: User) -> bool:
    beyond = _granted(other).exclude(pk__in=_granted(user).values("pk"))
    return not other.is_superuser and not beyond.exists()


def groups_within_reach(user: User | AnonymousUser) -> QuerySet[Group]:
    """The groups that allow nothing this person may not do."""
    if user.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=_granted(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)
