"""Which stage of a product's life an agreement reaches, for which products, and how deeply.

Provisions in, a grid of stage by product out. The grid never overstates: a provision reaches only
the products its source gives it, an intended one stays marked as intended, and where nothing is
recorded the cell says "not stated", which is not "no".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import TextChoices


class Stage(TextChoices):
    """The stages of a product's life, in order, with the function of the WHO Global Benchmarking
    Tool (GBT) that each stands for."""

    CLINICAL_TRIALS = "clinical_trials_review", "Clinical trials review"  # GBT: CT
    PRODUCT_REVIEW = "product_review", "Product review"  # GBT: MA
    REGISTRATION = "registration", "Registration"  # GBT: MA
    MANUFACTURING = "manufacturing", "Manufacturing"  # GBT: RI, LI
    POST_MARKET = "post_market_oversight", "Post-market oversight"  # GBT: VL, MC


class Depth(TextChoices):
    """How far cooperation goes, shallowest first (WHO TRS 1033, Annex 10)."""

    DIALOGUE = "dialogue", "Dialogue"
    INFORMATION_EXCHANGE = "information_exchange", "Information exchange"
    WORK_SHARING = "work_sharing", "Work-sharing"
    RELIANCE = "reliance", "Reliance"
    RECOGNITION = "recognition", "Recognition"


class Commitment(TextChoices):
    """How firmly it is promised, firmest first. Nothing recorded is "not stated"."""

    IN_OPERATION = "in_operation", "In operation"
    AGREED = "agreed", "Agreed"
    INTENDED = "intended", "Intended"
    EXCLUDED = "excluded", "Excluded"


_DEPTH = {depth: rank for rank, depth in enumerate(Depth.values)}
_FIRMNESS = {commitment: -rank for rank, commitment in enumerate(Commitment.values)}

#: The column of provisions whose source names no product.
PRODUCTS_NOT_STATED = ""


class Deep(Protocol):
    """What has a depth and a commitment."""

    @property
    def depth(self) -> str: ...
    @property
    def commitment(self) -> str: ...


class Reaching(Deep, Protocol):
    """What the rule needs of a provision. ``stage`` is None in a cross-cutting area;
    ``product_codes`` are none where the source names no product."""

    @property
    def stage(self) -> str | None: ...
    @property
    def product_codes(self) -> Sequence[str]: ...


def deepest_first(provision: Deep) -> tuple[int, int]:
    """Sort key: the deepest first, of two at one depth the firmer."""
    return (-_DEPTH[provision.depth], -_FIRMNESS[provision.commitment])


@dataclass(frozen=True)
class Reach:
    """One depth and how firmly it is promised."""

    depth: Depth
    commitment: Commitment

    def __str__(self) -> str:
        return f"{self.depth.label}, {self.commitment.label.lower()}"


@dataclass(frozen=True)
class Cell:
    """Every provision that reaches one stage and product, deepest first."""

    stage: Stage
    product: str
    provisions: tuple[Reaching, ...] = ()

    @property
    def reaches(self) -> list[Reach]:
        """The different depths and commitments here, deepest first, exclusions apart."""
        found = (
            Reach(Depth(p.depth), Commitment(p.commitment))
            for p in self.provisions
            if p.commitment != Commitment.EXCLUDED
        )
        return list(dict.fromkeys(found))

    @property
    def deepest(self) -> Reach | None:
        """The deepest reach, or None where nothing but exclusions or nothing at all is recorded."""
        return next(iter(self.reaches), None)

    @property
    def excluded(self) -> bool:
        """Whether the agreement says of something here that it does not cover it."""
        return any(p.commitment == Commitment.EXCLUDED for p in self.provisions)

    def __str__(self) -> str:
        words = [str(reach) for reach in self.reaches] + ["Excluded"] * self.excluded
        return "; ".join(words) or "Not stated"


@dataclass(frozen=True)
class Row:
    """One stage: its cell for each product, and all of them together."""

    stage: Stage
    cells: tuple[Cell, ...]
    whole: Cell


@dataclass(frozen=True)
class Grid:
    """Stage by product. ``products`` are the column codes; the last may be PRODUCTS_NOT_STATED."""

    products: tuple[str, ...]
    rows: tuple[Row, ...]
    cross_cutting: tuple[Reaching, ...]

    @property
    def stated(self) -> bool:
        """Whether any stage is reached or excluded at all."""
        return any(row.whole.provisions for row in self.rows)


def coverage(provisions: Iterable[Reaching], product_order: Sequence[str] = ()) -> Grid:
    """The grid of stage by product for ``provisions``.

    Columns stand in ``product_order`` (vocabulary order); codes it does not name follow in
    alphabetical order. A provision without products has a column of its own and never spreads.
    """
    ordered = sorted(provisions, key=deepest_first)
    staged = [p for p in ordered if p.stage]
    order = {code: rank for rank, code in enumerate(product_order)}
    codes = {code for p in staged for code in p.product_codes}
    products = sorted(codes, key=lambda code: (order.get(code, len(order)), code))
    if any(not p.product_codes for p in staged):
        products.append(PRODUCTS_NOT_STATED)

    def cell(stage: Stage, product: str) -> Cell:
        reaching = (
            p
            for p in staged
            if p.stage == stage and (product in (p.product_codes or (PRODUCTS_NOT_STATED,)))
        )
        return Cell(stage, product, tuple(reaching))

    rows = tuple(
        Row(
            stage,
            tuple(cell(stage, product) for product in products),
            Cell(stage, PRODUCTS_NOT_STATED, tuple(p for p in staged if p.stage == stage)),
        )
        for stage in Stage
    )
    return Grid(tuple(products), rows, tuple(p for p in ordered if not p.stage))
