"""The register as tables of fixed columns: one description, from which everything is written.

A column of a table is a field of the allow-list ``PUBLIC``, or is worked out from the record. New
columns go to the end; none is renamed or gets another meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import Model

from ..dates import PartialDateField
from ..models import Agency, Agreement, CooperationArea, ProductCategory, meaning
from ..rules.coverage import Stage
from ..rules.status import Status
from .cells import any_formula, guard, joined, parted, unguard
from .records import CHILDREN, NATURAL_KEY, PUBLIC


@dataclass(frozen=True)
class Column:
    """One column: what stands in it, for whoever writes, reads or explains it.

    ``kind`` is one of text, code, number, decimal, boolean, partial date, date, time, web address.
    ``field`` names the field of the record; it is empty where the value is worked out, and such a
    column is not read back. ``refers`` is the table and column whose value it repeats. ``since``
    is the version of the columns that brought it: 1 for all that the first release will have.
    """

    name: str
    meaning: str
    kind: str = "text"
    field: str = ""
    allowed: tuple[tuple[str, str], ...] = ()
    listed: bool = False
    required: bool = False
    refers: tuple[str, str] | None = None
    since: int = 1

    @property
    def derived(self) -> bool:
        """Whether the value is worked out from others."""
        return not self.field

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers: no formula, and behind an apostrophe no number."""
        return self.kind in ("number", "decimal")

    def text(self, value: Any) -> str:
        """The value as text."""
        if self.listed:
            return joined(map(str, value))
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def cell(self, value: object) -> str:
        """The value as the text of a cell of a CSV."""
        return self.text(value) if self.numeric else guard(self.text(value))

    def value(self, cell: str) -> Any:
        """The inverse of ``cell``: what ``records.record`` gives for the field.

        Raises ValueError with the words for what is wanted.
        """
        if not self.numeric:
            cell = unguard(cell)
        if self.listed:
            return parted(cell)
        if self.kind == "boolean":
            # Excel saves them in capital letters.
            if cell.lower() not in ("true", "false"):
                raise ValueError("must be true or false")
            return cell.lower() == "true"
        if not cell:
            return "" if self.kind in ("text", "code", "web address") and not self.refers else None
        if self.kind == "number":
            # No longer than any number the register holds: int() of a page of digits is slow.
            if not (cell.isascii() and cell.isdigit() and len(cell) < 20):
                raise ValueError("must be a whole number")
            return int(cell)
        return cell


@dataclass(frozen=True)
class Table:
    """One table. ``owner`` is the column that says which record a row belongs to; ``key`` the
    columns that tell its rows apart, where some do; ``relation`` leads from the owner to the rows;
    ``worked_out`` says where the value of a column that is no public field is found."""

    name: str
    noun: type[Model]
    title: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    owner: str = ""
    relation: str = ""
    worked_out: dict[str, str] = field(default_factory=dict)

    @property
    def of_agencies(self) -> bool:
        """Whether its rows are agencies, or belong to one."""
        return self.noun is Agency or self.owner == "agency"

    @property
    def header(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def read_back(self) -> tuple[Column, ...]:
        """The columns that an importer reads: all but those worked out."""
        return tuple(column for column in self.columns if not column.derived)

    @cached_property
    def _numbers(self) -> list[int]:
        """Where its columns of numbers stand."""
        return [place for place, column in enumerate(self.columns) if column.numeric]

    def texts(self, cells: Sequence[str]) -> list[str]:
        """The inverse of ``cells``."""
        texts = [unguard(cell) for cell in cells]
        for number in self._numbers:
            texts[number] = cells[number]
        return texts

    def cells(self, row: Sequence[str]) -> Sequence[str]:
        """A row of plain text as the cells of a CSV."""
        # Looked for in the whole row first: hardly any has one.
        if not any_formula(row):
            return row
        cells = [guard(text) for text in row]
        for number in self._numbers:
            cells[number] = row[number]
        return cells


# --- Descriptions -------------------------------------------------------------------------------

#: Only a draft may be without.
_NEVER_EMPTY = {(Agreement, "slug"), (Agreement, "instrument_type")}
_KINDS: "tuple[tuple[type[models.Field[Any, Any]], str], ...]" = (
    (PartialDateField, "partial date"),
    (models.URLField, "web address"),
    (models.BooleanField, "boolean"),
    (models.DecimalField, "decimal"),
    (models.IntegerField, "number"),
    (models.DateField, "date"),
)


def described(noun: type[Model], name: str, column: str = "") -> Column:
    """The column of a model's field, described from the model."""
    model_field: Any = noun._meta.get_field(name)
    target, refers = model_field, None
    if model_field.is_relation:
        other = model_field.related_model
        target = other._meta.get_field(NATURAL_KEY[other])
        refers = _REFERENCES.get(other)
    kind = next((word for known, word in _KINDS if isinstance(target, known)), "text")
    # Countries are a list too long to repeat; it is ISO's.
    countries = hasattr(model_field, "countries")
    allowed = () if countries else tuple((str(v), str(t)) for v, t in model_field.choices or ())
    return Column(
        name=column or name,
        meaning=meaning(noun, name),
        kind="code" if allowed or countries else kind,
        field=name,
        allowed=allowed,
        listed=model_field.many_to_many is True,
        required=(noun, name) in _NEVER_EMPTY
        or not (model_field.blank or model_field.null or model_field.many_to_many),
        refers=refers,
    )


NOUNS: dict[str, type[Model]] = {
    "areas": CooperationArea,
    "products": ProductCategory,
    "agencies": Agency,
    "agreements": Agreement,
}
_REFERENCES = {
    CooperationArea: ("areas", "code"),
    ProductCategory: ("products", "code"),
    Agency: ("agencies", "key"),
    Agreement: ("agreements", "id"),
}
_OWNERS = {
    "agreement": Column(
        "agreement", "The agreement the row belongs to.", required=True, refers=("agreements", "id")
    ),
    "agency": Column(
        "agency", "The agency the row belongs to.", required=True, refers=("agencies", "key")
    ),
}


def _owned(
    name: str,
    title: str,
    meaning: str,
    *,
    key: tuple[str, ...] = (),
    more: dict[Column, str] | None = None,
    owner: type[Model] = Agreement,
    link: str = "",
) -> Table:
    noun = CHILDREN[owner][link or name]
    owned_by = str(owner._meta.model_name)
    columns = [_OWNERS[owned_by], *(described(noun, field_name) for field_name in PUBLIC[noun])]
    more = more or {}
    return Table(
        name,
        noun,
        title,
        meaning,
        (*columns, *more),
        (owned_by, *key) if key else (),
        owned_by,
        link or name,
        {column.name: value for column, value in more.items()},
    )


def _bounds(name: str) -> dict[Column, str]:
    return {
        Column(f"{name}_{end}", f"The {which} day {name} can mean.", "date"): f"{name}_{end}"
        for end, which in (("earliest", "first"), ("latest", "last"))
    }


# --- The flat table: one row an agreement -------------------------------------------------------

STAGE_COLUMNS = {stage: f"coverage_{stage.value}" for stage in Stage}
_STATED = (
    "depth and commitment recorded at this stage, deepest first, joined with “; ”. Excluded "
    "where something is excluded. Empty: not stated. A depth here need not hold for every product."
)
_FLAT: tuple[Column | str, ...] = (
    "slug",
    "title",
    "short_title",
    "original_title",
    "instrument_type",
    "instrument_title",
    "legal_nature",
    Column(
        "participants",
        "Acronym or name of each agency that surely took part on status_day, in the instrument's "
        "order.",
        listed=True,
    ),
    Column(
        "participant_jurisdictions",
        "ISO 3166-1 code, or EU, of each different jurisdiction among them.",
        listed=True,
    ),
    "signed_on",
    Column("signed_on_earliest", "The first day signed_on can mean.", "date"),
    Column("signed_on_latest", "The last day signed_on can mean.", "date"),
    "signed_city",
    "signed_country",
    Column(
        "status",
        "Status on status_day, worked out from the dates.",
        "code",
        allowed=tuple((str(v), str(t)) for v, t in Status.choices),
        required=True,
    ),
    Column("status_day", "The day the status is told for.", "date", required=True),
    Column("status_because", "Status and the fact that decided it, as a sentence.", required=True),
    *(Column(name, f"{stage.label}: each {_STATED}") for stage, name in STAGE_COLUMNS.items()),
    Column(
        "cross_cutting_areas", "Areas of cooperation that belong to no stage, by name.", listed=True
    ),
    Column("products", "The scope of the instrument as a whole, as stated, by name.", listed=True),
    Column("relations", "Kind and target of each relation to another agreement.", listed=True),
    "summary",
    "source_notes",
    Column("sources", "Address of each source, or its publisher and title.", listed=True),
    Column("url", "The record's page.", "web address", required=True),
    Column("updated_at", "When the record last changed, with time zone.", "time", required=True),
    "original_language",
    "legal_nature_stated",
    "areas_stated",
    Column(
        "product_codes",
        "The scope of the instrument as a whole, as stated. What each provision reaches stands in "
        "the table provisions.",
        field="products",
        listed=True,
        refers=("products", "code"),
    ),
    "signed_venue",
    "term_stated",
    "renewal_stated",
    "reference_numbers",
    "text_availability",
    "text_url",
    "detail_level",
    Column(
        "former_slugs",
        "Addresses the record had before. Each leads to the present one.",
        field="former_slugs",
        listed=True,
    ),
)


# --- All tables ---------------------------------------------------------------------------------


def _plain_table(name: str, title: str, meaning: str, key: str) -> Table:
    noun = NOUNS[name]
    columns = tuple(described(noun, field_name) for field_name in PUBLIC[noun])
    return Table(name, noun, title, meaning, columns, (key,))


_PLACED = tuple(
    described(Agreement, column, "id" if column == "slug" else "")
    if isinstance(column, str)
    else column
    for column in _FLAT
)
AGREEMENTS = Table(
    "agreements",
    Agreement,
    "Agreements",
    "One row an agreement: its own fields, and what its other tables come to in a few columns.",
    # A field that has no place in the list gets its column at the end.
    (
        *_PLACED,
        *(
            described(Agreement, name)
            for name in PUBLIC[Agreement]
            if name not in {column.field for column in _PLACED}
        ),
    ),
    ("id",),
)
#: Every table by its name, in the order of the package.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        AGREEMENTS,
        _owned(
            "participations",
            "Participations",
            "One row for each part an agency has in an agreement.",
            key=("agency",),
        ),
        _owned(
            "signatories",
            "Signatories",
            "One row for each person who signed, witnessed or was present.",
        ),
        _owned(
            "provisions",
            "Provisions",
            "One row for each thing an agreement says of one cooperation area. Coverage is made of "
            "these.",
            more={
                Column(
                    "stage",
                    "The stage of the area. Empty: it belongs to no stage.",
                    "code",
                    allowed=tuple((str(v), str(t)) for v, t in Stage.choices),
                ): "area__stage"
            },
        ),
        _owned(
            "milestones",
            "Milestones",
            "One row for each dated event in an agreement's life after signature.",
            more=_bounds("date") | _bounds("until"),
        ),
        _owned(
            "relations",
            "Relations",
            "One row for each link to another agreement, from the agreement that states it.",
        ),
        _owned(
            "outcomes",
            "Outcomes",
            "One row for each thing the participants expect. Not achieved until reported.",
        ),
        _owned(
            "sources",
            "Sources",
            "One row for each page or document that facts about an agreement come from.",
            key=("number",),
        ),
        _owned(
            "evidence",
            "Evidence",
            "One row for what a source says on one point of a record, other than a provision.",
        ),
        _plain_table("agencies", "Agencies", "One row an agency.", "key"),
        _owned(
            "agency_names",
            "Names of agencies",
            "One row for each other name of an agency.",
            key=("name",),
            owner=Agency,
            link="names",
        ),
        _plain_table("areas", "Cooperation areas", "The vocabulary of cooperation areas.", "code"),
        _plain_table(
            "products", "Product categories", "The vocabulary of product categories.", "code"
        ),
    )
}
#: The columns of the flat table, for ever: new ones go to the end.
COLUMNS = AGREEMENTS.header
#: The version of the columns, which each release of the data package names.
COLUMN_VERSION = max(column.since for table in TABLES.values() for column in table.columns)
