"""What an agreement provides, and what its participants expect of it."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ..dates import PartialDateField
from ..rules.coverage import Commitment, Depth, Stage
from .agency import Agency
from .agreement import Agreement
from .columns import Line, Prose, SmallNumber
from .evidence import Source, SourcedRow
from .vocabulary import CooperationArea, ProductCategory


class Direction(models.TextChoices):
    MUTUAL = "mutual", "Mutual"
    ONE_WAY = "one_way", "One-way"
    NOT_STATED = "not_stated", "Not stated"


class Provision(SourcedRow):
    """What this agreement says about one cooperation area. Coverage is made of these rows."""

    agreement = models.ForeignKey(
        Agreement, on_delete=models.CASCADE, related_name="provisions", db_index=False
    )
    position = SmallNumber(default=0)
    area = models.ForeignKey(
        CooperationArea,
        on_delete=models.PROTECT,
        related_name="provisions",
        help_text="Choose an area with a stage only if the source names that stage.",
    )
    depth = models.CharField(
        max_length=30,
        choices=Depth.choices,
        help_text="The deepest the source's words allow. Recognition needs words of acceptance.",
    )
    commitment = models.CharField(
        max_length=20,
        choices=Commitment.choices,
        help_text="Could, seeks to, aims to: intended. Will, agree to: agreed. A working, dated "
        "operation: in operation.",
    )
    products = models.ManyToManyField(
        ProductCategory,
        blank=True,
        related_name="provisions",
        help_text="Only the products the same sentence gives. Leave empty if it gives none.",
    )
    direction = models.CharField(
        max_length=20, choices=Direction.choices, default=Direction.NOT_STATED
    )
    relying = models.ForeignKey(
        Agency,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="relies_in",
        verbose_name="relying agency",
        help_text="One-way only: who relies.",
    )
    reference = models.ForeignKey(
        Agency,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="relied_on_in",
        verbose_name="reference agency",
        help_text="One-way only: on whose work.",
    )
    condition = Prose(
        blank=True, help_text="Limits and reservations: routine inspections only, right to inspect."
    )
    statement = Prose(help_text="What the source says, in your own words. One sentence.")

    MEANINGS: ClassVar[dict[str, str]] = {
        "position": "Order of the rows.",
        "area": "The cooperation area it speaks of.",
        "commitment": "How firm the source's words are. Could, seeks to, aims to: intended. Will, "
        "agree to: agreed. A working, dated operation: in operation. Ruled out: excluded.",
        "products": "The products that the same sentence of the source names. Empty: it names "
        "none, and nothing follows about which.",
        "direction": "Mutual, one-way or not stated.",
        "statement": "What the source says, in the register's own words.",
    }

    class Meta:
        ordering = ["agreement", "position", "pk"]
        # Rows are read by agreement and in this order: the index for it serves the key as well.
        indexes = [models.Index(fields=["agreement", "position", "id"], name="provision_order")]
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(direction=Direction.ONE_WAY, relying__isnull=False, reference__isnull=False)
                    & ~Q(relying=F("reference"))
                )
                | (
                    ~Q(direction=Direction.ONE_WAY)
                    & Q(relying__isnull=True, reference__isnull=True)
                ),
                name="provision_one_way_names_both",
                violation_error_message="A one-way provision names the relying and the reference "
                "agency, two different ones; any other names neither.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.area}: {self.get_depth_display()}, {self.get_commitment_display().lower()}"

    @property
    def stage(self) -> str | None:
        """The stage of its area; None where the area cuts across the stages."""
        return self.area.stage or None

    @property
    def one_way(self) -> tuple[int, int] | None:
        """The ids of the relying and the reference agency of a one-way provision."""
        if self.relying_id is None or self.reference_id is None:
            return None
        return (self.relying_id, self.reference_id)

    @property
    def product_codes(self) -> list[str]:
        """The codes of the products it reaches; none where the source names no product."""
        return [product.code for product in self.products.all()]


class Outcome(SourcedRow):
    """What the participants expect; later, what was reported. Never achieved until reported."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="outcomes")
    position = SmallNumber(default=0)
    statement = Prose(
        "expected outcome",
        blank=True,
        help_text="What is expected, in your own words, with its qualifier: up to, on average.",
    )
    qualifier = Line(max_length=60, blank=True, help_text="average of, up to, at least.")
    figure = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    unit = Line(
        max_length=120, blank=True, help_text="What is counted: duplicative inspections a year."
    )
    stage = models.CharField(max_length=30, choices=Stage.choices, blank=True)
    products = models.ManyToManyField(ProductCategory, blank=True, related_name="+")
    reported = Prose(
        "reported outcome",
        blank=True,
        help_text="What a later source reports as achieved. Empty until then.",
    )
    reported_on = PartialDateField()
    reported_source = models.ForeignKey(
        Source, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    MEANINGS: ClassVar[dict[str, str]] = {
        "position": "Order of the rows.",
        "statement": "What is expected, in the register's own words, with its qualifier: up to, on "
        "average.",
        "qualifier": "How the figure is meant: average of, up to, at least.",
        "figure": "The number expected.",
        "stage": "The stage it concerns, if one.",
        "products": "The products it concerns.",
        "reported_on": "The date of the report.",
        "reported_source": "Where it was reported: number of one of the agreement's sources.",
    }

    class Meta:
        ordering = ["agreement", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(statement="") | ~Q(reported=""),
                name="outcome_expected_or_reported",
                violation_error_message="Say what is expected or what has been reported.",
            ),
            models.CheckConstraint(
                condition=Q(figure__isnull=True) | ~Q(unit=""),
                name="outcome_figure_has_unit",
                violation_error_message="A figure needs its unit.",
            ),
        ]

    def __str__(self) -> str:
        return self.statement or self.reported

    def clean(self) -> None:
        """A qualifier alone says nothing."""
        if self.qualifier and self.figure is None:
            raise ValidationError({"qualifier": "A qualifier needs a figure."})
