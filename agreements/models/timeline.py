"""An agreement's life after signature, and its kin."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ..dates import PartialDate, PartialDateField
from ..rules.status import MARKS, TERM_SETTING, UNDATED_ALLOWED, MilestoneKind
from .agreement import Agreement
from .columns import Line, Prose
from .evidence import SourcedRow


class Milestone(SourcedRow):
    """A dated event in the agreement's life. Its status is worked out from these rows."""

    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, related_name="milestones", db_index=False
    )
    kind = models.CharField(max_length=30, choices=MilestoneKind.choices)
    date = PartialDateField(
        earliest_field="date_earliest",
        latest_field="date_latest",
        help_text="As the source gives it. Only an ending may be without a date.",
    )
    date_earliest = models.DateField(null=True, editable=False)
    date_latest = models.DateField(null=True, editable=False)
    until = PartialDateField(
        earliest_field="until_earliest",
        latest_field="until_latest",
        help_text="Until when it then runs, if a term is stated: with entry into force, renewal, "
        "or Term set.",
    )
    until_earliest = models.DateField(null=True, editable=False)
    until_latest = models.DateField(null=True, editable=False)
    note = Prose(blank=True, help_text="What happened, in a few words. Public.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "kind": "What happened.",
        "note": "What happened, in a few words.",
    }

    class Meta:
        ordering = ["agreement", F("date_earliest").asc(nulls_last=True), "date_latest", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(date_earliest__isnull=True) | Q(until_latest__gte=F("date_earliest")),
                name="milestone_ends_after_start",
                violation_error_message="The term ends before it starts.",
            ),
            models.CheckConstraint(
                condition=Q(date__isnull=False) | Q(kind__in=sorted(UNDATED_ALLOWED)),
                name="milestone_dated",
                violation_error_message="Give the date, at least the year. If a source only says "
                "that it is in effect, choose Reported to be in effect and that source's date.",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(kind__in=sorted(TERM_SETTING)),
                name="milestone_term_kind",
                violation_error_message="Only what begins, sets or prolongs a term can run until.",
            ),
        ]
        indexes = [
            models.Index(fields=["agreement", "kind"], name="milestone_kind"),
            # Milestones are read in their order: the index for it serves the key as well.
            models.Index(
                fields=["agreement", "date_earliest", "date_latest", "id"], name="milestone_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.date or 'date not stated'}"

    def clean(self) -> None:
        """Refuse a term that ends before it starts, and an end before the signature.

        The constraint on the term says the same; a form cannot see it, because the columns it
        compares are not in the form.
        """
        if self.date and self.until and self.until.latest < self.date.earliest:
            raise ValidationError({"until": "The term ends before it starts."})
        signed_on = self.agreement.signed_on if self._has_agreement() else None
        if not isinstance(signed_on, PartialDate):
            return
        closes = MARKS["expired"] | MARKS["terminated"] | MARKS["superseded"]
        if self.kind in closes and self.date and self.date.latest < signed_on.earliest:
            raise ValidationError({"date": f"It cannot end before it was signed: {signed_on}."})
        if self.until and not self.date and self.until.latest < signed_on.earliest:
            raise ValidationError({"until": f"The term ends before the signature: {signed_on}."})

    def _has_agreement(self) -> bool:
        return bool(self.agreement_id) or "agreement" in self._state.fields_cache


class RelationKind(models.TextChoices):
    """What this agreement is to another."""

    SUPERSEDES = "supersedes", "Supersedes"
    RENEWS = "renews", "Renews"
    AMENDS = "amends", "Amends"
    EXTENDS = "extends", "Extends"
    IMPLEMENTS = "implements", "Implements"
    PART_OF = "part_of", "Part of"
    BUILDS_ON = "builds_on", "Builds on"

    @property
    def replaces(self) -> bool:
        """Whether the earlier agreement ends with it: only then is silence a difference."""
        return self in (RelationKind.SUPERSEDES, RelationKind.RENEWS)

    @property
    def inverse(self) -> str:
        """The same relation told from the other side. Computed, never stored."""
        return {
            "supersedes": "Superseded by",
            "renews": "Renewed by",
            "amends": "Amended by",
            "extends": "Extended by",
            "implements": "Implemented by",
            "part_of": "Has as a part",
            "builds_on": "Built on by",
        }[self.value]


class Relation(SourcedRow):
    """A link to another agreement, or to one known by its title only."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="relations")
    kind = models.CharField(
        max_length=20,
        choices=RelationKind.choices,
        help_text="What this agreement is to the other. The other page tells it from its side.",
    )
    target = models.ForeignKey(
        Agreement,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="inverse_relations",
        verbose_name="other agreement",
        help_text="If it is in the register. Otherwise type its title below.",
    )
    target_title = Line(
        "other agreement's title",
        max_length=1000,
        blank=True,
        help_text="Only if the other agreement is not in the register.",
    )
    note = Line(blank=True, help_text="Public.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "kind": "What this agreement is to the other. It is recorded from this side only.",
        "target": "The other agreement, if it is in the register.",
        "target_title": "The other agreement's title, if it is not in the register.",
        "note": "A remark.",
    }

    class Meta:
        ordering = ["agreement", "kind", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(target__isnull=False, target_title="")
                | (Q(target__isnull=True) & ~Q(target_title="")),
                name="relation_one_target",
                violation_error_message="Choose the other agreement or type its title, not both.",
            ),
            models.CheckConstraint(
                condition=Q(target__isnull=True) | ~Q(target=F("agreement")),
                name="relation_not_to_itself",
                violation_error_message="An agreement cannot be related to itself.",
            ),
            models.UniqueConstraint(
                fields=["agreement", "kind", "target"],
                name="relation_once",
                violation_error_message="This relation is already recorded.",
            ),
            models.UniqueConstraint(
                fields=["agreement", "kind", "target_title"],
                condition=~Q(target_title=""),
                name="relation_to_title_once",
                violation_error_message="This relation is already recorded.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.target or self.target_title}"

    def clean(self) -> None:
        """Refuse a working copy, and a chain of one kind that comes back to its start."""
        if not self.target_id:
            return
        if self.target and self.target.revises_id:
            raise ValidationError({"target": "This is a working copy: choose the record itself."})
        own = {self.agreement_id, self.agreement.revises_id} if self.agreement_id else set()
        own.discard(None)
        reached, frontier = set(), {self.target_id}
        while frontier:
            reached |= frontier
            onward = Relation.objects.filter(
                kind=self.kind, agreement__in=frontier, target__isnull=False
            )
            frontier = set(onward.values_list("target", flat=True)) - reached
        self.clean_knowing(to_itself=self.target_id in own, leads_back=bool(own & reached))

    def clean_knowing(self, *, to_itself: bool, leads_back: bool) -> None:
        """What ``clean`` refuses, for a caller who has followed the relations of this kind."""
        if to_itself:
            raise ValidationError({"target": "An agreement cannot be related to itself."})
        if leads_back:
            verb = RelationKind(self.kind).label.lower()
            raise ValidationError(
                {"target": f"The other agreement already {verb} this one, directly or in a chain."}
            )
