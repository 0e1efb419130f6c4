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

from django.db import models
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
    """A record left the register while its table was being written."""


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


def _grouped(pairs: Iterable[Sequence[Any]]) -> dict[int, list[Any]]:
    """What follows the first of each row, by that first."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for owner, *values in pairs:
        groups[owner].append(values)
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
                values.insert(i, [code for _, _, code in words.get(pk, ())])
            yield owned_by, [text(value) for text, value in zip(self.texts, values, strict=True)]


class _OfAgreements(_Reader):
    """Reads what belongs to agreements."""

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in the order of the agreements."""
        slugs = dict(_register(ids).values_list("pk", "slug"))
        if len(slugs) < len(ids):
            raise RegisterChanged
        rows = _grouped(self.told(_owned(self.table.noun, ids), "agreement"))
        return [[slugs[pk], *row] for pk in ids for (row,) in rows.get(pk, ())]


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
            for row in sorted((row for (row,) in rows.get(pk, ())), key=spelled)
        ]


# --- The flat table -----------------------------------------------------------------------------


class _Dated(NamedTuple):
    """What the rule of status needs of a milestone."""

    kind: str
    date: PartialDate | None
    until: PartialDate | None


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


#: Stands in the place of a slug in an address.
_SLUG = "0"


class _Flat:
    """Reads agreements as the columns of the flat table."""

    #: The columns that stand in the agreement itself, by the field.
    OWN = {c.name: c.field for c in AGREEMENTS.columns if c.field and not c.listed}
    BOUNDS = ("signed_on_earliest", "signed_on_latest")

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
        self.arranged = itemgetter(*AGREEMENTS.header)

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in their order."""
        columns = ("signed_on", "updated_at", *self.BOUNDS, *self.OWN.values())
        agreements = {pk: values for pk, *values in _register(ids).values_list("pk", *columns)}
        if len(agreements) < len(ids):
            raise RegisterChanged

        def of(noun: type[models.Model], *columns: str) -> dict[int, list[Any]]:
            return _grouped(_owned(noun, ids).values_list("agreement", *columns))

        taking_part = _owned(Participation, ids).filter(taking_part_on(self.day))
        participants = _grouped(taking_part.values_list("agreement", "agency"))
        products = _listed(Agreement, "products", ids)
        provisions = of(Provision, "area", "depth", "commitment")
        milestones = of(Milestone, "kind", "date", "until")
        relations = of(Relation, "kind", "target__slug", "target_title")
        sources = of(Source, "url", "publisher", "title")
        former = of(FormerSlug, "slug")
        rows = []
        for pk in ids:
            signed_on, updated_at, earliest, latest, *own = agreements[pk]
            ruling = status_on(
                self.day, signed_on, [_Dated(*values) for values in milestones.get(pk, ())]
            )
            row = dict(zip(self.OWN, own, strict=True))
            row |= self._participants(participants.get(pk, ()))
            row |= self._coverage(provisions.get(pk, ()))
            row |= {
                "signed_on": signed_on.iso if signed_on else "",
                "signed_on_earliest": earliest.isoformat() if earliest else "",
                "signed_on_latest": latest.isoformat() if latest else "",
                "status": ruling.status.value,
                "status_day": self.day.isoformat(),
                "status_because": ruling.because,
                "products": joined(name for _, name, _ in products.get(pk, ())),
                "product_codes": joined(code for _, _, code in products.get(pk, ())),
                "relations": joined(
                    f"{kind}: {slug or title}" for kind, slug, title in relations.get(pk, ())
                ),
                "sources": joined(
                    url or f"{publisher}: {title}" for url, publisher, title in sources.get(pk, ())
                ),
                "url": self.before + row["id"] + self.after,
                "updated_at": updated_at.isoformat(timespec="seconds"),
                "former_slugs": joined(sorted(slug for (slug,) in former.get(pk, ()))),
            }
            rows.append(list(self.arranged(row)))
        return rows

    def _participants(self, found: Iterable[Sequence[int]]) -> dict[str, str]:
        agencies = [self.agencies[agency] for (agency,) in found]
        jurisdictions = dict.fromkeys(jurisdiction for _, jurisdiction in agencies)
        return {
            "participants": joined(name for name, _ in agencies),
            "participant_jurisdictions": joined(filter(None, jurisdictions)),
        }

    def _coverage(self, found: Iterable[Sequence[Any]]) -> dict[str, str]:
        staged: dict[Stage, list[_Provided]] = defaultdict(list)
        across: dict[str, None] = {}
        for area, depth, commitment in found:
            name, stage = self.areas[area]
            if stage:
                staged[stage].append(_Provided(stage, depth, commitment))
            else:
                across[name] = None
        return {
            **{
                column: _covered(stage, tuple(staged[stage])) if stage in staged else ""
                for stage, column in STAGE_COLUMNS.items()
            },
            "cross_cutting_areas": joined(across),
        }
