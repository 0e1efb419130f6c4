"""Which stage of a product's life an agreement reaches, for which products, and how deeply.

Provisions in, a grid of stage by product out. The grid never overstates: a provision reaches only
the products its source gives it, an intended one stays marked as intended, and where nothing is
recorded the cell says "not stated", which is not "no".
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any, Protocol

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


class Directed(Reaching, Protocol):
    """What the rules of a pair need of a provision besides. ``one_way`` are the relying and the
    reference agency, None where it is mutual or its direction is not stated."""

    @property
    def area(self) -> Hashable: ...
    @property
    def one_way(self) -> tuple[Hashable, Hashable] | None: ...


class Held(Reaching, Protocol):
    """A provision that knows its agreement."""

    @property
    def agreement_id(self) -> Hashable: ...


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
        found = (_reach(p) for p in self.provisions if p.commitment != Commitment.EXCLUDED)
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
    provision: Directed, relying: Collection[Hashable], reference: Collection[Hashable]
) -> bool:
    """Whether a provision of an agreement in which both sides take part lets the agencies
    ``relying`` rely on the agencies ``reference``.

    One that is mutual, or whose direction is not stated, reaches every two participants. A one-way
    one reaches only the two it names, in that direction.
    """
    ends = provision.one_way
    return ends is None or (ends[0] in relying and ends[1] in reference)


def between(provision: Directed, side: Collection[Hashable], other: Collection[Hashable]) -> bool:
    """Whether a provision reaches from one side to the other in either direction."""
    return reaches(provision, side, other) or reaches(provision, other, side)


@dataclass(frozen=True)
class Instrument:
    """One agreement as the table of partners needs it: who takes part on the day (``members``, by
    the key of the agency), the products of its ``scope``, its provisions without their evidence."""

    slug: str
    title: str
    members: frozenset[str]
    scope: frozenset[str]
    provisions: tuple[Directed, ...]


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


@dataclass(frozen=True)
class PartnerCell:
    """What stands with one partner at one stage.

    ``agreements`` are the slugs of those that count; an exclusion never does. ``unmatched`` is true
    where something is recorded, but nothing of the depth or commitment asked for.
    """

    whole: Cell
    agreements: tuple[str, ...]
    unmatched: bool

    def __str__(self) -> str:
        if self.unmatched:
            return "No match"
        words = [str(self.whole.deepest)] if self.whole.deepest else []
        return "; ".join(words + ["Excluded"] * self.whole.excluded) or "Not stated"


@dataclass(frozen=True)
class Partner:
    """One row: the partner's key, every agreement that answers, the five stages, and the
    agreements that state no stage."""

    key: str
    agreements: tuple[str, ...]
    cells: tuple[PartnerCell, ...]
    without_stage: tuple[str, ...]


_EVERYTHING = Asked()


def partners(
    instruments: Iterable[Instrument],
    subject: Collection[str],
    side_of: Mapping[str, str],
    asked: Asked = _EVERYTHING,
) -> dict[str, Partner]:
    """What stands between ``subject`` and each of its partners, by the partner's key.

    ``side_of`` gives the partner that an agency belongs to: itself, or its country. An agency that
    is not in it is no partner. Partners with which nothing asked for stands are left out, unless
    something is excluded.
    """
    sides: dict[str, set[str]] = {}
    for agency, key in side_of.items():
        sides.setdefault(key, set()).add(agency)
    shared: dict[str, list[Instrument]] = {}
    for instrument in instruments:
        for key in {side_of[member] for member in instrument.members if member in side_of}:
            shared.setdefault(key, []).append(instrument)
    rows = (_partner(key, each, subject, sides[key], asked) for key, each in shared.items())
    return {
        row.key: row
        for row in rows
        if row.agreements or any(cell.whole.excluded for cell in row.cells)
    }


def _partner(
    key: str,
    instruments: Sequence[Instrument],
    subject: Collection[str],
    side: Collection[str],
    asked: Asked,
) -> Partner:
    reaching = [
        (each, [p for p in each.provisions if between(p, subject, side)]) for each in instruments
    ]
    counted = [(each, found) for each, found in reaching if asked.admits(each.scope, found)]

    def cell(stage: Stage) -> PartnerCell:
        here = [
            (each.slug, p)
            for each, found in reaching
            for p in found
            if p.stage == stage and asked.concerns(p)
        ]
        met = [(slug, p) for slug, p in here if asked.met_by(p)]
        shown = [p for _, p in met]
        shown += [p for _, p in here if p.commitment == Commitment.EXCLUDED]
        whole = Cell(stage, PRODUCTS_NOT_STATED, tuple(sorted(shown, key=deepest_first)))
        return PartnerCell(
            whole, tuple(dict.fromkeys(slug for slug, _ in met)), bool(here) and not shown
        )

    return Partner(
        key,
        tuple(each.slug for each, _ in counted),
        tuple(cell(stage) for stage in Stage),
        tuple(each.slug for each, found in counted if not any(p.stage for p in found)),
    )


@dataclass(frozen=True)
class PairRow:
    """Products that have the same provisions at one stage of a pair: those that reach in ``both``
    directions, and those that let only the ``left`` or only the ``right`` rely on the other."""

    products: tuple[str, ...]
    both: tuple[Directed, ...]
    left: tuple[Directed, ...]
    right: tuple[Directed, ...]

    @property
    def lines(self) -> int:
        """How many lines of a table it takes: one for both directions, one for the one-way."""
        return bool(self.both) + bool(self.left or self.right)


@dataclass(frozen=True)
class Answer:
    """The deepest reach of some products at one stage, and the provisions that say so. ``reach`` is
    None where nothing but exclusions is recorded; ``partly`` is true where something is excluded
    beside the reach."""

    reach: Reach | None
    products: tuple[str, ...]
    provisions: tuple[Reaching, ...]
    partly: bool


def pair(
    provisions: Iterable[Directed], left: int, right: int, product_order: Sequence[str] = ()
) -> list[tuple[Stage, list[PairRow]]]:
    """The stages of a pair of agencies, each with its provisions by product; no rows where nothing
    is stated. ``provisions`` are those of agreements in which both take part. Products that have
    the very same provisions stand together."""
    reaching = [p for p in provisions if between(p, [left], [right])]

    def rows(cells: Iterable[Cell]) -> list[PairRow]:
        alike: dict[tuple[Any, ...], list[str]] = {}
        for cell in cells:
            if cell.provisions:
                alike.setdefault(cell.provisions, []).append(cell.product)
        return [row(tuple(products), found) for found, products in alike.items()]

    def row(products: tuple[str, ...], found: tuple[Any, ...]) -> PairRow:
        return PairRow(
            products,
            tuple(p for p in found if p.one_way is None),
            tuple(p for p in found if p.one_way == (left, right)),
            tuple(p for p in found if p.one_way == (right, left)),
        )

    return [(each.stage, rows(each.cells)) for each in coverage(reaching, product_order).rows]


def answers(
    provisions: Iterable[Held], product_order: Sequence[str] = ()
) -> list[tuple[Stage, list[Answer]]]:
    """The short answer for each stage: the deepest reach, with the products it holds for.

    Products stand together when the same agreements say the same of them. No answers at a stage
    mean that nothing is stated.
    """

    def told(cells: Iterable[Cell]) -> list[Answer]:
        alike: dict[tuple[Reach | None, bool, frozenset], tuple[list[str], list[Any]]] = {}
        for cell in cells:
            if cell.provisions:
                deepest = cell.deepest
                held: list[Any] = [
                    p for p in cell.provisions if not deepest or _reach(p) == deepest
                ]
                partly = cell.excluded and deepest is not None
                key = (deepest, partly, frozenset(p.agreement_id for p in held))
                products, saying = alike.setdefault(key, ([], []))
                products.append(cell.product)
                saying += held
        found = [
            Answer(deepest, tuple(products), tuple(dict.fromkeys(saying)), partly)
            for (deepest, partly, _), (products, saying) in alike.items()
        ]
        return sorted(found, key=lambda a: (a.reach is None, a.reach and deepest_first(a.reach)))

    return [(row.stage, told(row.cells)) for row in coverage(provisions, product_order).rows]


def _reach(provision: Deep) -> Reach:
    return Reach(Depth(provision.depth), Commitment(provision.commitment))


def summary(provisions: Iterable[Reaching]) -> Reach:
    """The deepest reach of one or more provisions; an exclusion where there is nothing else."""
    ordered = sorted(provisions, key=deepest_first)
    said = [p for p in ordered if p.commitment != Commitment.EXCLUDED]
    return _reach((said or ordered)[0])


class ChangeKind(StrEnum):
    """What a later agreement does to a point of an earlier one."""

    ADDED = "added"
    DEEPENED = "deepened"
    FIRMER = "firmer"
    LESSENED = "lessened"
    EXCLUDED = "excluded"
    NO_LONGER_STATED = "no_longer_stated"


@dataclass(frozen=True)
class Change:
    """One difference, at a ``stage`` for ``products`` or in a cross-cutting ``area``.

    ``before`` or ``after`` is None where nothing is stated there.
    """

    kind: ChangeKind
    stage: Stage | None
    products: tuple[str, ...]
    area: Hashable
    before: Reach | None
    after: Reach | None

    @property
    def words(self) -> str:
        """What happened, without praise: what gets deeper may get less firm."""
        if self.kind is ChangeKind.DEEPENED and self._firmness < 0:
            return "Deeper, though less firm"
        if self.kind is ChangeKind.LESSENED and self._firmness > 0:
            return "Shallower, though firmer"
        return {
            ChangeKind.ADDED: "Added",
            ChangeKind.DEEPENED: "Deeper",
            ChangeKind.FIRMER: "Firmer",
            ChangeKind.LESSENED: "Less firm" if self._firmness < 0 else "Shallower",
            ChangeKind.EXCLUDED: "Now excluded",
            ChangeKind.NO_LONGER_STATED: "No longer stated",
        }[self.kind]

    @property
    def _firmness(self) -> int:
        if self.before is None or self.after is None:
            return 0
        return _FIRMNESS[self.after.commitment] - _FIRMNESS[self.before.commitment]


def changes(
    before: Iterable[Directed], after: Iterable[Directed], product_order: Sequence[str] = ()
) -> list[Change]:
    """What ``after`` states otherwise than ``before``: by stage and product, products with the same
    change together, then by cross-cutting area. The deepest reach of each is compared.
    """
    old, new = _points(before), _points(after)
    order = {code: rank for rank, code in enumerate(product_order)}
    stages = {None: len(Stage)} | {stage: rank for rank, stage in enumerate(Stage)}

    def place(point: tuple[Stage | None, Hashable]) -> tuple:
        stage, subject = point
        # A provision without products stands last, as in the grid.
        rank = order.get(str(subject), len(order)) if subject else len(order) + 1
        return (stages[stage], rank, str(subject))

    found = [
        (kind, point, old.get(point), new.get(point))
        for point in sorted(old.keys() | new.keys(), key=place)
        if (kind := _kind(old.get(point), new.get(point)))
    ]
    kinds = list(ChangeKind)
    found.sort(
        key=lambda each: (stages[each[1][0]], kinds.index(each[0]), str(each[2]), str(each[3]))
    )
    told = []
    for (stage, kind, was, now), same in groupby(
        found, lambda each: (each[1][0], each[0], each[2], each[3])
    ):
        subjects = [subject for _, (_, subject), _, _ in same]
        if stage:
            told.append(Change(kind, stage, tuple(map(str, subjects)), None, was, now))
        else:
            told += [Change(kind, None, (), area, was, now) for area in subjects]
    return told


def _points(provisions: Iterable[Directed]) -> dict[tuple[Stage | None, Hashable], Reach]:
    """The deepest reach of every stage and product, and of every cross-cutting area."""
    held: dict[tuple[Stage | None, Hashable], list[Directed]] = {}
    for provision in provisions:
        stage = Stage(provision.stage) if provision.stage else None
        subjects: Sequence[Hashable] = provision.product_codes or (PRODUCTS_NOT_STATED,)
        for subject in subjects if stage else (provision.area,):
            held.setdefault((stage, subject), []).append(provision)
    return {point: summary(found) for point, found in held.items()}


def _kind(before: Reach | None, after: Reach | None) -> ChangeKind | None:
    excluded = [
        each is not None and each.commitment == Commitment.EXCLUDED for each in (before, after)
    ]
    if before == after or all(excluded):
        return None
    if after is None:
        return ChangeKind.NO_LONGER_STATED
    if excluded[1]:
        return ChangeKind.EXCLUDED
    if before is None or excluded[0]:
        return ChangeKind.ADDED
    if before.depth != after.depth:
        deeper = _DEPTH[after.depth] > _DEPTH[before.depth]
        return ChangeKind.DEEPENED if deeper else ChangeKind.LESSENED
    firmer = _FIRMNESS[after.commitment] > _FIRMNESS[before.commitment]
    return ChangeKind.FIRMER if firmer else ChangeKind.LESSENED
