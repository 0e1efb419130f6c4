"""One instrument of cooperation."""

import datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import ProtectedError, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from ..dates import PartialDateField
from ..rules.coverage import Cell, Grid, by_stage, coverage
from ..rules.status import Dated, Ruling, first_effect, status_on
from .columns import Jurisdiction, Line, Prose, WebAddress
from .querysets import AgreementQuerySet, PublicationState
from .vocabulary import ProductCategory, validate_code

if TYPE_CHECKING:
    from .participation import Participation
    from .timeline import Relation


class InstrumentType(models.TextChoices):
    """Our own word for the kind of instrument, whatever it calls itself."""

    MOC = "moc", "Memorandum of Cooperation"
    MOU = "mou", "Memorandum of Understanding"
    MRA = "mra", "Mutual recognition agreement"
    CONFIDENTIALITY = "confidentiality_arrangement", "Confidentiality arrangement"
    EXCHANGE_OF_LETTERS = "exchange_of_letters", "Exchange of letters"
    INFORMATION_EXCHANGE = "information_exchange_memorandum", "Memorandum on information exchange"
    STATEMENT = "statement_or_declaration", "Statement or declaration"
    INTENT = "letter_or_memorandum_of_intent", "Letter or memorandum of intent"
    WORK_SHARING = "work_sharing_scheme", "Work-sharing scheme"
    IMPLEMENTATION_PLAN = "implementation_plan", "Implementation plan"
    AMENDING_ACT = "amending_act", "Amending act"
    TREATY = "treaty", "Treaty"
    MEMORANDUM = "memorandum_other", "Other memorandum"
    AGREEMENT = "agreement_other", "Other agreement"


class LegalNature(models.TextChoices):
    BINDING = "binding", "Binding"
    NON_BINDING = "non_binding", "Non-binding"
    MIXED = "mixed", "Binding in part"
    NOT_STATED = "not_stated", "Not stated"


class TextAvailability(models.TextChoices):
    PUBLIC = "public", "Text is public"
    NOT_PUBLIC = "not_public", "Text is not public"
    NOT_STATED = "not_stated", "Not stated"


class DetailLevel(models.TextChoices):
    DESCRIBED = "described", "Described in its sources"
    LIST_ENTRY = "list_entry", "Known from a regulator's list only"


class WithdrawalKind(models.TextChoices):
    """Why a record that was public no longer is."""

    IN_ERROR = "published_in_error", "Published in error"
    MERGED = "merged", "Merged into another record"
    BY_PARTIES = "by_parties", "Withdrawn at the wish of the parties"


class Agreement(models.Model):
    """One instrument of cooperation, with 0 to any number of participants."""

    slug = models.CharField(
        max_length=120,
        unique=True,
        validators=[validate_code],
        blank=True,
        help_text="The page's address: participants, kind and year, for example "
        "hsa-mhlw-moc-2026. Made from the title if left empty. Frozen once published.",
    )
    title = Line(
        max_length=1000,
        help_text="The full title in English. If the source has none, describe the instrument and "
        "say so in the notes on the sources.",
    )
    short_title = Line(
        max_length=200, blank=True, help_text="A few words for lists: HSA–MHLW MOC 2026."
    )
    original_title = Line(
        max_length=1000, blank=True, help_text="The title in its original language, if not English."
    )
    original_language = models.CharField(
        max_length=20,
        blank=True,
        help_text="The original title's language code: ja, ko, fr, ar.",
    )
    instrument_type = models.CharField(
        max_length=40,
        choices=InstrumentType.choices,
        blank=True,
        help_text="Needed before it is published. Our kind, the same word for all records. Its "
        "own word for itself goes below.",
    )
    instrument_title = Line(
        max_length=200,
        blank=True,
        help_text="What the instrument calls itself: Working arrangement, Protocole d'accord.",
    )
    legal_nature = models.CharField(
        max_length=20,
        choices=LegalNature.choices,
        default=LegalNature.NOT_STATED,
        help_text="Only what a source says. An MOU is not non-binding because MOUs usually are.",
    )
    legal_nature_stated = Line(blank=True, help_text="The source's statement, in your own words.")
    summary = Prose(
        blank=True, help_text="Two or three sentences in our own words. No claim without a source."
    )
    areas_stated = Prose(
        "areas of cooperation as stated",
        blank=True,
        help_text="One phrase a line, as the sources give them. Coverage comes from provisions.",
    )
    products = models.ManyToManyField(
        ProductCategory,
        blank=True,
        related_name="agreements",
        verbose_name="products in scope",
        help_text="The scope of the instrument as a whole. What each provision reaches is recorded "
        "there and never follows from this.",
    )

    signed_on = PartialDateField(
        earliest_field="signed_on_earliest",
        latest_field="signed_on_latest",
        help_text="As the source gives it: 2010, May 2010 or 13 May 2010. If the sides signed on "
        "different days, the last; record each side's day with the participant. Leave empty if no "
        "source states it or if nothing was signed.",
    )
    signed_on_earliest = models.DateField(null=True, editable=False)
    signed_on_latest = models.DateField(null=True, editable=False)
    signed_city = Line("city of signature", max_length=120, blank=True)
    signed_country = Jurisdiction("country of signature", blank=True)
    signed_venue = Line("venue of signature", max_length=200, blank=True)
    term_stated = Line(
        "term", blank=True, help_text="How long it runs, as stated: 5 years, indefinite."
    )
    renewal_stated = Line(
        "renewal",
        blank=True,
        help_text="What is said about renewal. A renewal that took place is a milestone.",
    )
    reference_numbers = Prose(
        blank=True, help_text="Official numbers of the instrument or its announcement, one a line."
    )
    text_availability = models.CharField(
        max_length=20,
        choices=TextAvailability.choices,
        default=TextAvailability.NOT_STATED,
        help_text="Whether the text itself has been published.",
    )
    text_url = WebAddress("address of the text", blank=True)
    source_notes = Prose(
        "notes on the sources",
        blank=True,
        help_text="Public. Where sources disagree and which was followed, what could not be found.",
    )
    detail_level = models.CharField(
        max_length=20,
        choices=DetailLevel.choices,
        default=DetailLevel.DESCRIBED,
        help_text="A list entry states kind, partners and date only; it rightly has no provisions.",
    )

    staff_notes = Prose(blank=True, help_text="For staff only. Never shown or exported.")
    state = models.CharField(
        "publication state",
        max_length=20,
        choices=PublicationState.choices,
        default=PublicationState.DRAFT,
        help_text="Only published records can be seen by the public.",
    )
    withdrawal_kind = models.CharField(
        "kind of withdrawal",
        max_length=20,
        choices=WithdrawalKind.choices,
        blank=True,
        help_text="Only for a withdrawn record, which then needs one.",
    )
    withdrawal_reason = Prose(
        "reason for the withdrawal",
        blank=True,
        help_text="Public: the one text that the page of a withdrawn record shows. Repeat nothing "
        "of the record that the public should no longer read.",
    )
    withdrawn_on = models.DateField(
        null=True, blank=True, help_text="Public. Left empty, the day of the withdrawal."
    )
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Only for a merged record: the one that now holds its content.",
    )
    #: The published record of which this is the working copy.
    revises = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="working_copy",
    )
    #: Grows by one with every change, by whatever path. Every form carries it, so that nobody
    #: overwrites what a colleague saved meanwhile.
    lock_version = models.PositiveIntegerField(default=0, editable=False)
    #: The form that made the last change: sent twice, it is saved once.
    submission = models.CharField(max_length=36, null=True, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who looks after the record and is reminded of its terms.",
    )
    last_edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    #: Why it was published without a second check; empty once another person has approved it.
    unchecked_because = Line(max_length=500, blank=True, editable=False)
    first_published_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    MEANINGS: ClassVar[dict[str, str]] = {
        "slug": "The record's permanent name, also in its address.",
        "title": "The full title in English. Where no source has one, the register's own "
        "description of the instrument.",
        "short_title": "A shorter title for lists: HSA–MHLW MOC 2026.",
        "instrument_type": "The register's word for the kind of instrument, the same for all "
        "records. What it calls itself stands in instrument_title.",
        "legal_nature": "Whether it is binding, where a source says so; else not_stated. It is "
        "never concluded from the kind of instrument.",
        "legal_nature_stated": "What the source says of its legal nature, in the register's own "
        "words.",
        "summary": "What it is about, in the register's own words.",
        "areas_stated": "The areas of cooperation as the sources give them, one phrase a line. "
        "Coverage comes from the provisions, not from this.",
        "signed_on": "Date of signature as the source gives it. If the sides signed on different "
        "days, the last; each side's day stands with the participant.",
        "signed_city": "City of signature.",
        "signed_country": "Country of signature: ISO 3166-1 code or EU.",
        "signed_venue": "Venue of signature.",
        "text_url": "Where the text can be read.",
        "source_notes": "Where sources disagree, what could not be found.",
        "detail_level": "How much is known. A list_entry is known from a regulator's list only, "
        "with kind, partners and date, and rightly has no provisions.",
    }

    objects = AgreementQuerySet.as_manager()

    #: What the page of a pair of agencies shows, prefetched.
    PAIRED = (
        "products",
        "participations__agency",
        "provisions__area",
        "provisions__products",
        "provisions__relying",
        "provisions__reference",
        "provisions__source",
        "milestones__source",
        "relations",
    )
    #: Everything a record holds, prefetched.
    RELATED = (
        "products",
        "participations__agency",
        "signatories__agency",
        "provisions__area",
        "provisions__products",
        "provisions__relying",
        "provisions__reference",
        "provisions__source",
        "milestones__source",
        "relations__target",
        "relations__source",
        "outcomes__source",
        "outcomes__products",
        "outcomes__reported_source",
        "evidence__source",
        "sources",
        "former_slugs",
        "merged_into",
        "revises",
    )

    class Meta:
        ordering = [models.F("signed_on_earliest").desc(nulls_last=True), "pk"]
        permissions = [
            ("publish_agreement", "Can publish, approve, move and withdraw agreements"),
            ("import_register", "Can import records from a file"),
        ]
        indexes = [
            # On PostgreSQL, migration 0016 has made it in the very order of ``newest_first``.
            models.Index(fields=["state", "-signed_on_earliest"], name="agreement_newest"),
            models.Index(fields=["updated_at", "slug"], name="agreement_changed"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawal_kind="", withdrawal_reason="")
                | (~Q(withdrawal_kind="") & ~Q(withdrawal_reason="")),
                name="agreement_withdrawal_has_reason",
                violation_error_message="A withdrawal needs both its kind and its reason.",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(withdrawal_kind=WithdrawalKind.MERGED),
                name="agreement_merged_kind",
                violation_error_message="Only a merged record names the record it was merged into.",
            ),
        ]

    def __str__(self) -> str:
        return self.short_title or self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give it an address, and remember when it first became public and every address that it
        had since then."""
        if not self.slug:
            self.slug = self._free_address()
        if self.public and not self.first_published_at:
            self.first_published_at = timezone.now()
        if self.state == PublicationState.WITHDRAWN and not self.withdrawn_on:
            self.withdrawn_on = timezone.localdate()
        left = self._address_left()
        if left is None:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            super().save(*args, **kwargs)
            self.former_slugs.filter(slug=self.slug).delete()
            self.former_slugs.get_or_create(slug=left)

    def get_absolute_url(self) -> str:
        """Its public address. A working copy has none but that of the record it revises."""
        return reverse("agreement-detail", args=[(self.revises or self).slug])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raises ProtectedError for what was once public: it is withdrawn, never deleted."""
        if self.first_published_at:
            raise ProtectedError("What was once public is withdrawn, never deleted.", {self})
        return super().delete(*args, **kwargs)

    def clean(self) -> None:
        """Refuse an address that leads to another record, and a withdrawal told by halves."""
        former = FormerSlug.objects.filter(slug=self.slug).exclude(agreement=self.pk)
        # The address of a working copy is none that the public can know.
        self.clean_knowing(address_taken=self.revises_id is None and former.exists())

    def clean_knowing(self, *, address_taken: bool) -> None:
        """What ``clean`` refuses, for a caller who knows whether the slug leads elsewhere."""
        problems = {}
        if self.public and not self.instrument_type:
            problems["instrument_type"] = "A published record needs its kind of instrument."
        if address_taken:
            problems["slug"] = "This is the former address of another record."
        if self.state == PublicationState.WITHDRAWN:
            if not self.withdrawal_kind:
                problems["withdrawal_kind"] = "Say what kind of withdrawal it is."
            if not self.withdrawal_reason:
                problems["withdrawal_reason"] = "Tell the public why it is withdrawn."
            if self.withdrawal_kind == WithdrawalKind.MERGED and not self.merged_into_id:
                problems["merged_into"] = "Choose the record it was merged into."
        elif self.withdrawal_kind or self.withdrawn_on:
            problems["state"] = "Only a withdrawn record has a withdrawal: empty it below."
        if self.merged_into_id and self.merged_into_id == self.pk:
            problems["merged_into"] = "A record cannot be merged into itself."
        if problems:
            raise ValidationError(problems)

    def _free_address(self) -> str:
        """An address made from the title; from the kind of record if that has no Latin letters."""
        made = slugify(self.short_title or self.title)[:110].strip("-").replace("_", "-")
        made = "-".join(filter(None, made.split("-"))) or "agreement"
        taken = set(
            Agreement.objects.filter(slug__startswith=made).values_list("slug", flat=True)
        ) | set(FormerSlug.objects.filter(slug__startswith=made).values_list("slug", flat=True))
        numbered = (f"{made}-{number}" for number in count(2))
        return made if made not in taken else next(s for s in numbered if s not in taken)

    def _address_left(self) -> str | None:
        """The public address that this save gives up, if it does."""
        if not (self.pk and self.first_published_at):
            return None
        stored = Agreement.objects.filter(pk=self.pk).exclude(slug=self.slug)
        return stored.values_list("slug", flat=True).first()

    @property
    def public(self) -> bool:
        """Whether the public may see this record."""
        return self.state == PublicationState.PUBLISHED

    @property
    def title_language(self) -> str:
        """The code of the language that ``title`` is in where that is the original's, else empty:
        English. It is where the title and the original title both begin with the whole title, or
        with what the instrument calls itself."""
        openings = filter(None, (self.title, self.instrument_title))
        shared = (
            self.title.startswith(each) and self.original_title.startswith(each)
            for each in openings
        )
        return self.original_language if any(shared) else ""

    @property
    def name_language(self) -> str:
        """The same of the words that the record goes by: a short title is the register's own."""
        return "" if self.short_title else self.title_language

    @property
    def signed_in(self) -> str:
        """Where it was signed, as far as stated."""
        places = [self.signed_venue, self.signed_city, self.signed_country.name]
        return ", ".join(place for place in places if place)

    @cached_property
    def grid(self) -> Grid:
        """The coverage of this agreement: stage by product."""
        return coverage(self.provisions.all(), self.product_order)

    @cached_property
    def stages(self) -> tuple[Cell, ...]:
        """The coverage of this agreement by stage, whatever the product."""
        return by_stage(self.provisions.all())

    @property
    def product_order(self) -> list[str]:
        """The codes of the products its provisions name, in vocabulary order."""
        named = {p for provision in self.provisions.all() for p in provision.products.all()}
        return [p.code for p in sorted(named, key=lambda p: (p.position, p.name))]

    def participations_on(self, day: datetime.date) -> list["Participation"]:
        """The participants that surely stood on ``day``, in the instrument's order."""
        return [part for part in self.participations.all() if part.takes_part_on(day)]

    @property
    def public_relations(self) -> list["Relation"]:
        """Its relations, but those to records that the public may not see."""
        return [r for r in self.relations.all() if r.target is None or r.target.public]

    def first_effect_on(self, day: datetime.date) -> Dated | None:
        """The first event by ``day`` from which it counts as effective, if one is stated."""
        return first_effect(day, self.signed_on, self.milestones.all())

    def ruling_on(self, day: datetime.date) -> Ruling:
        """The status on ``day`` and the fact that decided it."""
        return status_on(day, self.signed_on, self.milestones.all())


class FormerSlug(models.Model):
    """An address that a public record once had. It leads to the present one for good."""

    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, related_name="former_slugs", db_index=False
    )
    slug = models.CharField(
        "former address",
        max_length=120,
        unique=True,
        validators=[validate_code],
        help_text="An address the record had before. Whoever follows it is led to the present one.",
    )

    class Meta:
        ordering = ["agreement", "slug"]
        # Rows are read by agreement and in this order: the index for it serves the key as well.
        indexes = [models.Index(fields=["agreement", "slug"], name="former_slug_order")]
        verbose_name = "former address"
        verbose_name_plural = "former addresses"

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Refuse an address at which a record stands."""
        self.clean_knowing(address_taken=Agreement.objects.filter(slug=self.slug).exists())

    def clean_knowing(self, *, address_taken: bool) -> None:
        """What ``clean`` refuses, for a caller who knows whether a record stands there."""
        if address_taken:
            raise ValidationError({"slug": "A record of the register has this address now."})
