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
from django.db.models import (
    Case,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Replace

from ..coverage import Stage, by_stage
from ..dates import PartialDate
from ..models import (
    Agency,
    Agreement,
    CooperationArea,
    FormerSlug,
    Milestone,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Source,
)
from ..querysets import Among, batched, in_code_order, taking_part_on
from ..status import Event, status_on
from .cells import LIST_SEPARATOR, csv_pieces, joined
from .records import NATURAL_KEY, SPELLED, in_term_order, plain
from .tables import AGREEMENTS, STAGE_COLUMNS, Column, Table

#: Records in memory at a time. The first few are fewer, so that an answer begins at once.
#: PostgreSQL compiles a question about more than some 1,200 before it answers, which takes longer.
_FIRST, _SEVERAL = 50, 600

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


def _rows(noun: type[models.Model]) -> QuerySet:
    """The rows of ``noun`` in the order they have within an agreement, but relations to records
    that the public may not see."""
    # The default order would first sort by the agreement.
    ordering = [each for each in noun._meta.ordering or () if each != "agreement"]
    found = noun._default_manager.order_by(*ordering)
    if noun is Relation:
        public = Agreement.objects.register().filter(pk=OuterRef("target"))
        found = found.filter(Q(target=None) | Exists(public))
    return found


def _owned(noun: type[models.Model], agreements: Sequence[int]) -> QuerySet:
    """The rows of ``noun`` that belong to these agreements."""
    return _rows(noun).filter(Among("agreement", agreements))


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


#: Parts what the database tells of several rows, and of one. No code, number or date holds either.
_ROWS, _VALUES = ";", " "


class _Texts(Subquery):
    """The texts of the rows that belong to an agreement, in their order, as one text; empty where
    there are none."""

    output_field = TextField()

    def __init__(self, rows: QuerySet, text: Any, separator: str) -> None:
        of_it = rows.filter(agreement=OuterRef("pk")).values(told=text)
        super().__init__(of_it, separator=separator)

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        told = "(SELECT group_concat(told, '%(separator)s') FROM (%(subquery)s))"
        return self.as_sql(compiler, connection, template=f"coalesce({told}, '')")

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        told = "array_to_string(ARRAY(%(subquery)s), '%(separator)s')"
        return self.as_sql(compiler, connection, template=told)


class _Second(Func):
    """A time to the second, in ISO 8601."""

    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra_context: Any) -> Any:
        # Stored as "2026-04-20 08:30:00.123456", in UTC.
        template = "replace(substr(%(expressions)s, 1, 19), ' ', 'T') || '+00:00'"
        return self.as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        told = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')"""
        return self.as_sql(compiler, connection, template=told)


def _told(*parts: Any, by: str = _VALUES) -> Func:
    joiner = f" || '{by}' || "
    return Func(*parts, template="(%(expressions)s)", arg_joiner=joiner, output_field=TextField())


def _stated(column: str) -> Coalesce:
    return Coalesce(Cast(column, TextField()), Value(""), output_field=TextField())


def _coded(rows: QuerySet, *parts: Any) -> _Texts:
    """The codes, numbers and dates of some rows, to be worked on."""
    return _Texts(rows, _told(*parts), _ROWS)


def _listed_in_cell(rows: QuerySet, text: Any) -> _Texts:
    """The rows as ``joined`` has them."""
    for character in ("\\", "|"):
        escaped = Value("\\" + character)
        text = Replace(text, Value(character), escaped, output_field=TextField())
    return _Texts(rows, text, LIST_SEPARATOR)


@lru_cache(maxsize=65_536)
def _dated(told: str) -> Event:
    kind, date, until = told.split(_VALUES)
    parse = PartialDate.parse
    return Event(kind, parse(date) if date else None, parse(until) if until else None)


@lru_cache(maxsize=65_536)
def _signed(told: str) -> tuple[PartialDate | None, tuple[str, str, str]]:
    """A date of signature, and its columns: as it is recorded, its first and its last day."""
    if not told:
        return None, ("", "", "")
    signed = PartialDate.parse(told)
    return signed, (told, signed.earliest.isoformat(), signed.latest.isoformat())


class _Provided(NamedTuple):
    """What the coverage of a stage, whatever the product, needs of a provision."""

    stage: Stage
    depth: str
    commitment: str

    @property
    def product_codes(self) -> tuple[str, ...]:
        return ()


@lru_cache(maxsize=8192)
def _covered(provided: tuple[_Provided, ...]) -> str:
    """The coverage of their stage, in words. Different agreements often provide the same."""
    return next(str(cell) for cell in by_stage(provided) if cell.provisions)


#: Where the cross-cutting areas stand: after the stages.
_NO_STAGE = len(STAGE_COLUMNS)
#: Stands in the place of a slug in an address.
_SLUG = "0"


class _Flat:
    """Reads agreements as the columns of the flat table, each batch with one question.

    The question is put into SQL once and asked again with other ids. Its answers are text, which
    needs no conversion: what is left to do for each row decides how long a download takes.
    """

    #: The columns that stand in the agreement itself, by the field.
    OWN = {
        column.name: column.field
        for column in AGREEMENTS.columns
        if column.field and not column.listed and column.field != "signed_on"
    }
    #: The other columns that come as they stand in the cell.
    TOLD = ("url", "updated_at", "relations", "sources", "former_slugs")
    #: What is read besides: what the rest is worked out from, and the agreement's id.
    READ = ("signature", "milestones", "participations", "provisions", "scope", "pk")
    #: The columns that are worked out, in the order in which they are.
    DERIVED = (
        "signed_on",
        "signed_on_earliest",
        "signed_on_latest",
        "status",
        "status_because",
        "status_day",
        "participants",
        "participant_jurisdictions",
        *STAGE_COLUMNS.values(),
        "cross_cutting_areas",
        "products",
        "product_codes",
    )

    def __init__(self, day: datetime.date, base_url: str) -> None:
        self.day, self.today = day, day.isoformat()
        address = base_url + Agreement(slug=_SLUG).get_absolute_url()
        self.address = address.rpartition(_SLUG)
        # Names are kept as they stand in a list.
        self.agencies = {
            str(agency.pk): (joined([agency.short_name]), str(agency.jurisdiction))
            for agency in Agency.objects.only("name", "acronym", "jurisdiction")
        }
        self.areas = {
            str(pk): (joined([name]), Stage(stage) if stage else None)
            for pk, name, stage in CooperationArea.objects.values_list("pk", "name", "stage")
        }
        self.products = {str(product.pk): product for product in ProductCategory.objects.all()}
        columns = (*self.OWN, *self.TOLD, *self.READ, *self.DERIVED)
        places = {name: place for place, name in enumerate(columns)}
        self.arranged = itemgetter(*(places[name] for name in AGREEMENTS.header))
        # Different agreements often say the same.
        self.provided = lru_cache(maxsize=4096)(self._provided)
        self.scope = lru_cache(maxsize=4096)(self._scope)
        self.sql, self.parameters = self._question().query.sql_with_params()
        self.place = self.parameters.index(Among.text(()))

    def _question(self) -> QuerySet:
        """What is read of agreements: OWN, TOLD, and what the rest is worked out from."""
        before, _, after = self.address
        relations, former_slugs = _rows(Relation), _rows(FormerSlug)
        other = Coalesce("target__slug", "target_title", output_field=TextField())
        untitled = _told("publisher", "title", by=": ")
        address = Case(When(url="", then=untitled), default="url", output_field=TextField())
        return _register(()).values_list(
            *self.OWN.values(),
            _told(Value(before), "slug", Value(after), by=""),
            _Second("updated_at"),
            _listed_in_cell(relations, _told("kind", other, by=": ")),
            _listed_in_cell(_rows(Source), address),
            _listed_in_cell(former_slugs.order_by(in_code_order(former_slugs, "slug")), F("slug")),
            _stated("signed_on"),
            _coded(_rows(Milestone), "kind", _stated("date"), _stated("until")),
            _coded(_rows(Participation).filter(taking_part_on(self.day)), "agency"),
            _coded(_rows(Provision), "area", "depth", "commitment"),
            _coded(Agreement.products.through.objects.all(), "productcategory"),
            "pk",
        )

    def read(self, ids: Sequence[int]) -> list[Row]:
        """The rows of these agreements, in their order."""
        parameters = list(self.parameters)
        parameters[self.place] = Among.text(ids)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            found = cursor.fetchall()
        told = len(self.OWN) + len(self.TOLD)
        try:
            rows = {row[-1]: self.arranged(row + self._derived(*row[told:-1])) for row in found}
            return [rows[pk] for pk in ids]
        except KeyError as error:
            # An agreement is no longer in the register, or names what is newer than this answer.
            raise RegisterChanged from error

    def _derived(
        self,
        signed_on: str,
        milestones: str,
        participations: str,
        provisions: str,
        products: str,
    ) -> tuple[str, ...]:
        signed, signature = _signed(signed_on)
        ruling = status_on(self.day, signed, map(_dated, _parted(milestones)))
        agencies = [self.agencies[agency] for agency in _parted(participations)]
        jurisdictions = dict.fromkeys([jurisdiction for _, jurisdiction in agencies])
        return (
            *signature,
            ruling.status.value,
            ruling.because,
            self.today,
            LIST_SEPARATOR.join([name for name, _ in agencies]),
            LIST_SEPARATOR.join(filter(None, jurisdictions)),
            *self._coverage(provisions),
            *self.scope(products),
        )

    def _coverage(self, provisions: str) -> list[str]:
        """What is stated of each stage, then the areas that belong to none."""
        found: dict[int, list[Any]] = {}
        for told in _parted(provisions):
            place, provided = self.provided(told)
            found.setdefault(place, []).append(provided)
        cells = [""] * (_NO_STAGE + 1)
        for place, all_of_it in found.items():
            if place == _NO_STAGE:
                cells[place] = LIST_SEPARATOR.join(dict.fromkeys(all_of_it))
            else:
                cells[place] = _covered(tuple(all_of_it))
        return cells

    def _provided(self, told: str) -> tuple[int, Any]:
        """Where the stage of a provision stands and what its coverage needs; of a provision in a
        cross-cutting area, the area's name."""
        area, depth, commitment = told.split(_VALUES)
        name, stage = self.areas[area]
        if stage is None:
            return _NO_STAGE, name
        return list(STAGE_COLUMNS).index(stage), _Provided(stage, depth, commitment)

    def _scope(self, told: str) -> tuple[str, str]:
        """The names and the codes of products, in the order of the vocabulary."""
        products = in_term_order(self.products[product] for product in _parted(told))
        return joined([each.name for each in products]), joined([each.code for each in products])


def _parted(told: str) -> list[str]:
    return told.split(_ROWS) if told else []
