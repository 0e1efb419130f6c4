"""The shared vocabularies. A term is retired, never deleted: old records keep their words."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models

from ..rules.coverage import Stage
from .columns import Line, Prose, SmallNumber

validate_code = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*\Z", "Use small letters, digits and single hyphens."
)


class Term(models.Model):
    """A word of a vocabulary: a frozen code, a name people read, a place in the order."""

    code = models.CharField(
        max_length=60,
        unique=True,
        validators=[validate_code],
        help_text="Stands in addresses and exports. Never change it once it has been published.",
    )
    name = Line(max_length=120, unique=True, help_text="The words the public reads.")
    description = Prose(
        blank=True, help_text="What belongs here and what does not, for the next person who codes."
    )
    position = SmallNumber(default=0, help_text="Lists follow this number, then the name.")
    retired = models.BooleanField(
        default=False,
        help_text="Tick when the term should no longer be chosen. Records that have it keep it.",
    )

    MEANINGS: ClassVar[dict[str, str]] = {
        "code": "Its permanent name in addresses and exports.",
        "name": "Its name on the pages.",
        "description": "What belongs here and what does not.",
        "retired": "true: no longer chosen. Records that have it keep it.",
    }

    class Meta:
        abstract = True
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class CooperationArea(Term):
    """What the participants do together. Stands in one lifecycle stage, or in none."""

    stage = models.CharField(
        max_length=30,
        choices=Stage.choices,
        blank=True,
        help_text="The stage of a product's life this area belongs to. Leave empty for what cuts "
        "across the stages: training, emerging technology, enforcement, joint programmes.",
    )

    MEANINGS: ClassVar[dict[str, str]] = {
        "stage": "The stage of a product's life it belongs to. Empty for what cuts across the "
        "stages: training, emerging technology, enforcement, joint programmes.",
    }

    #: The stage it had in the database when it was read; None for a new one.
    stage_as_read: str | None = None

    class Meta(Term.Meta):
        verbose_name = "cooperation area"

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "CooperationArea":
        """Remember the stage: to move it changes the coverage of every agreement that has it."""
        area = super().from_db(*args, **kwargs)
        area.stage_as_read = area.__dict__.get("stage")
        return area

    @property
    def moved_to_another_stage(self) -> bool:
        """Whether it stands in another stage than when it was read."""
        return self.stage_as_read is not None and self.stage != self.stage_as_read


class ProductCategory(Term):
    """A type of health product."""

    class Meta(Term.Meta):
        verbose_name = "product category"
        verbose_name_plural = "product categories"
