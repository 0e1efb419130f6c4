"""What is worked out of a record and kept, to be read where working it out would be slow.

Written by ``history`` whenever a record changes, and by nobody else. The database does not check
that the record is there: on PostgreSQL a new row would wait for whoever has locked the record, who
waits for the edition, which whoever derives has locked: a deadlock.
"""

from django.db import models

from .agreement import Agreement
from .columns import Line


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


class Digest(models.Model):
    """Read model: what is found in an agreement, and by which rules what is kept beside it was
    worked out."""

    agreement = models.OneToOneField(
        Agreement,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="digest",
        db_constraint=False,
    )
    #: ``history.RULES`` as it was then.
    rules = models.PositiveIntegerField()
    #: ``oddities.unsourced``.
    unsourced = models.BooleanField()
    #: ``status.odd_until``.
    odd_until = models.DateField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["rules", "agreement"], name="digest_rules"),
            models.Index(fields=["odd_until"], name="digest_odd_dates"),
        ]

    def __str__(self) -> str:
        return f"{self.agreement} by rules {self.rules}"
