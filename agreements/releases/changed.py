"""What changed between two data packages, read side by side and one record at a time."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ..exports import TABLES, Record, Table
from ..record.differences import differences, in_one_line

#: Follow from the day and the place of the export, or from changes that are not public.
_NO_CHANGE = {"status_day", "updated_at", "url"}
#: Begins what is told of a record that has another address now; its former one follows.
MOVED = "moved from "
_KINDS = ("added", "changed", "withdrawn")
#: The tables whose rows are records; the rows of the others belong to one.
_RECORDS = [name for name, table in TABLES.items() if not table.owner]

Row = dict[str, str]
Changes = dict[str, dict[str, list[dict[str, str]]]]


def changes(before: Path, after: Path) -> Changes:
    """What the package ``after`` has that ``before`` has not, and the other way round.

    Empty if nothing differs but the day, the site's address and the time of the last change. New
    columns, and tables, are a change of their own, told under ``columns``. Agreements are read in
    step, so that memory does not grow with the register.
    """
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        found = {name: _of_records(name, old, new) for name in _RECORDS if _header(old, name)}
        columns = [
            {"id": f"{name}.{column}"}
            for name, table in TABLES.items()
            for column in table.header
            if column not in _header(old, name)
        ]
    told: Changes = {name: each for name, each in found.items() if any(each.values())}
    if columns:
        told["columns"] = {"added": columns, "changed": [], "withdrawn": []}
    return told


def _of_records(
    name: str, old: zipfile.ZipFile, new: zipfile.ZipFile
) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {kind: [] for kind in _KINDS}
    came: dict[str, _Record] = {}
    gone: dict[str, _Record] = {}
    with ExitStack() as stack:
        for was, now in _in_step(_records(name, old, stack), _records(name, new, stack)):
            if was is None and now is not None:
                came[now.key] = now
            elif was is not None and now is None:
                gone[was.key] = was
            elif was and now and (what := _what(name, was, now)):
                found["changed"].append({"id": now.key, "what": what})
    for key, now in came.items():
        # A record that moved is the one that stood at its former address.
        former = [each for each in now.former if each in gone]
        if former:
            was = gone.pop(former[0])
            words = [MOVED + was.key, _what(name, _moved(was, now), now)]
            found["changed"].append({"id": key, "what": "; ".join(filter(None, words))})
        else:
            found["added"].append({"id": key})
    found["withdrawn"] = [{"id": key} for key in gone]
    found["changed"].sort(key=itemgetter("id"))
    return found


class _Record:
    """One record of a package: its own row and the rows that belong to it, by table."""

    def __init__(self, key: str, rows: dict[str, list[Row]], former: list[str]) -> None:
        self.key, self.rows, self.former = key, rows, former


def _moved(was: _Record, now: _Record) -> _Record:
    """The agreement as it was, had it stood at its present address already."""
    (own,) = now.rows["agreements"]
    address = {"id": own["id"], "former_slugs": own["former_slugs"]}
    rows = {
        table: [row | {"agreement": now.key} for row in rows] for table, rows in was.rows.items()
    }
    return _Record(
        now.key, rows | {"agreements": [was.rows["agreements"][0] | address]}, was.former
    )


def _what(name: str, was: _Record, now: _Record) -> str:
    """What differs, in a few words; empty if nothing does, or only in a table that is new."""
    now = _Record(now.key, {table: now.rows[table] for table in was.rows}, now.former)
    differing = dict.fromkeys(
        column for table in now.rows for column in _differing(table, was.rows, now.rows)
    )
    if not differing:
        return ""
    noun = TABLES[name].noun
    recorded = in_one_line(differences(_plain(name, was), _plain(name, now), model=noun))
    status = "status" if "status" in differing else ""
    # Where nothing recorded differs, a name or a rule elsewhere does, from which these follow.
    return "; ".join(filter(None, [recorded, status])) or ", ".join(differing)


def _differing(table: str, was: dict[str, list[Row]], now: dict[str, list[Row]]) -> list[str]:
    """The columns in which these rows differ; a column that only one package has is none."""
    if len(was[table]) != len(now[table]):
        return [table]
    pairs = list(zip(was[table], now[table], strict=True))
    return [
        column
        for column in TABLES[table].header
        if column not in _NO_CHANGE
        and any(column in old and old[column] != new[column] for old, new in pairs)
    ]


def _plain(name: str, record: _Record) -> Record:
    """The record as ``exports.record`` gives it."""
    (row,) = record.rows[name]
    plain = _values(TABLES[name], row)
    if name == "agreements":
        plain["former_slugs"] = [{"slug": slug} for slug in plain["former_slugs"]]
    for table, rows in record.rows.items():
        if table != name:
            plain[TABLES[table].relation] = [_values(TABLES[table], each) for each in rows]
    return plain


def _values(table: Table, row: Row) -> Record:
    return {
        column.field: column.value(row[column.name])
        for column in table.read_back
        if column.name in row
    }


# --- Reading ------------------------------------------------------------------------------------


def _in_step(
    old: Iterator[_Record], new: Iterator[_Record]
) -> Iterator[tuple[_Record | None, _Record | None]]:
    """Each record of either side with the one of the same key on the other; both are in order."""
    was, now = next(old, None), next(new, None)
    while was or now:
        if now is None or (was and was.key < now.key):
            yield was, None
            was = next(old, None)
        elif was is None or now.key < was.key:
            yield None, now
            now = next(new, None)
        else:
            yield was, now
            was, now = next(old, None), next(new, None)


def _records(name: str, archive: zipfile.ZipFile, stack: ExitStack) -> Iterator[_Record]:
    """The records of a table, by key, each with what belongs to it."""
    table = TABLES[name]
    (key,) = table.key
    owned = {
        other: _Owned(groupby(_rows(archive, other, stack), key=itemgetter(each.owner)))
        for other, each in TABLES.items()
        if each.owner == table.noun._meta.model_name and _header(archive, other)
    }
    rows: Iterable[Row] = _rows(archive, name, stack)
    if name in ("areas", "products"):
        # A vocabulary is short, and in an order of its own.
        rows = sorted(rows, key=itemgetter(key))
    former = next((c for c in table.columns if c.field == "former_slugs"), None)
    for row in rows:
        moved = former.value(row[former.name]) if former else []
        belonging = {other: each.take(row[key]) for other, each in owned.items()}
        yield _Record(row[key], {name: [row], **belonging}, moved)


class _Owned:
    """The rows of a table that belong to one record after the other."""

    def __init__(self, groups: Iterator[tuple[str, Iterator[Row]]]) -> None:
        self.groups = groups
        self.ahead = self._next()

    def _next(self) -> tuple[str, list[Row]] | None:
        return next(((key, list(rows)) for key, rows in self.groups), None)

    def take(self, key: str) -> list[Row]:
        """The rows of this record, which has not been asked for before."""
        if self.ahead is None or self.ahead[0] != key:
            return []
        rows = self.ahead[1]
        self.ahead = self._next()
        return rows


def _rows(archive: zipfile.ZipFile, name: str, stack: ExitStack) -> "csv.DictReader[str]":
    file = stack.enter_context(archive.open(f"{name}.csv"))
    return csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))


def _header(archive: zipfile.ZipFile, name: str) -> list[str]:
    """The names of the columns; none where the table is newer than the package."""
    if f"{name}.csv" not in archive.namelist():
        return []
    with ExitStack() as stack:
        return list(_rows(archive, name, stack).fieldnames or ())
