"""The lines of the flat table: made of a record when it changes, and kept until it is asked for.

A line is kept in pieces. First those that hold whatever is asked: what stands before, between and
after the columns that depend on the day, and what follows the host. Then the turns that the others
take, the latest first, each in four pieces: the day on which it begins, the participants, the
status, and the sentence on it. All are RFC 4180 text. Before each stands one and the same
character, which none of them holds: which one it is, its place at the head of the line tells.
"""

import datetime
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from ..dates import to_partial_date
from ..models.participation import Part
from ..rules.coverage import Stage, by_stage
from ..rules.status import rulings
from .cells import csv_line, guard, joined
from .records import Record, address_of, life_of
from .tables import AGREEMENTS, STAGE_COLUMNS

#: The columns that depend on the question, in three places.
_ASKED = (
    ("participants", "participant_jurisdictions"),
    ("status", "status_day", "status_because"),
    ("url",),
)
#: Where the columns stand that do not: before, between and after these.
_ENDS = [AGREEMENTS.header.index(each[0]) for each in _ASKED] + [None]
_BEGINNINGS = [0] + [AGREEMENTS.header.index(each[-1]) + 1 for each in _ASKED]
_RUNS = [slice(*run) for run in zip(_BEGINNINGS, _ENDS, strict=True)]
#: The columns that stand in the agreement itself.
_OWN = [
    column
    for column in AGREEMENTS.columns
    if column.field and column.field not in ("products", "former_slugs")
]


class Names(NamedTuple):
    """What stands behind keys and codes: the short name and the jurisdiction of agencies, the name
    and the stage of areas (empty for one that belongs to none), the names of products."""

    agencies: Mapping[str, tuple[str, str]]
    areas: Mapping[str, tuple[str, str]]
    products: Mapping[str, str]


def flat_line(record: Record, names: Names) -> str:
    """The line of a public record (``Digest.record``), as it is kept."""
    texts = _constant(record, names)
    cells = AGREEMENTS.cells([texts.get(name, "") for name in AGREEMENTS.header])
    before, between, after, rest = (csv_line(cells[run]) for run in _RUNS)
    pieces = [f"{before},", f",{between},", f",{after},", f"{address_of(record)},{rest}\r\n"]
    for turn in reversed(_turns(record, names)):
        pieces += turn
    text = "".join(pieces)
    mark = next(mark for mark in map(chr, count(1)) if mark not in text)
    return mark + mark.join(pieces)


def flat_text(lines: Iterable[str], day: datetime.date, base_url: str) -> str:
    """Lines as they stand in the table of ``day`` at ``base_url``."""
    today = day.isoformat()
    told = []
    for line in lines:
        _, before, between, after, rest, *turns = line.split(line[0])
        at = 0
        while turns[at] > today:
            at += 4
        status = f"{turns[at + 2]},{today},{turns[at + 3]}"
        told.append(f"{before}{turns[at + 1]}{between}{status}{after}{base_url}{rest}")
    return "".join(told)


def _constant(record: Record, names: Names) -> dict[str, str]:
    """The columns that neither the day nor the host changes, as text."""
    signed = to_partial_date(record["signed_on"])
    provided = [
        (*names.areas[row["area"]], row["depth"], row["commitment"]) for row in record["provisions"]
    ]
    unstaged = dict.fromkeys(name for name, stage, *_ in provided if not stage)
    return {column.name: column.text(record[column.field]) for column in _OWN} | {
        "signed_on_earliest": str(signed.earliest) if signed else "",
        "signed_on_latest": str(signed.latest) if signed else "",
        **_covered(tuple(provision[1:] for provision in provided if provision[1])),
        "cross_cutting_areas": joined(unstaged),
        "products": joined(names.products[code] for code in record["products"]),
        "product_codes": joined(record["products"]),
        "relations": joined(
            f"{row['kind']}: {row['target'] or row['target_title']}" for row in record["relations"]
        ),
        "sources": joined(
            row["url"] or f"{row['publisher']}: {row['title']}" for row in record["sources"]
        ),
        "updated_at": record["updated_at"],
        "former_slugs": joined(row["slug"] for row in record["former_slugs"]),
    }


class _Provided(NamedTuple):
    """What the coverage of a stage, whatever the product, needs of a provision."""

    stage: str
    depth: str
    commitment: str

    @property
    def product_codes(self) -> tuple[str, ...]:
        return ()


@lru_cache(maxsize=8192)
def _covered(provided: tuple[tuple[str, str, str], ...]) -> dict[str, str]:
    """The coverage of each stage, in words. Different agreements often provide the same."""
    return {
        STAGE_COLUMNS[Stage(cell.stage)]: str(cell) if cell.provisions else ""
        for cell in by_stage(_Provided(*each) for each in provided)
    }


def _turns(record: Record, names: Names) -> list[tuple[str, str, str, str]]:
    """What depends on the day, from each day on which a ruling begins, or somebody surely joined or
    may have left."""
    parts = [
        Part.stated(row["agency"], row["joined_on"], row["left_on"])
        for row in record["participations"]
    ]
    ruled = dict(rulings(*life_of(record)))
    moved = {day for part in parts for day in (part.joined, part.left) if day}
    ruling = ruled[datetime.date.min]
    turns = []
    for day in sorted(ruled.keys() | moved):
        ruling = ruled.get(day, ruling)
        present = [names.agencies[part.agency] for part in parts if part.on(day)]
        participants = [
            joined([name for name, _ in present]),
            joined(filter(None, dict.fromkeys(jurisdiction for _, jurisdiction in present))),
        ]
        turns.append(
            (
                day.isoformat(),
                csv_line(map(guard, participants)),
                ruling.status.value,
                csv_line([ruling.because]),
            )
        )
    return turns
