"""The rows of a posted form, put in order before Django reads them.

Django believes the numbers a form states: a row that a colleague deleted meanwhile, or a forged
count, would end in an error page. Pure functions on the posted values.
"""

import re
from collections.abc import Iterable, Mapping

from django.http import QueryDict

#: A form states at most so many rows of one kind; Django's own limit is 2000.
MOST_ROWS = 1000
Row = dict[str, list[str]]


def with_plain_lines(data: QueryDict) -> QueryDict:
    """A mutable copy in which lines end as they are stored: browsers send two characters, and a
    text that nobody touched would count as changed."""
    copy = data.copy()
    for key, values in data.lists():
        copy.setlist(key, [str(value).replace("\r\n", "\n") for value in values])
    return copy


def rows_of(data: QueryDict, prefix: str) -> list[Row]:
    """The rows posted under ``prefix``, each by the names of its fields."""
    stated = data.get(f"{prefix}-TOTAL_FORMS", "")
    total = min(int(stated), MOST_ROWS) if re.fullmatch(r"\d{1,6}", str(stated), re.ASCII) else 0
    rows: list[Row] = [{} for _ in range(total)]
    pattern = re.compile(rf"{re.escape(prefix)}-(\d{{1,4}})-(.+)", re.ASCII)
    for key, values in data.lists():
        if (match := pattern.fullmatch(key)) and int(match[1]) < total:
            rows[int(match[1])][match[2]] = [str(value) for value in values]
    return rows


def put_rows(data: QueryDict, prefix: str, stored: list[Row], new: list[Row]) -> None:
    """Replace the rows under ``prefix``: those that stand for stored ones first, as Django reads
    them. ``data`` must be mutable."""
    for key in [key for key in data if re.match(rf"{re.escape(prefix)}-\d+-", key)]:
        del data[key]
    for number, row in enumerate([*stored, *new]):
        for name, values in row.items():
            data.setlist(f"{prefix}-{number}-{name}", values)
    data[f"{prefix}-TOTAL_FORMS"] = str(len(stored) + len(new))
    data[f"{prefix}-INITIAL_FORMS"] = str(len(stored))


def in_order(
    rows: list[Row], known: Iterable[int], theirs: Mapping[int, Row]
) -> tuple[list[Row], list[Row], int]:
    """The rows that stand for stored ones, in the stored order, then the new ones; and how many
    were about rows that are gone, which have become new ones.

    ``known`` are the keys of the stored rows. ``theirs`` are stored rows that the form does not
    show; they are put in their place as they are stored.
    """
    by_key: dict[int, Row] = {}
    new: list[Row] = []
    gone = 0
    keys = set(known)
    for row in rows:
        typed = "".join(row.get("id", [""])).strip()
        key = int(typed) if re.fullmatch(r"\d{1,18}", typed, re.ASCII) else -1
        if key in keys and key not in by_key:
            by_key[key] = row
            continue
        fresh = {name: values for name, values in row.items() if name not in ("id", "gone")}
        if typed:
            gone += 1
            fresh["gone"] = ["1"]
        new.append(fresh)
    by_key |= {key: row for key, row in theirs.items() if key not in by_key}
    return [by_key[key] for key in known if key in by_key], new, gone
