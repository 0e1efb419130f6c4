"""The rows of every table, read some hundred agreements at a time and without model instances.

What a column holds is said in ``tables``; status and coverage are the rules of their own rooms,
which take light rows as well as instances.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection, models
from django.db.models import Q, QuerySet

from ..coverage import Stage, by_stage
from ..dates import PartialDate
from ..models import (
    Agency,
    Agreement,
    CooperationArea,
    FormerSlug,
    Milestone,
    Participation,
    Provision,
    Relation,
    Source,
)
from ..querysets import Among, batched, in_code_order, taking_part_on
from ..status import status_on
from .cells import csv_pieces, joined
from .records import NATURAL_KEY, SPELLED, in_term_order, plain
from .tables import AGREEMENTS, STAGE_COLUMNS, Column, Table

#: Records in memory at a time. The first few are fewer, so that an answer begins at once.
_FIRST, _SEVERAL = 50, 800

Row = list[str]


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
        return map(_Flat(day, base_url).read, _few(agreements))
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


def table_csv(
    table: Table, agreements: Sequence[int], day: datetime.date, base_url: str
) -> Iterator[str]:
    """The same rows as RFC 4180 text with a byte order mark, in pieces of many lines."""
    batches = table_rows(table, agreements, day, base_url)
    return csv_pieces(table.header, (map(table.cells, batch) for batch in batches))


def row_count(table: Table, agreements: Sequence[int]) -> int:
    """How many rows ``table_rows`` gives."""
    rows = table.noun._default_manager.all()
    if table is AGREEMENTS:
        return len(agreements)
    if table.owner == "agreement":
        return sum(_owned(table.noun, few).count() for few in batched(agreements, 5000))
    if table.of_agencies:
        named = _named(agreements)
        return (rows.filter(agency__in=named.values("pk")) if table.owner else named).count()
    return rows.count()


def _few(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    if ids:
        yield ids[:_FIRST]
    yield from batched(ids[_FIRST:], _SEVERAL)


def _register(ids: Sequence[int]) -> QuerySet:
    return Agreement.objects.register().filter(Among("pk", ids)).order_by()


def _named(agreements: Sequence[int]) -> Any:
    return Agency.objects.register().named_in(agreements)


def _owned(noun: type[models.Model], agreements: Sequence[int]) -> QuerySet:
    """The rows of ``noun`` that belong to these agreements, in the order they have within one, but
    relations to records that the public may not see."""
    # The default order would first sort by the agreement.
    ordering = [each for each in noun._meta.ordering or () if each != "agreement"]
    found = noun._default_manager.filter(Among("agreement", agreements)).order_by(*ordering)
    if noun is Relation:
        found = found.filter(Q(target=None) | Q(target__in=Agreement.objects.register()))
    return found


def _grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    """The rows by what stands first in each."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def _listed(noun: type[models.Model], name: str, ids: Sequence[int]) -> dict[int, list[Any]]:
    """The words of a vocabulary that each row names, in the order of the vocabulary: position,
    name, code."""
    field: Any = noun._meta.get_field(name)
    owner, word = field.m2m_field_name(), field.m2m_reverse_field_name()
    links = field.remote_field.through._default_manager.filter(Among(owner, ids))
    columns = (f"{word}__{column}" for column in ("position", "name", "code"))
    # Sorted here: databases differ in the order of names.
    return _grouped(sorted(links.values_list(owner, *columns), key=itemgetter(1, 2)))


class _Reader:
    """Reads rows of one noun as the columns of its table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.columns = table.columns[bool(table.owner) :]
        self.paths = [self._path(column) for column in self.columns if not column.listed]
        self.lists = [(i, column) for i, column in enumerate(self.columns) if column.listed]
        self.texts = [column.text for column in self.columns]

    def _path(self, column: Column) -> str:
        if column.derived:
            return self.table.worked_out[column.name]
        field: Any = self.table.noun._meta.get_field(column.field)
        key = NATURAL_KEY[field.related_model] if field.is_relation else ""
        return f"{column.field}__{key}" if key else column.field

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows with these ids, in their order."""
        found = self.table.noun._default_manager.filter(pk__in=ids).order_by()
        rows = dict(self.told(found, "pk"))
        return [rows[pk] for pk in ids if pk in rows]

    def told(self, found: QuerySet, owner: str) -> Iterator[tuple[int, Row]]:
        """Each row with what stands in its column ``owner``."""
        rows = list(found.values_list("pk", owner, *self.paths))
        ids = [row[0] for row in rows]
        lists = [(i, _listed(self.table.noun, c.field, ids)) for i, c in self.lists]
        for pk, owned_by, *values in rows:
            values = list(map(plain, values))
            for i, words in lists:
                values.insert(i, [code for *_, code in words.get(pk, ())])
            yield owned_by, [text(value) for text, value in zip(self.texts, values, strict=True)]


class _OfAgreements(_Reader):
    """Reads what belongs to agreements."""

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in the order of the agreements."""
        slugs = dict(_register(ids).values_list("pk", "slug"))
        if len(slugs) < len(ids):
            raise RegisterChanged
        rows = _grouped(self.told(_owned(self.table.noun, ids), "agreement"))
        return [[slugs[pk], *row] for pk in ids for _, row in rows.get(pk, ())]


class _OfAgencies(_Reader):
    """Reads the other names of agencies."""

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The names of these agencies, in the order of the agencies, then of their spelling."""
        keys = dict(Agency.objects.filter(pk__in=ids).values_list("pk", "key"))
        names = self.table.noun._default_manager.filter(agency__in=ids).order_by("pk")
        spelled = itemgetter(self.table.header.index(SPELLED[self.table.relation]) - 1)
        rows = _grouped(self.told(names, "agency"))
        return [
            [keys[pk], *row]
            for pk in ids
            for row in sorted((row for _, row in rows.get(pk, ())), key=spelled)
        ]


# --- The flat table -----------------------------------------------------------------------------


class _Dated(NamedTuple):
    """What the rule of status needs of a milestone."""

    kind: str
    date: PartialDate | None
    until: PartialDate | None

    @classmethod
    def stored(cls, kind: str, date: str | None, until: str | None) -> "_Dated":
        """From what the columns hold."""
        parse = PartialDate.parse
        return cls(kind, parse(date) if date else None, parse(until) if until else None)


class _Provided(NamedTuple):
    """What the coverage of a stage, whatever the product, needs of a provision."""

    stage: Stage
    depth: str
    commitment: str

    @property
    def product_codes(self) -> tuple[str, ...]:
        return ()


@lru_cache(maxsize=8192)
def _covered(stage: Stage, provided: tuple[_Provided, ...]) -> str:
    """The coverage of one stage, in words. Different agreements often provide the same."""
    return next(str(cell) for cell in by_stage(provided) if cell.stage == stage)


class _Stored:
    """Rows that belong to agreements, as the database holds them: numbers, codes and text, which
    need no conversion. The question is put into SQL once, and asked again with other ids."""

    def __init__(self, owned: QuerySet, *columns: str) -> None:
        self.sql, self.parameters = owned.values_list("agreement", *columns).query.sql_with_params()
        self.place = self.parameters.index(Among.text(()))

    def __call__(self, ids: Sequence[int]) -> dict[int, list[Any]]:
        """The rows of these agreements, by agreement."""
        parameters = list(self.parameters)
        parameters[self.place] = Among.text(ids)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            return _grouped(cursor.fetchall())


#: Stands in the place of a slug in an address.
_SLUG = "0"


class _Flat:
    """Reads agreements as the columns of the flat table."""

    #: The columns that stand in the agreement itself, by the field.
    OWN = {
        column.name: column.field
        for column in AGREEMENTS.columns
        if column.field and not column.listed and column.field != "signed_on"
    }
    #: What is read of the agreement besides.
    APART = ("signed_on", "signed_on_earliest", "signed_on_latest", "updated_at", "slug", "pk")
    #: The other columns, in the order in which they are worked out.
    DERIVED = (
        "signed_on",
        "signed_on_earliest",
        "signed_on_latest",
        "updated_at",
        "url",
        "status",
        "status_day",
        "status_because",
        "participants",
        "participant_jurisdictions",
        *STAGE_COLUMNS.values(),
        "cross_cutting_areas",
        "products",
        "product_codes",
        "relations",
        "sources",
        "former_slugs",
    )

    def __init__(self, day: datetime.date, base_url: str) -> None:
        self.day = day
        address = base_url + Agreement(slug=_SLUG).get_absolute_url()
        self.before, _, self.after = address.rpartition(_SLUG)
        self.agencies = {
            agency.pk: (agency.short_name, str(agency.jurisdiction))
            for agency in Agency.objects.only("name", "acronym", "jurisdiction")
        }
        self.areas = {
            pk: (name, Stage(stage) if stage else None)
            for pk, name, stage in CooperationArea.objects.values_list("pk", "name", "stage")
        }
        places = {name: place for place, name in enumerate((*self.OWN, *self.DERIVED))}
        self.arranged = itemgetter(*(places[name] for name in AGREEMENTS.header))
        taking_part = _owned(Participation, ()).filter(taking_part_on(day))
        self.participations = _Stored(taking_part, "agency")
        self.provisions = _Stored(_owned(Provision, ()), "area", "depth", "commitment")
        self.milestones = _Stored(_owned(Milestone, ()), "kind", "date", "until")
        self.relations = _Stored(_owned(Relation, ()), "kind", "target__slug", "target_title")
        self.sources = _Stored(_owned(Source, ()), "url", "publisher", "title")
        self.former_slugs = _Stored(_owned(FormerSlug, ()), "slug")

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in their order."""
        # A tuple for each row, its parts in the order of DERIVED: anything else costs as much
        # again as all the rest.
        found = _register(ids).values_list(*self.OWN.values(), *self.APART)
        agreements = {row[-1]: row for row in found}
        if len(agreements) < len(ids):
            raise RegisterChanged
        own, apart = slice(0, len(self.OWN)), slice(len(self.OWN), -1)
        milestones, participations = self.milestones(ids), self.participations(ids)
        provisions, products = self.provisions(ids), _listed(Agreement, "products", ids)
        relations, sources = self.relations(ids), self.sources(ids)
        former_slugs = self.former_slugs(ids)
        rows = []
        for pk in ids:
            agreement = agreements[pk]
            scope = products.get(pk, ())
            row = (
                *agreement[own],
                *self._apart(*agreement[apart]),
                *self._status(agreement[apart][0], milestones.get(pk, ())),
                *self._participants(participations.get(pk, ())),
                *self._coverage(provisions.get(pk, ())),
                joined([name for _, _, name, _ in scope]),
                joined([code for *_, code in scope]),
                joined([f"{kind}: {slug or t}" for _, kind, slug, t in relations.get(pk, ())]),
                joined([url or f"{p}: {title}" for _, url, p, title in sources.get(pk, ())]),
                joined(sorted([slug for _, slug in former_slugs.get(pk, ())])),
            )
            rows.append(list(self.arranged(row)))
        return rows

    def _apart(
        self,
        signed_on: PartialDate | None,
        earliest: datetime.date | None,
        latest: datetime.date | None,
        updated_at: datetime.datetime,
        slug: str,
    ) -> tuple[str, ...]:
        return (
            signed_on.iso if signed_on else "",
            earliest.isoformat() if earliest else "",
            latest.isoformat() if latest else "",
            updated_at.isoformat(timespec="seconds"),
            self.before + slug + self.after,
        )

    def _status(self, signed_on: PartialDate | None, found: Iterable[Any]) -> tuple[str, ...]:
        dated = [_Dated.stored(*stored) for _, *stored in found]
        ruling = status_on(self.day, signed_on, dated)
        return ruling.status.value, self.day.isoformat(), ruling.because

    def _participants(self, found: Iterable[Any]) -> tuple[str, str]:
        agencies = [self.agencies[agency] for _, agency in found]
        jurisdictions = dict.fromkeys([jurisdiction for _, jurisdiction in agencies])
        return joined([name for name, _ in agencies]), joined(filter(None, jurisdictions))

    def _coverage(self, found: Iterable[Any]) -> Iterator[str]:
        staged: dict[Stage, list[_Provided]] = {}
        across: dict[str, None] = {}
        for _, area, depth, commitment in found:
            name, stage = self.areas[area]
            if stage:
                staged.setdefault(stage, []).append(_Provided(stage, depth, commitment))
            else:
                across[name] = None
        for stage in STAGE_COLUMNS:
            yield _covered(stage, tuple(staged[stage])) if stage in staged else ""
        yield joined(across)
