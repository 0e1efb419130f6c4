"""What a later agreement states otherwise than an earlier one."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from .coverage import (
    DEPTH,
    FIRMNESS,
    PRODUCTS_NOT_STATED,
    Commitment,
    Directed,
    Reach,
    Stage,
    summary,
)


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
        return FIRMNESS[self.after.commitment] - FIRMNESS[self.before.commitment]


def changes(
    before: Iterable[Directed], after: Iterable[Directed], product_order: Sequence[str] = ()
) -> list[Change]:
    """What ``after`` states otherwise than ``before``: by stage and product, products with the same
    change together, then by cross-cutting area. The deepest reach of each is compared.
    """
    old, new = _points(before), _points(after)
    order = {code: rank for rank, code in enumerate(product_order)}
    stages = {None: len(Stage)} | {stage: rank for rank, stage in enumerate(Stage)}

    def place(point: tuple[Stage | None, Hashable]) -> tuple[int, int, str]:
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
        deeper = DEPTH[after.depth] > DEPTH[before.depth]
        return ChangeKind.DEEPENED if deeper else ChangeKind.LESSENED
    firmer = FIRMNESS[after.commitment] > FIRMNESS[before.commitment]
    return ChangeKind.FIRMER if firmer else ChangeKind.LESSENED
