"""What stands between a subject, an agency or a country, and each of its partners."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .coverage import (
    PRODUCTS_NOT_STATED,
    Asked,
    Cell,
    Commitment,
    Directed,
    Stage,
    between,
    deepest_first,
)


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
