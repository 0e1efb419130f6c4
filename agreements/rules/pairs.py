"""What stands between two agencies: by stage and product, by direction, and the short answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .coverage import (
    Cell,
    Directed,
    Held,
    Reach,
    Reaching,
    Stage,
    between,
    coverage,
    deepest_first,
    reach_of,
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
        alike: dict[tuple[Reach | None, bool, frozenset[Any]], tuple[list[str], list[Any]]] = {}
        for cell in cells:
            if cell.provisions:
                deepest = cell.deepest
                held: list[Any] = [
                    p for p in cell.provisions if not deepest or reach_of(p) == deepest
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
