"""The dictionary of the data: every table, column, filter and vocabulary, said from the program.

Nothing is said here that another room says already: meanings and codes come from the columns and
the filters, examples from the register itself.
"""

import csv
import datetime
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import django_filters
from django.db.models import TextChoices
from django.utils import timezone

from ..exports import TABLES, Column, RegisterChanged, Table, package
from ..models import (
    AgencyKind,
    AgencyNameKind,
    Agreement,
    Capacity,
    CooperationArea,
    DetailLevel,
    Direction,
    Edition,
    EvidenceTopic,
    InstrumentType,
    LegalNature,
    ParticipationRole,
    ProductCategory,
    RelationKind,
    SigningAct,
    SourceKind,
    TextAvailability,
)
from ..question import AgreementFilterSet, CoverageFilterSet, Question
from ..rules.coverage import Commitment, Depth, Stage
from ..rules.status import MilestoneKind, Status

#: Examples are looked for in so many agreements, the newest ones.
_SAMPLE = 200
#: An example that is longer is taken only where there is no shorter one, and cut.
_EXAMPLE_LENGTH = 60

_OWN = "the register's own"
#: Every list of codes: its name, and who drew it up.
VOCABULARIES: dict[type[TextChoices], tuple[str, str]] = {
    Stage: (
        "Stage",
        "the register's own, each standing for functions of the WHO Global Benchmarking Tool: "
        "CT; MA; MA; RI and LI; VL and MC, in this order",
    ),
    Depth: ("Depth, shallowest first", "after WHO TRS 1033, Annex 10 (Good reliance practices)"),
    Commitment: ("Commitment, firmest first", "the register's own; see ADR 0002"),
    Status: ("Status", "worked out from the dates; see ADR 0002"),
    InstrumentType: ("Instrument type", _OWN),
    LegalNature: ("Legal nature", _OWN),
    TextAvailability: ("Availability of the text", _OWN),
    DetailLevel: ("Level of detail", _OWN),
    ParticipationRole: ("Role of a participant", _OWN),
    SigningAct: (
        "Act by which a participant bound itself",
        "after the Vienna Convention on the Law of Treaties, Article 11",
    ),
    Capacity: ("Capacity of a person", _OWN),
    Direction: ("Direction of a provision", _OWN),
    MilestoneKind: ("Milestone kind", _OWN),
    RelationKind: ("Relation kind", _OWN),
    SourceKind: ("Source kind", _OWN),
    EvidenceTopic: ("Topic of evidence", _OWN),
    AgencyKind: ("Agency kind", _OWN),
    AgencyNameKind: ("Kind of another name", _OWN),
}
_UNITS = {
    "partial date": "year, month or day",
    "date": "day",
    "time": "second",
    "number": "order number",
    "decimal": "as the column unit says",
}
_FORMS = {
    "partial date": "2010, 2024-05 or 2026-04-20",
    "date": "2026-04-20",
    "time": "2026-04-20T01:30:00+00:00",
    "number": "a whole number",
    "decimal": "a number with a decimal point",
    "boolean": "true or false",
    "web address": "an http or https address",
}
_LANGUAGES = {"language", "native_language", "original_language"}


@dataclass(frozen=True)
class Vocabulary:
    """A list of codes, and the columns that take them."""

    anchor: str
    title: str
    source: str
    values: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ColumnEntry:
    """What the dictionary says of a column. ``allowed`` is in words; ``vocabulary`` names the list
    of codes, ``refers`` the table and column, where there is one. ``example`` is empty where no
    record has a value, and None where none could be looked for."""

    name: str
    meaning: str
    type: str
    unit: str
    allowed: str
    vocabulary: str
    refers: tuple[str, str] | None
    required: bool
    example: str | None
    since: int


@dataclass(frozen=True)
class TableEntry:
    """What the dictionary says of a table."""

    table: Table
    columns: list[ColumnEntry]


@dataclass(frozen=True)
class FilterEntry:
    """What the dictionary says of a parameter."""

    name: str
    label: str
    meaning: str
    allowed: str
    vocabulary: str
    several: bool


def vocabularies() -> list[Vocabulary]:
    """Every list of codes that a column or a filter takes."""
    return [
        Vocabulary(
            _anchor(choices),
            title,
            source,
            tuple((str(value), str(label)) for value, label in choices.choices),
            tuple(
                f"{table.name}.{column.name}"
                for table in TABLES.values()
                for column in table.columns
                if column.allowed and _choices(column.allowed) is choices
            ),
        )
        for choices, (title, source) in VOCABULARIES.items()
    ]


def terms() -> dict[str, Any]:
    """The vocabularies that grow with the register: areas and products, retired ones too."""
    return {
        "areas": CooperationArea.objects.order_by("position", "name"),
        "products": ProductCategory.objects.order_by("position", "name"),
    }


def tables() -> list[TableEntry]:
    """Every table of the data package with its columns, in their order; without examples if the
    register changed while they were looked for."""
    try:
        shown = examples(Edition.current(), timezone.localdate())
    except RegisterChanged:
        shown = None
    return [
        TableEntry(table, [_entry(table, column, shown) for column in table.columns])
        for table in TABLES.values()
    ]


def _entry(table: Table, column: Column, shown: dict[tuple[str, str], str] | None) -> ColumnEntry:
    choices = _choices(column.allowed) if column.allowed else None
    allowed = _FORMS.get(column.kind, "any text")
    if column.refers:
        allowed = f"{column.refers[1]} of the table {column.refers[0]}"
    elif choices:
        allowed = VOCABULARIES[choices][0]
    elif column.kind == "code":
        allowed = "Countries"
    elif column.name in _LANGUAGES:
        allowed = "Languages"
    elif column.name == "participant_jurisdictions":
        allowed = "Countries"
    elsewhere = {"Countries": "countries", "Languages": "languages"}.get(allowed, "")
    return ColumnEntry(
        name=column.name,
        meaning=column.meaning,
        type=f"list of {column.kind}" if column.listed else column.kind,
        unit=_UNITS.get(column.kind, ""),
        allowed=allowed,
        vocabulary=_anchor(choices) if choices else elsewhere,
        refers=column.refers,
        required=column.required,
        example=None if shown is None else shown.get((table.name, column.name), ""),
        since=column.since,
    )


def _choices(allowed: tuple[tuple[str, str], ...]) -> type[TextChoices] | None:
    """The list of codes that these are, or a part of it; None for one that is not known."""
    codes = {code for code, _ in allowed}
    return next((each for each in VOCABULARIES if codes <= set(each.values)), None)


def _anchor(choices: type[TextChoices]) -> str:
    title = VOCABULARIES[choices][0].partition(",")[0]
    return title.lower().replace(" ", "-")


@lru_cache(maxsize=2)
def examples(edition: str, day: datetime.date) -> dict[tuple[str, str], str]:
    """A value for each (table, column) that has one in the newest agreements, as it stands in a
    file: the first that is short, else the first. It holds for one edition of the register."""
    newest = list(
        Agreement.objects.register().newest_first().values_list("pk", flat=True)[:_SAMPLE]
    )
    file = io.BytesIO()
    package(Agreement.objects.register().filter(pk__in=newest), day, "", file)
    found: dict[tuple[str, str], str] = {}
    with zipfile.ZipFile(file) as archive:
        for name in TABLES:
            text = io.TextIOWrapper(archive.open(f"{name}.csv"), "utf-8-sig", newline="")
            for row in csv.DictReader(text):
                for column, value in row.items():
                    known = found.get((name, column))
                    if value and (not known or len(value) <= _EXAMPLE_LENGTH < len(known)):
                        found[name, column] = value
    return {at: _cut(value) for at, value in found.items()}


def _cut(value: str) -> str:
    return value if len(value) <= _EXAMPLE_LENGTH else value[: _EXAMPLE_LENGTH - 1] + "…"


# --- Filters ------------------------------------------------------------------------------------

#: Whose values are as many as the register has.
_OPEN = {
    "participant": "key of the table agencies",
    "agency": "key of the table agencies",
    "country": "an ISO 3166-1 code, or EU",
    "between": "a key of the table agencies, an ISO 3166-1 code, or EU",
    "product": "code of the table products",
}


def filters() -> list[FilterEntry]:
    """Every filter of the list of agreements, in the order of the form."""
    return list(_filters(AgreementFilterSet))


def coverage_filters() -> list[FilterEntry]:
    """Every filter of the table of partners."""
    return list(_filters(CoverageFilterSet))


def _filters(declared: type[Question]) -> Iterator[FilterEntry]:
    for name, each in declared.base_filters.items():
        choices = tuple(each.extra.get("choices") or ())
        known = _choices(choices) if choices and name not in _OPEN else None
        allowed = _OPEN.get(name) or "any text"
        if known:
            allowed = VOCABULARIES[known][0]
        elif choices:
            allowed = ", ".join(str(value) for value, _ in choices)
        elif name == "updated_since":
            allowed = f"{_FORMS['date']}, or {_FORMS['time']}"
        elif name in Question.DATES:
            allowed = _FORMS["date" if name == "as_of" else "partial date"]
        yield FilterEntry(
            name,
            str(each.label),
            str(each.extra.get("help_text", "")),
            allowed,
            _anchor(known) if known else "",
            isinstance(each, django_filters.MultipleChoiceFilter),
        )
