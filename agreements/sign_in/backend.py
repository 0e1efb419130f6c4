"""Whom a session belongs to."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef

from .factors import second_factors


class StaffBackend(ModelBackend):
    """Django's accounts, for active staff only: others neither sign in nor stay signed in.

    The account comes with ``has_second_factor``, which every staff page asks about, in one query.
    """

    def user_can_authenticate(self, user: User | None) -> bool:  # type: ignore[override]
        return bool(user and user.is_staff and super().user_can_authenticate(user))

    def get_user(self, user_id: int) -> User | None:
        known = Exists(second_factors().filter(user=OuterRef("pk")))
        user = User.objects.annotate(has_second_factor=known).filter(pk=user_id).first()
        return user if self.user_can_authenticate(user) else None
