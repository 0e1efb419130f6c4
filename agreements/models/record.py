"""What the register keeps beside a record: its history and its search terms."""

import datetime
import json
import uuid
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone

from .agreement import Agreement
from .columns import Line


class RevisionQuerySet(models.QuerySet["Revision"]):
    """Questions about the history, which is appended to and never changed.

    Revisions go only with their record, and the admin deletes a record only if it was never
    public. A deleted account leaves its name (``made_by_name``).
    """

    def published(self) -> "RevisionQuerySet":
        """The states in which the record itself was public, not those of its working copies."""
        # A line break inside a text is escaped in JSON, and rows stand further in: this line can
        # only be the record's own state.
        return self.filter(of_working_copy=False, snapshot__contains='\n "state": "published"')

    def public(self, agreement: Agreement) -> "RevisionQuerySet":
        """The states that the public may read, newest first, of a record that is public now.

        They begin with its latest publication: what it said before it was taken back stays back.
        """
        record = self.filter(agreement=agreement, of_working_copy=False)
        kept_back = record.exclude(pk__in=record.published().values("pk")).order_by("-pk")
        since = kept_back.values_list("pk", flat=True).first() or 0
        return record.filter(pk__gt=since).order_by("-pk")

    def update(self, **kwargs: Any) -> NoReturn:
        """Raises TypeError."""
        raise TypeError("A revision is never changed.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises TypeError."""
        raise TypeError("A revision is never changed.")

    def bulk_create(
        self, objs: Iterable["Revision"], *args: Any, **kwargs: Any
    ) -> list["Revision"]:
        """Append revisions; raises TypeError where it would write over one that exists."""
        if kwargs.get("update_conflicts"):
            raise TypeError("A revision is never changed.")
        return super().bulk_create(objs, *args, **kwargs)

    def delete(self) -> NoReturn:
        """Raises TypeError."""
        raise TypeError("A revision is never deleted.")


class Revision(models.Model):
    """The record's export snapshot at one moment. Append-only.

    The history of a working copy stands with the record that it revises.
    """

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="revisions")
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    made_by_name = Line(max_length=200, help_text="Kept when the account is deleted.")
    reason = Line(max_length=500)
    #: Whether this is a state of the working copy, which the public has not seen.
    of_working_copy = models.BooleanField(default=False, editable=False)
    # Text, not jsonb: PostgreSQL would reorder the keys.
    snapshot = models.TextField()

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["agreement", "-pk"]

    def __str__(self) -> str:
        return f"{self.agreement} at {self.made_at:%Y-%m-%d %H:%M} by {self.made_by_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new revision; raises TypeError for one that exists."""
        if self.pk or not self._state.adding:
            raise TypeError("A revision is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises TypeError."""
        raise TypeError("A revision is never deleted.")

    @cached_property
    def record(self) -> dict[str, Any]:
        """The whole record as it was, for staff: notes included."""
        record: dict[str, Any] = json.loads(self.snapshot)
        return record


class Authorship(models.Model):
    """An author of what no second person has checked yet: whoever edited the record, or its working
    copy, since the last check. It is made with the edit and deleted by the check."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="authorships")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    #: Outlives the account: whoever gets an account of this name passes for the same person.
    name = Line(max_length=200)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["agreement", "person"], name="authorship_once")
        ]

    def __str__(self) -> str:
        return f"{self.agreement}: {self.name}"


class SearchDocument(models.Model):
    """An agreement's analysed words, for both databases."""

    agreement = models.OneToOneField(
        Agreement, on_delete=models.CASCADE, primary_key=True, related_name="search_document"
    )
    title_terms = models.TextField()
    all_terms = models.TextField()
    #: The texts themselves, one a line, for excerpts; null where they were not kept yet. A column
    #: that is not null would make SQLite copy the table and lose the triggers of migration 0002.
    passages = models.TextField(null=True, editable=False)

    def __str__(self) -> str:
        return f"Search terms of {self.agreement}"


class Edition(models.Model):
    """Cache generation: one mark for what is public, one for all that is kept, drafts included.

    Whatever is kept in memory, and every page's entity tag, holds for one edition of the
    register; a planned import holds for one of all. A mark is new after each change and never
    comes back, so that a change which was rolled back leaves nothing behind."""

    PUBLIC, ALL = 1, 2

    mark = models.CharField(max_length=32, editable=False)
    #: Grows with each renewal, under the lock of the row: what is committed later has a higher one.
    serial = models.BigIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return self.mark

    @classmethod
    def current(cls) -> str:
        """The mark of the register's present edition; empty before the first change."""
        return cls._mark(cls.PUBLIC)

    @classmethod
    def of_all(cls) -> str:
        """The mark of the present edition of all that is kept; empty before the first change."""
        return cls._mark(cls.ALL)

    @classmethod
    def _mark(cls, pk: int) -> str:
        return cls.objects.filter(pk=pk).values_list("mark", flat=True).first() or ""

    @classmethod
    def present_serial(cls) -> int:
        """How often anything has changed."""
        rows = cls.objects.filter(pk=cls.ALL).values_list("serial", flat=True)
        return rows.first() or 0

    @classmethod
    def lock(cls) -> None:
        """Make whoever changes a record wait until this transaction ends.

        Whoever locks a record does this before: the end of every change is a new edition, and
        others are locked by a change of one, so that two could wait for each other.
        """
        locked = cls.objects.select_for_update().order_by("pk")
        if len(locked) == 2:
            return
        for pk in (cls.PUBLIC, cls.ALL):
            # Not there yet where nothing has changed since an upgrade.
            cls.objects.get_or_create(pk=pk)
        list(locked.all())

    @classmethod
    def renew(cls, *, public: bool = True) -> None:
        """Begin new editions, in the transaction of the change that makes them. A change that is
        not ``public`` leaves the register's as it is."""
        # Always in this order: whoever locks both waits for nobody who waits for them.
        for pk in (cls.PUBLIC, cls.ALL) if public else (cls.ALL,):
            mark = uuid.uuid4().hex
            # The row is missing before the first change only.
            if not cls.objects.filter(pk=pk).update(mark=mark, serial=F("serial") + 1):
                cls.objects.update_or_create(pk=pk, defaults={"mark": mark, "serial": 1})


class Reminder(models.Model):
    """A reminder: each owner hears of each due date once. Without an owner it went to the desk.

    Written before the mail is sent, so that nothing is ever sent twice.
    """

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="reminders")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    due_on = models.DateField()
    #: Empty where sending was begun and nobody knows whether it succeeded.
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "owner", "due_on"], name="reminder_sent_once"
            ),
            # Two NULLs are not equal to the constraint above.
            models.UniqueConstraint(
                fields=["agreement", "due_on"],
                condition=models.Q(owner__isnull=True),
                name="reminder_sent_once_to_desk",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agreement}: {self.due_on:%Y-%m-%d}"


class PendingImport(models.Model):
    """A file that was uploaded to be imported: previewed, and written only when confirmed."""

    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)
    name = Line(max_length=200, help_text="The file's name on the computer it came from.")
    file = models.FileField(upload_to="imports/")
    #: The edition of all that is kept that the preview was made against.
    edition = models.CharField(max_length=32, blank=True)
    applied_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.uploaded_at:%Y-%m-%d %H:%M}"

    @classmethod
    def discard_old(cls) -> int:
        """Forget the uploads of more than a day ago; returns their number."""
        old = list(cls.objects.filter(uploaded_at__lt=timezone.now() - datetime.timedelta(days=1)))
        for pending in old:
            pending.discard()
        return len(old)

    def discard(self) -> None:
        """Forget the upload and its file."""
        self.file.delete(save=False)
        self.delete()
