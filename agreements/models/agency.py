"""The bodies that take part in agreements, and the names they have borne."""

import datetime
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse

from ..dates import PartialDateField
from .columns import Jurisdiction, Line, Prose, WebAddress
from .querysets import AgencyQuerySet
from .vocabulary import validate_code

LANGUAGE_HELP = "The language's short code: ja, ko, fr, pt. Screen readers need it."


class AgencyKind(models.TextChoices):
    REGULATOR = "regulator", "Regulator"
    MINISTRY = "ministry", "Ministry"
    STATE = "state", "State or government"
    INTERGOVERNMENTAL = "intergovernmental", "Intergovernmental body"
    REPRESENTATIVE_OFFICE = "representative_office", "Representative office"
    TRADE_MINISTRY = "trade_ministry", "Trade or economic ministry"
    ETHICS_COMMITTEE = "ethics_committee", "Ethics committee"
    STANDARDS_BODY = "standards_body", "Standards body"


class Agency(models.Model):
    """A regulator, ministry, state, intergovernmental body or representative office."""

    key = models.CharField(
        max_length=60,
        unique=True,
        validators=[validate_code],
        help_text="Stands in the agency's address and in exports, for example hsa or sfda-sa. "
        "Never change it once it has been published.",
    )
    name = Line(max_length=300, help_text="The present name in English.")
    acronym = Line(max_length=40, blank=True, help_text="As the agency writes it: HSA, Swissmedic.")
    native_name = Line(max_length=300, blank=True, help_text="The name in the agency's language.")
    native_language = models.CharField(max_length=20, blank=True, help_text=LANGUAGE_HELP)
    jurisdiction = Jurisdiction(
        blank=True,
        help_text="The country or territory, by its own ISO 3166 code (HK and TW have one), or "
        "European Union. Leave empty for other intergovernmental bodies.",
    )
    kind = models.CharField(max_length=30, choices=AgencyKind.choices)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The body this one belongs to, if any: PMDA belongs to MHLW.",
    )
    website = WebAddress(blank=True)
    name_supplied = models.BooleanField(
        "English name supplied by the register",
        default=False,
        help_text="Tick when no source gives an English name and this one is our translation.",
    )
    note = Prose(blank=True, help_text="Shown to the public beside the name.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "key": "The agency's permanent name in addresses and exports: hsa, sfda-sa.",
        "native_language": "The language of native_name, as a short code: ja, ko, fr, pt.",
        "jurisdiction": "The country or territory, by its own ISO 3166-1 code (HK and TW have "
        "one), or EU. Empty for other intergovernmental bodies.",
        "kind": "What sort of body it is.",
        "website": "Its own site.",
        "name_supplied": "true: no source gives an English name, this is a translation.",
        "note": "A remark.",
    }

    objects = AgencyQuerySet.as_manager()

    class Meta:
        ordering = ["name", "key"]
        verbose_name_plural = "agencies"

    def __str__(self) -> str:
        return f"{self.name} ({self.acronym})" if self.acronym else self.name

    def get_absolute_url(self) -> str:
        return reverse("agency-detail", args=[self.key])

    @property
    def short_name(self) -> str:
        """The acronym where there is one, else the name."""
        return self.acronym or self.name

    @property
    def names_in_time(self) -> list["AgencyName"]:
        """Its other names, former ones first; in each kind by the days they were used, as far as
        these are known, then as they are spelled."""
        kinds = AgencyNameKind.values

        def place(name: "AgencyName") -> tuple[int, bool, datetime.date, bool, str]:
            used = name.used_from or name.used_until
            first = used.earliest if used else datetime.date.max
            return (kinds.index(name.kind), not used, first, bool(name.used_from), name.name)

        return sorted(self.names.all(), key=place)

    def clean(self) -> None:
        """Refuse a chain of parents that comes back to this agency."""
        seen = {self.pk}
        above = self.parent
        while above and above.pk not in seen:
            seen.add(above.pk)
            above = above.parent
        self.clean_knowing(leads_back=above is not None)

    def clean_knowing(self, *, leads_back: bool) -> None:
        """What ``clean`` refuses, for a caller who has followed the parents."""
        if leads_back:
            raise ValidationError(
                {"parent": "An agency cannot belong to itself, directly or through others."}
            )


class AgencyNameKind(models.TextChoices):
    FORMER = "former", "Former name"
    ABBREVIATION = "abbreviation", "Abbreviation"
    OTHER_SCRIPT = "other_script", "Name in another language or script"
    VARIANT = "variant", "Variant spelling"


class AgencyName(models.Model):
    """Another name by which an agency is or was known. Search and import match on it."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, related_name="names")
    name = Line(max_length=300)
    kind = models.CharField(max_length=20, choices=AgencyNameKind.choices)
    language = models.CharField(max_length=20, blank=True, help_text=LANGUAGE_HELP)
    used_from = PartialDateField(help_text="When the name came into use, as far as it is known.")
    used_until = PartialDateField(help_text="When it was given up, as far as it is known.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "name": "The other name.",
        "kind": "Former name, abbreviation, other language or script, variant.",
        "language": "The language of the name, as a short code: ja, ko, fr, pt.",
    }

    class Meta:
        ordering = ["agency", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"],
                name="agency_name_once",
                violation_error_message="This agency already has this name.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a name given up before it came into use."""
        if self.used_from and self.used_until and self.used_until.latest < self.used_from.earliest:
            raise ValidationError({"used_until": "The name ends before it begins."})
