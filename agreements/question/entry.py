"""What questions see of one agreement: an entry of the index, made from its public record."""

import datetime
import json
from collections.abc import Hashable, Iterable
from functools import lru_cache
from sys import intern
from typing import Any, NamedTuple, TypeVar

from ..dates import to_partial_date
from ..models.participation import Part
from ..rules.status import Period

#: Stands first in the text of an entry. Whoever changes its form adds one.
FORMAT = 1
#: How a text begins that this version of the program can read.
OPENING = f"[{FORMAT},"
#: The fields with a list of codes by which agreements can be asked for.
CODED = ("instrument_type", "legal_nature", "text_availability", "detail_level")


Same = TypeVar("Same", bound=Hashable)


class Provided(NamedTuple):
    """A provision without its evidence. ``one_way`` are the keys of the relying and the reference
    agency."""

    area: str
    stage: str | None
    depth: str
    commitment: str
    product_codes: tuple[str, ...]
    one_way: tuple[str, str] | None


class Entry(NamedTuple):
    """A published agreement without its words. ``title`` is the one it goes by, ``known_from`` the
    first day on which anything dated happened, ``standings`` are its statuses with the day each
    begins, in order."""

    pk: int
    slug: str
    changed: datetime.datetime
    title: str
    codes: tuple[str, ...]
    signed: tuple[datetime.date, datetime.date] | None
    known_from: datetime.date | None
    parts: tuple[Part, ...]
    provisions: tuple[Provided, ...]
    scope: frozenset[str]
    standings: tuple[tuple[datetime.date, str], ...]

    @classmethod
    def read(cls, pk: int, slug: str, changed: datetime.datetime, text: str) -> "Entry":
        """The entry of an agreement from its ``as_text``."""
        _, title, codes, signed, known_from, parts, provisions, scope, standings = json.loads(text)
        return cls(
            pk,
            slug,
            changed,
            title,
            _one(tuple(codes)),
            (_day(signed[0]), _day(signed[1])) if signed else None,
            _day(known_from) if known_from else None,
            tuple(_part(*part) for part in parts),
            tuple(_provided(*row[:4], tuple(row[4]), *row[5:]) for row in provisions),
            _one(frozenset(scope)),
            tuple(_one((_day(day), status)) for day, status in standings),
        )


# Days, codes, parts and provisions repeat: what is equal is one and the same in memory.
@lru_cache(maxsize=65_536)
def _one(value: Same) -> Same:
    return value


_day = lru_cache(maxsize=65_536)(datetime.date.fromisoformat)


@lru_cache(maxsize=65_536)
def _part(agency: str, joined: str | None, left: str | None) -> Part:
    return Part(intern(agency), _day(joined) if joined else None, _day(left) if left else None)


@lru_cache(maxsize=8192)
def _provided(
    area: str,
    stage: str,
    depth: str,
    commitment: str,
    products: tuple[str, ...],
    relying: str | None,
    reference: str | None,
) -> Provided:
    return Provided(
        intern(area),
        intern(stage) or None,
        intern(depth),
        intern(commitment),
        _one(tuple(map(intern, products))),
        (intern(relying), intern(reference)) if relying and reference else None,
    )


def as_text(record: dict[str, Any], stages: dict[str, str], standings: Iterable[Period]) -> str:
    """The entry of an agreement as it is kept: a list in JSON.

    ``record`` is the public record as ``exports.record`` gives it, ``stages`` has the stage of
    each area by code, empty for one that belongs to none.
    """
    signed = to_partial_date(record["signed_on"])
    happened = [
        date.earliest
        for date in (signed, *(to_partial_date(row["date"]) for row in record["milestones"]))
        if date
    ]
    parts = [
        Part.stated(row["agency"], row["joined_on"], row["left_on"])
        for row in record["participations"]
    ]
    provisions = [
        (
            row["area"],
            stages[row["area"]],
            row["depth"],
            row["commitment"],
            row["products"],
            row["relying"],
            row["reference"],
        )
        for row in record["provisions"]
    ]
    kept = [
        FORMAT,
        record["short_title"] or record["title"],
        [record[name] for name in CODED],
        [signed.earliest, signed.latest] if signed else None,
        min(happened, default=None),
        parts,
        provisions,
        record["products"],
        [(period.from_day, period.status.value) for period in standings],
    ]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=str)
