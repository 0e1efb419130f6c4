"""The accounts of the staff. An account is shut, never deleted, so that the history stays told."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest

admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Whoever keeps the accounts gives only what they have themselves.

    So no administrator becomes a superuser, or takes over the account of one by a new password.
    """

    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("The person", {"fields": ("first_name", "last_name", "email")}),
        ("What the account may do", {"fields": ("is_active", "groups")}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    superuser_fields = ("is_staff", "is_superuser", "user_permissions")
    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    filter_horizontal = ("user_permissions",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj and _superuser(request):
            fieldsets = (*fieldsets, ("Superuser", {"fields": self.superuser_fields}))
        return fieldsets

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only groups that allow nothing the person may not do."""
        if db_field.name == "groups":
            kwargs |= {
                "queryset": groups_within_reach(request.user),
                "widget": CheckboxSelectMultiple,
            }
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No account that may do what the person may not."""
        within = obj is None or _superuser(request) or _within_reach(request.user, obj)
        return within and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """An account made here is one of the staff; what it may do follows from its groups."""
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)


def _superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def _granted(user: Any) -> QuerySet[Permission]:
    """What the account may do, or may do again once it is no longer shut."""
    return Permission.objects.filter(Q(group__user=user) | Q(user=user))


def _within_reach(user: Any, other: User) -> bool:
    beyond = _granted(other).exclude(pk__in=_granted(user).values("pk"))
    return not other.is_superuser and not beyond.exists()


def groups_within_reach(user: Any) -> QuerySet[Group]:
    """The groups that allow nothing this person may not do."""
    if user.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=_granted(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)
