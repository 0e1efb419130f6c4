"""Which agreements meet what is asked of their provisions, counted by stage, depth and product."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from ..rules.coverage import Asked
from .entry import Provided
from .index import Bitmaps


class Point(NamedTuple):
    """What one provision, or several alike, say of one product; "" where they name none."""

    stage: str | None
    depth: str
    commitment: str
    product: str

    @property
    def product_codes(self) -> tuple[str, ...]:
        """The product, as the rule of coverage has it."""
        return (self.product,) if self.product else ()


def points(provision: Provided) -> Iterator[Point]:
    """What a provision says: a point for each product, one where it names none."""
    for product in provision.product_codes or ("",):
        yield Point(provision.stage, provision.depth, provision.commitment, product)


class Reach:
    """Agreements by what their provisions say, and by the products of their scope."""

    def __init__(self, said: Bitmaps[Point], scope: Bitmaps[str]) -> None:
        self._said, self._scope = said, scope
        # Most questions ask nothing of provisions, or the same as another one.
        self._by_value = lru_cache(maxsize=16)(self._values)

    @cached_property
    def staged(self) -> int:
        """Those that say anything of a stage, be it an exclusion."""
        return self._said.any(point for point in self._said if point.stage)

    def meeting(self, asked: Asked) -> int:
        """Those that answer: ``Asked.admits``."""
        by_scope = self._scope.any(asked.product) if asked.of_scope else 0
        return by_scope | self._said.any(point for point in self._said if asked.met_by(point))

    def counted(self, name: str, asked: Asked, among: int) -> dict[str, int]:
        """Value of ``name`` (a field of ``Point``) -> how many of ``among`` would answer if that
        were asked for instead."""
        return self._by_value(name, replace(asked, **{name: frozenset()})).counted(among)

    def _values(self, name: str, others: Asked) -> Bitmaps[str]:
        """Value of ``name`` -> those that answer with it, whatever else is asked."""
        found: Bitmaps[str] = Bitmaps()
        if name == "product" and others.of_scope:
            found |= self._scope
        for point, bits in self._said.items():
            if others.met_by(point):
                found[getattr(point, name) or ""] |= bits
        return found
