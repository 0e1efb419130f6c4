"""The rows of every table, read some hundred agreements at a time and without model instances.

What a column holds is said in ``tables``. The lines of the flat table are kept (``flat``); the rows
of the others are read.
"""

import datetime
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet

from ..models import Agency, Agreement, Digest
from ..models.querysets import AgencyQuerySet, Among, batched, in_code_order
from .cells import BYTE_ORDER_MARK, csv_rows, csv_text
from .flat import flat_text
from .records import SPELLED, in_term_order
from .rows import grouped, owned, rows_of
from .tables import AGREEMENTS, Table

#: Records in memory at a time. The first few are fewer, so that an answer begins at once.
#: PostgreSQL compiles a question about more than some 1,200 before it answers, which takes longer.
_FIRST, _SEVERAL = 50, 1000

Row = Sequence[str]


class RegisterChanged(Exception):
    """The register changed while it was being written: what there is so far is no answer."""


def table_rows(
    table: Table, agreements: Sequence[int], day: datetime.date, base_url: str
) -> Iterator[list[Row]]:
    """The rows of a table that belong to these agreements (by id), in their order, as plain text.

    In batches. ``agencies`` and ``agency_names`` are those that the agreements name, by key; the
    vocabularies are always whole. ``day`` is the day a status is told for. Raises RegisterChanged
    when an agreement is no longer in the register: what was given so far is then not the answer.
    """
    if table is AGREEMENTS:
        for few in _few(agreements):
            yield [table.texts(row) for row in csv_rows(_flat_text(few, day, base_url))]
    else:
        yield from _read_rows(table, agreements)


def table_pieces(
    table: Table, agreements: Sequence[int], day: datetime.date, base_url: str
) -> Iterator[tuple[str, int]]:
    """The same rows as RFC 4180 text, in pieces of many lines: each with the number of its rows."""
    if table is AGREEMENTS:
        for few in _few(agreements):
            yield _flat_text(few, day, base_url), len(few)
    else:
        for rows in _read_rows(table, agreements):
            yield csv_text(map(table.cells, rows)), len(rows)


def table_csv(
    table: Table, agreements: Sequence[int], day: datetime.date, base_url: str
) -> Iterator[str]:
    """The whole table as RFC 4180 text with a byte order mark, in pieces."""
    yield BYTE_ORDER_MARK + csv_text([table.header])
    for text, _ in table_pieces(table, agreements, day, base_url):
        yield text


def _flat_text(agreements: Sequence[int], day: datetime.date, base_url: str) -> str:
    kept = Digest.objects.filter(Among("pk", agreements)).order_by().values_list("pk", "line")
    # What left the register has an empty one.
    lines = {pk: line for pk, line in kept if line}
    try:
        return flat_text([lines[pk] for pk in agreements], day, base_url)
    except KeyError as error:
        raise RegisterChanged from error


def _read_rows(table: Table, agreements: Sequence[int]) -> Iterator[list[Row]]:
    if table.owner == "agreement":
        return map(_OfAgreements(table).read, _few(agreements))
    if table.of_agencies:
        named = _named(agreements)
        ids = list(named.order_by(in_code_order(named, "key")).values_list("pk", flat=True))
        reader: _Reader = _OfAgencies(table) if table.owner else _Reader(table)
    else:
        terms: Any = table.noun._default_manager.all()
        ids = [term.pk for term in in_term_order(terms)]
        reader = _Reader(table)
    return map(reader.read, batched(ids, _SEVERAL))


def row_count(table: Table, agreements: Sequence[int]) -> int:
    """How many rows ``table_rows`` gives."""
    rows = table.noun._default_manager.all()
    if table is AGREEMENTS:
        return len(agreements)
    if table.owner == "agreement":
        return sum(owned(table.noun, few).count() for few in batched(agreements, 5000))
    if table.of_agencies:
        named = _named(agreements)
        return (rows.filter(agency__in=named.values("pk")) if table.owner else named).count()
    return rows.count()


def _few(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    if ids:
        yield ids[:_FIRST]
    yield from batched(ids[_FIRST:], _SEVERAL)


def _register(ids: Sequence[int]) -> QuerySet[Agreement]:
    return Agreement.objects.register().filter(Among("pk", ids)).order_by()


def _named(agreements: Sequence[int]) -> AgencyQuerySet:
    return Agency.objects.register().named_in(agreements)


class _Reader:
    """Reads rows of one noun as the columns of its table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        columns = table.columns[bool(table.owner) :]
        self.fields = [column.field or table.worked_out[column.name] for column in columns]
        self.texts = [column.text for column in columns]

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows with these ids, in their order."""
        found = self.table.noun._default_manager.filter(pk__in=ids).order_by()
        rows = dict(self.told(found, "pk"))
        return [rows[pk] for pk in ids if pk in rows]

    def told(self, found: QuerySet[Any], owner: str) -> Iterator[tuple[int, Row]]:
        """Each row with what stands in its column ``owner``."""
        for owned_by, values in rows_of(self.table.noun, self.fields, found, owner):
            yield owned_by, [text(value) for text, value in zip(self.texts, values, strict=True)]


class _OfAgreements(_Reader):
    """Reads what belongs to agreements."""

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in the order of the agreements."""
        slugs = dict(_register(ids).values_list("pk", "slug"))
        if len(slugs) < len(ids):
            raise RegisterChanged
        rows = grouped(self.told(owned(self.table.noun, ids), "agreement"))
        return [[slugs[pk], *row] for pk in ids for _, row in rows.get(pk, ())]


class _OfAgencies(_Reader):
    """Reads the other names of agencies."""

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The names of these agencies, in the order of the agencies, then of their spelling."""
        keys = dict(Agency.objects.filter(pk__in=ids).values_list("pk", "key"))
        names = self.table.noun._default_manager.filter(agency__in=ids).order_by("pk")
        spelled = itemgetter(self.table.header.index(SPELLED[self.table.relation]) - 1)
        rows = grouped(self.told(names, "agency"))
        return [
            [keys[pk], *row]
            for pk in ids
            for row in sorted((row for _, row in rows.get(pk, ())), key=spelled)
        ]
