"""Where facts come from."""

from typing import ClassVar

from django.core.validators import FileExtensionValidator
from django.db import models

from ..dates import PartialDateField
from .agency import LANGUAGE_HELP
from .agreement import Agreement
from .columns import Line, Prose, SmallNumber, WebAddress


class SourceKind(models.TextChoices):
    TEXT = "text", "Text of the instrument"
    OFFICIAL = "official", "Publication of a participant"
    OTHER_OFFICIAL = "other_official", "Publication of another public body"
    PRESS = "press", "Press or trade press"
    OTHER = "other", "Other"


class Source(models.Model):
    """A page or document in which facts about one agreement are stated.

    A page that speaks of several agreements is entered with each, so that a record stays whole
    when it is exported, restored or withdrawn (docs/adr/0003).
    """

    # The constraint on the number has an index that serves the key as well.
    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, related_name="sources", db_index=False
    )
    number = SmallNumber(
        help_text="The number readers see in brackets: [1]. Start with the strongest source."
    )
    kind = models.CharField(max_length=20, choices=SourceKind.choices, default=SourceKind.OFFICIAL)
    publisher = Line(max_length=300, help_text="Who published it.")
    title = Line(max_length=1000, blank=True, help_text="Its title, in its own language.")
    language = models.CharField(max_length=20, blank=True, help_text=LANGUAGE_HELP)
    url = WebAddress("address", blank=True)
    published_on = PartialDateField(help_text="The date the source itself bears.")
    retrieved_on = models.DateField(
        null=True, blank=True, help_text="The day somebody read it, if known."
    )
    archive_url = WebAddress("archived copy", blank=True)
    file = models.FileField(
        "stored copy",
        upload_to="sources/",
        blank=True,
        validators=[FileExtensionValidator(["pdf", "png", "jpg", "jpeg", "txt"])],
        help_text="For staff only; never published. PDF, PNG, JPEG or plain text.",
    )
    checked_at = models.DateTimeField("address last checked", null=True, editable=False)
    check_result = models.CharField(max_length=100, blank=True, editable=False)
    #: Whether the address answered when it was last checked.
    reachable = models.BooleanField(null=True, editable=False)

    MEANINGS: ClassVar[dict[str, str]] = {
        "number": "Its number within the agreement, by which the other tables name it; on the page "
        "it stands in brackets: [1].",
        "kind": "Text of the instrument, publication of a participant, of another public body, "
        "press, other.",
        "language": "Its language, as a short code: ja, ko, fr, pt.",
        "url": "Address of the page.",
        "archive_url": "Address of an archived copy.",
    }

    class Meta:
        ordering = ["agreement", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "number"],
                name="source_number_once",
                violation_error_message="Two sources of this agreement have the same number.",
            )
        ]

    def __str__(self) -> str:
        return f"[{self.number}] {self.publisher}" + (f": {self.title}" if self.title else "")


class SourcedRow(models.Model):
    """A row of an agreement that rests on one of its sources."""

    source = models.ForeignKey(
        Source,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="One of this agreement's sources. Save a new source first.",
    )
    locator = Line(
        max_length=300, blank=True, help_text="Where in the source: paragraph 4, Article 2, p. 93."
    )

    MEANINGS: ClassVar[dict[str, str]] = {
        "source": "Number of one of the agreement's sources, in the table sources.",
    }

    class Meta:
        abstract = True


class EvidenceTopic(models.TextChoices):
    TITLE = "title", "Title"
    ORIGINAL_TITLE = "original_title", "Original title"
    LEGAL_NATURE = "legal_nature", "Legal nature"
    PARTICIPANTS = "participants", "Participants"
    SIGNATORIES = "signatories", "Signatories"
    SIGNED_ON = "signed_on", "Date of signature"
    SIGNED_ON_BY_PARTICIPANT = "signed_on_by_participant", "Dates of signature by participant"
    SIGNED_AT = "signed_at", "Place of signature"
    EFFECT = "effect", "Date of effect"
    TERM = "term", "Term and expiry"
    RENEWAL = "renewal", "Renewal"
    STATUS = "status", "Status"
    EVENTS = "events", "Other events"
    RELATIONS = "relations", "Relations to other agreements"
    AREAS = "areas", "Areas and depth of cooperation"
    STAGES = "stages", "Lifecycle stages"
    PRODUCTS = "products", "Products"
    EXCLUSIONS = "exclusions", "Exclusions"
    OUTCOMES = "outcomes", "Expected outcomes"
    NOTES = "notes", "Other"


class Evidence(SourcedRow):
    """What a source says on one point of the record."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="evidence")
    topic = models.CharField(
        max_length=30, choices=EvidenceTopic.choices, help_text="The point it supports."
    )
    statement = Prose(help_text="What the source says, in your own words unless you tick below.")
    verbatim = models.BooleanField(
        "word for word", default=False, help_text="Tick for a short quotation."
    )

    MEANINGS: ClassVar[dict[str, str]] = {
        "statement": "What the source says: word for word where verbatim is true, else in the "
        "register's own words.",
        "verbatim": "true: a quotation, word for word.",
    }

    class Meta:
        ordering = ["agreement", "pk"]
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {self.statement}"
