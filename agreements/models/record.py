"""What the register keeps beside a record: its history and its search terms."""

import uuid
from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from .agreement import Agreement
from .columns import Line


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

    class Meta:
        ordering = ["agreement", "-pk"]

    def __str__(self) -> str:
        return f"{self.agreement} at {self.made_at:%Y-%m-%d %H:%M} by {self.made_by_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new revision; raises TypeError for one that exists."""
        if self.pk:
            raise TypeError("A revision is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises TypeError."""
        raise TypeError("A revision is never deleted.")


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
    """One row: which edition of the register this is. Whatever is kept in memory, and every page's
    entity tag, holds for one edition. The mark is new after each change and never comes back, so
    that a change which was rolled back leaves nothing behind."""

    mark = models.CharField(max_length=32, editable=False)

    def __str__(self) -> str:
        return self.mark

    @classmethod
    def current(cls) -> str:
        """The mark of the present edition; empty before the first change."""
        return cls.objects.filter(pk=1).values_list("mark", flat=True).first() or ""

    @classmethod
    def renew(cls) -> None:
        """Begin a new edition, in the transaction of the change that makes it one."""
        cls.objects.update_or_create(pk=1, defaults={"mark": uuid.uuid4().hex})


class Reminder(models.Model):
    """A reminder that was sent: each owner hears of each due date once."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="reminders")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    due_on = models.DateField()
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "owner", "due_on"], name="reminder_sent_once"
            )
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
    #: The edition that the preview was made against.
    edition = models.CharField(max_length=32, blank=True)
    applied_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.uploaded_at:%Y-%m-%d %H:%M}"
