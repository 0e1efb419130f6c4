"""Who takes part in an agreement, and who signed it."""

import datetime
from typing import ClassVar, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ..dates import PartialDate, PartialDateField, to_partial_date
from .agency import Agency, AgencyNameKind
from .agreement import Agreement
from .columns import Line, SmallNumber


class ParticipationRole(models.TextChoices):
    PARTY = "party", "Party"
    IMPLEMENTING_AGENCY = "implementing_agency", "Implementing agency"
    REPRESENTED_BODY = "represented_body", "Body on whose behalf a party signed"
    CO_SIGNATORY = "co_signatory", "Co-signing body"
    CONTACT_POINT = "contact_point", "Contact point"
    FOUNDING_BODY = "founding_body", "Founding body"
    COORDINATOR = "coordinator", "Coordinator"
    MEMBER = "member", "Member"
    OBSERVER = "observer", "Observer"


class SigningAct(models.TextChoices):
    SIGNATURE = "signature", "Signature"
    ACCEPTANCE = "acceptance", "Acceptance"
    RATIFICATION = "ratification", "Ratification"
    ACCESSION = "accession", "Accession"


class Part(NamedTuple):
    """The part of an agency, by its key: from the day on which it had surely joined, to the day
    before it may have left; None where it took part from the first, or takes part for good."""

    agency: str
    joined: datetime.date | None
    left: datetime.date | None

    @classmethod
    def stated(cls, agency: str, joined_on: object, left_on: object) -> "Part":
        """From partial dates, as they are recorded."""
        joined, left = to_partial_date(joined_on), to_partial_date(left_on)
        return cls(agency, joined.latest if joined else None, left.earliest if left else None)

    def on(self, day: datetime.date) -> bool:
        """Whether it surely takes part on ``day``."""
        return (not self.joined or self.joined <= day) and (not self.left or day < self.left)


class Participation(models.Model):
    """One agency's part in one agreement."""

    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, related_name="participations", db_index=False
    )
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="participations")
    position = SmallNumber(default=0, help_text="The order in which the instrument names them.")
    role = models.CharField(
        max_length=30, choices=ParticipationRole.choices, default=ParticipationRole.PARTY
    )
    role_stated = Line(
        "role as stated",
        max_length=300,
        blank=True,
        help_text="Only if the source's words say more than the role chosen.",
    )
    name_as_signed = Line(
        max_length=300,
        blank=True,
        help_text="The name it bore then, if it has another now: EMEA, Irish Medicines Board.",
    )
    signed_on = PartialDateField(
        help_text="Only if this participant signed on a day of its own.",
    )
    signing_act = models.CharField(
        max_length=20,
        choices=SigningAct.choices,
        default=SigningAct.SIGNATURE,
        help_text="How it bound itself on that day.",
    )
    joined_on = PartialDateField(
        earliest_field="joined_on_earliest",
        latest_field="joined_on_latest",
        help_text="Only if it joined after the agreement began.",
    )
    joined_on_earliest = models.DateField(null=True, editable=False)
    joined_on_latest = models.DateField(null=True, editable=False)
    left_on = PartialDateField(earliest_field="left_on_earliest", latest_field="left_on_latest")
    left_on_earliest = models.DateField(null=True, editable=False)
    left_on_latest = models.DateField(null=True, editable=False)
    note = Line(blank=True, help_text="Public.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "agency": "The participant.",
        "role": "Its part.",
        "role_stated": "Its part in the source's words, where they say more than role.",
        "signed_on": "When it signed, if on a day of its own.",
        "joined_on": "When it joined, if after the agreement began.",
        "left_on": "When it left, if it did.",
        "note": "A remark.",
    }

    class Meta:
        ordering = ["agreement", "position", "pk"]
        # Rows are read by agreement and in this order: the index for it serves the key as well.
        indexes = [models.Index(fields=["agreement", "position", "id"], name="participation_order")]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "agency"],
                name="participant_once",
                violation_error_message="This agency is already a participant of this agreement.",
            ),
            models.CheckConstraint(
                condition=Q(left_on_latest__gte=F("joined_on_earliest")),
                name="participant_leaves_after_joining",
                violation_error_message="A participant cannot leave before it joined.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agency.short_name}, {self.get_role_display().lower()}"

    def takes_part_on(self, day: datetime.date) -> bool:
        """Whether it surely takes part on ``day``: joining counts from the last day the date can
        mean, leaving from the first."""
        return Part.stated("", self.joined_on, self.left_on).on(day)

    @property
    def former_name(self) -> str:
        """The former name its agency surely bore when it signed or joined, else empty.

        Sure is only a name whose first and last day are known and lie on either side of that day.
        Worked out: what the instrument itself says stands in ``name_as_signed``.
        """
        day: PartialDate | None = self.signed_on or self.joined_on or self.agreement.signed_on
        if day is None:
            return ""
        borne = [
            former.name
            for former in self.agency.names.all()
            if former.kind == AgencyNameKind.FORMER
            and former.used_from
            and former.used_until
            and former.used_from.latest <= day.earliest
            and day.latest < former.used_until.earliest
        ]
        return borne[0] if len(borne) == 1 else ""

    def clean(self) -> None:
        """What the constraint says, for a form, which does not have the columns it compares."""
        if self.joined_on and self.left_on and self.left_on.latest < self.joined_on.earliest:
            raise ValidationError({"left_on": "A participant cannot leave before it joined."})


class Capacity(models.TextChoices):
    SIGNED = "signed", "Signed"
    WITNESSED = "witnessed", "Witnessed"
    PRESENT = "present", "Present"


class Signatory(models.Model):
    """A person who signed, witnessed or was present."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="signatories")
    position = SmallNumber(default=0)
    capacity = models.CharField(
        max_length=20,
        choices=Capacity.choices,
        help_text="Witnessed only if a source says so. Being in a photograph is present.",
    )
    honorific = Line(max_length=60, blank=True, help_text="Dr, Mr, Adjunct Professor (Dr).")
    name = Line(
        max_length=200,
        blank=True,
        help_text="As printed, in the order and script of the source. Empty if only the post is "
        "known.",
    )
    post = Line(max_length=300, blank=True, help_text="The post held that day.")
    agency = models.ForeignKey(
        Agency,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="signatories",
        help_text="The agency acted for, if the register knows it.",
    )
    acted_for = Line(
        max_length=300, blank=True, help_text="The body acted for, as the source prints it."
    )
    note = Line(blank=True, help_text="Public: named in the photograph, led the delegation.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "position": "Order of the rows.",
        "capacity": "Whether the person signed, witnessed, or was present. Whoever is only seen in "
        "a photograph was present.",
        "honorific": "What stands before the name: Dr, Mr, Adjunct Professor (Dr).",
        "note": "A remark: named in the photograph, led the delegation.",
    }

    class Meta:
        ordering = ["agreement", "position", "pk"]
        verbose_name_plural = "signatories"
        constraints = [
            models.CheckConstraint(
                condition=~Q(name="") | ~Q(post=""),
                name="signatory_name_or_post",
                violation_error_message="Give the person's name or, if it is not known, the post.",
            )
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.honorific, self.name))) or self.post
