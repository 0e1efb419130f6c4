"""What is worked out of a record and kept, to be read where working it out would be slow.

Written by ``record`` whenever a record changes, and by nobody else. The database does not check
that the record is there: on PostgreSQL a new row would wait for whoever has locked the record, who
waits for the edition, which whoever derives has locked: a deadlock.
"""

import json
from collections.abc import Collection
from typing import Any

from django.db import models

from .agreement import Agreement
from .columns import Line
from .querysets import visible


class Standing(models.Model):
    """Read model: the status of an agreement during one period. The periods of an agreement follow
    each other without a gap, so one and only one of them holds on any day."""

    agreement = models.ForeignKey(
        Agreement,
        on_delete=models.CASCADE,
        related_name="standings",
        db_constraint=False,
        db_index=False,
    )
    status = Line(max_length=30)
    from_day = models.DateField()
    #: The day after its last day; null where it holds for ever.
    until_day = models.DateField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["agreement", "from_day"], name="standing_once_a_day")
        ]
        indexes = [models.Index(fields=["status", "from_day"], name="standing_status")]

    def __str__(self) -> str:
        return f"{self.agreement}: {self.status} from {self.from_day}"


class DigestQuerySet(models.QuerySet["Digest"]):
    """What is kept of records, to be read by their keys."""

    def register(self) -> "DigestQuerySet":
        """Of what the public may see now, and of which a record is kept."""
        return self.filter(visible("agreement__")).exclude(record="")

    def records(self, agreements: Collection[int]) -> dict[int, dict[str, Any]]:
        """``record`` of each of these agreements that is in the register now, by its key."""
        rows = self.register().filter(agreement__in=agreements).values_list("pk", "record")
        return {pk: json.loads(text) for pk, text in rows}


class Digest(models.Model):
    """Read model: an agreement as pages, faces and tables show it, and what is found in it."""

    agreement = models.OneToOneField(
        Agreement,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="digest",
        db_constraint=False,
    )
    #: ``derive.rules_number`` as it was then.
    rules = models.PositiveIntegerField()
    #: ``Edition.serial`` as it was then. What has a higher one is newer.
    serial = models.BigIntegerField(default=0)
    #: ``oddities.unsourced``.
    unsourced = models.BooleanField()
    #: ``status.odd_until``.
    odd_until = models.DateField(null=True)
    #: ``question.Entry``, as JSON.
    entry = models.TextField(default="")
    #: The public record and when it last changed, as JSON; empty where the public may not see it.
    record = models.TextField(default="")
    #: ``exports.flat_line``: its line of the flat table; empty in the same case.
    line = models.TextField(default="")

    objects = DigestQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["rules", "agreement"], name="digest_rules"),
            models.Index(fields=["odd_until"], name="digest_odd_dates"),
            models.Index(fields=["serial"], name="digest_serial"),
        ]

    def __str__(self) -> str:
        return f"{self.agreement} by rules {self.rules}"
