"""Which stage of a product's life an agreement reaches, for which products, and how deeply.

Provisions in, a grid of stage by product out. The grid never overstates: a provision reaches only
the products its source gives it, an intended one stays marked as intended, and where nothing is
recorded the cell says "not stated", which is not "no".
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
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


DEPTH = {depth: rank for rank, depth in enumerate(Depth.values)}
FIRMNESS = {commitment: -rank for rank, commitment in enumerate(Commitment.values)}

#: Why coverage between agencies that was not found may yet exist.
NOT_COUNTED_YET = (
    "Between two regulators, agreements made by their governments, undated agreements and those of "
    "predecessors are not counted yet."
)

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


class Directional(Protocol):
    """What may run one way: ``one_way`` are the relying and the reference agency, None where it is
    mutual or its direction is not stated."""

    @property
    def one_way(self) -> tuple[Hashable, Hashable] | None: ...


class Directed(Reaching, Directional, Protocol):
    """What the rules of a pair need of a provision besides."""

    @property
    def area(self) -> Hashable: ...


class Held(Reaching, Protocol):
    """A provision that knows its agreement."""

    @property
    def agreement_id(self) -> Hashable: ...


def deepest_first(provision: Deep) -> tuple[int, int]:
    """Sort key: the deepest first, of two at one depth the firmer."""
    return (-DEPTH[provision.depth], -FIRMNESS[provision.commitment])


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
        return list(dict.fromkeys(map(reach_of, self._included)))

    @property
    def deepest(self) -> Reach | None:
        """The deepest reach, or None where nothing but exclusions or nothing at all is recorded."""
        return next(map(reach_of, self._included), None)

    @property
    def _included(self) -> Iterator[Reaching]:
        return (p for p in self.provisions if p.commitment != Commitment.EXCLUDED)

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


def by_stage(provisions: Iterable[Reaching]) -> tuple[Cell, ...]:
    """One cell for each stage, in order, that holds what reaches it for whatever product."""
    ordered = sorted(provisions, key=deepest_first)
    return tuple(
        Cell(stage, PRODUCTS_NOT_STATED, tuple(p for p in ordered if p.stage == stage))
        for stage in Stage
    )


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
        Row(whole.stage, tuple(cell(whole.stage, product) for product in products), whole)
        for whole in by_stage(staged)
    )
    return Grid(tuple(products), rows, tuple(p for p in ordered if not p.stage))


def reaches(
    provision: Directional, relying: Collection[Hashable], reference: Collection[Hashable]
) -> bool:
    """Whether a provision of an agreement in which both sides take part lets the agencies
    ``relying`` rely on the agencies ``reference``.

    One that is mutual, or whose direction is not stated, reaches every two participants. A one-way
    one reaches only the two it names, in that direction.
    """
    ends = provision.one_way
    return ends is None or (ends[0] in relying and ends[1] in reference)


def between(
    provision: Directional, side: Collection[Hashable], other: Collection[Hashable]
) -> bool:
    """Whether a provision reaches from one side to the other in either direction."""
    return reaches(provision, side, other) or reaches(provision, other, side)


@dataclass(frozen=True)
class Asked:
    """What one provision must meet to be counted. An empty set asks nothing."""

    product: frozenset[str] = frozenset()
    depth: frozenset[str] = frozenset()
    commitment: frozenset[str] = frozenset()
    stage: frozenset[str] = frozenset()

    def concerns(self, provision: Reaching) -> bool:
        """Whether it names a product asked for."""
        return not self.product or not self.product.isdisjoint(provision.product_codes)

    def met_by(self, provision: Reaching) -> bool:
        """Whether it meets everything and is not an exclusion."""
        return (
            provision.commitment != Commitment.EXCLUDED
            and (not self.stage or provision.stage in self.stage)
            and (not self.depth or provision.depth in self.depth)
            and (not self.commitment or provision.commitment in self.commitment)
            and self.concerns(provision)
        )

    @property
    def of_scope(self) -> bool:
        """Whether the scope of an instrument can meet it: only where nothing but products is asked
        for, and no provision need say so."""
        return not (self.stage or self.depth or self.commitment)

    def admits(self, scope: frozenset[str], provisions: Iterable[Reaching]) -> bool:
        """Whether an agreement answers, by a provision or by its scope."""
        by_scope = self.of_scope and (not self.product or not self.product.isdisjoint(scope))
        return by_scope or any(self.met_by(provision) for provision in provisions)


def reach_of(provision: Deep) -> Reach:
    """The depth and commitment of one provision."""
    return Reach(Depth(provision.depth), Commitment(provision.commitment))


def summary(provisions: Iterable[Reaching]) -> Reach:
    """The deepest reach of one or more provisions; an exclusion where there is nothing else."""
    ordered = sorted(provisions, key=deepest_first)
    said = [p for p in ordered if p.commitment != Commitment.EXCLUDED]
    return reach_of((said or ordered)[0])
