"""The shared vocabularies. A term is retired, never deleted: old records keep their words."""

from django.core.validators import RegexValidator
from django.db import models

from ..coverage import Stage
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

    class Meta(Term.Meta):
        verbose_name = "cooperation area"


class ProductCategory(Term):
    """A type of health product."""

    class Meta(Term.Meta):
        verbose_name = "product category"
        verbose_name_plural = "product categories"
