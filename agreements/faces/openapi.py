"""The description of the faces for programs, in OpenAPI 3.1.

Made from the filters, the choices, the allow-lists and the columns themselves, so that it says
what they take and give. A test checks real answers against it.
"""

import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.db import models
from django.http import QueryDict
from django.utils.choices import flatten_choices

from ..dates import FIRST_YEAR, LAST_YEAR, PartialDateField, PartialDateFormField
from ..exports import (
    CHILDREN,
    DERIVED,
    NATURAL_KEY,
    PUBLIC,
    TABLES,
    WORKBOOK_LIMIT,
    WORKBOOK_TYPE,
)
from ..models import (
    Agreement,
    RelationKind,
    WithdrawalKind,
    meaning,
)
from ..models.columns import Jurisdiction
from ..models.vocabulary import validate_code
from ..question import MAX_SIDES, AgreementFilterSet, CoverageFilterSet, MomentField, Question
from ..rules.coverage import NOT_COUNTED_YET, Commitment, Depth, Stage
from ..rules.status import Status

#: Grows in its first part when a program that reads the answers would have to change.
VERSION = "1.0"

_CODE = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
_DAY = {"type": "string", "format": "date"}
#: A form sends its empty boxes along; they ask nothing.
_NOTHING = {"const": ""}
#: A part of the document.
_Node = dict[str, Any]
_DAY_ASKED = {"type": "string", "anyOf": [{"format": "date"}, _NOTHING]}
_RELEASE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(-[1-9][0-9]{0,3})?$"
_MOMENT = {"type": "string", "format": "date-time"}
_ADDRESS = {"type": "string", "format": "uri"}
_WORDS = {"type": "string"}
#: As ``dates.PartialDate`` reads it: a year, a month or a day that there is.
_PARTIAL_DATE: _Node = {
    "type": "string",
    "anyOf": [
        {"pattern": "^(18[5-9][0-9]|19[0-9]{2}|2[01][0-9]{2})(-(0[1-9]|1[0-2]))?$"},
        {"pattern": "^(18[5-9][0-9]|19[0-9]{2}|2[01][0-9]{2})-", "format": "date"},
    ],
    "description": f"A year, a month or a day from {FIRST_YEAR} to {LAST_YEAR}.",
}
_PAGE = {
    "name": "page",
    "in": "query",
    "description": "Number of the page, from 1. One that the list does not have is 404; the order "
    "of change has no numbers, follow next there.",
    "schema": {"type": "integer", "minimum": 1},
}
_AFTER = {
    "name": "after",
    "in": "query",
    "description": "Only with updated_since and without sort: the row after which the answer goes "
    "on. Take it from the addresses next and resume as it is. One that names no row is 404.",
    "schema": {"type": "string", "pattern": "^[0-9TZ:.+-]+,[a-z0-9-]+$"},
}
_AS_OF = {
    "name": "as_of",
    "in": "query",
    "description": "The day the status is told for; today in Singapore if left out.",
    "schema": _DAY_ASKED,
    "example": "2011-01-01",
}


def document(base_url: str, records_a_page: int, example: _Node | None = None) -> _Node:
    """The whole document. ``base_url`` is where the faces stand; ``records_a_page`` the most
    records that one answer holds; ``example`` a record as it is told, if there is one."""
    question = AgreementFilterSet(QueryDict(), Agreement.objects.register())
    filters = [_parameter(name, question) for name in question.filters]
    slug = _path_parameter("slug", "The agreement's permanent name.", _newest(question))
    agencies = [key for key, _ in question.register.choices["participant"][:2]]
    key = _path_parameter("key", "The agency's key.", agencies)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "moctracker",
            "version": VERSION,
            "summary": "International cooperation instruments between health-product regulators.",
            "description": _DESCRIPTION.format(records_a_page=records_a_page),
        },
        "servers": [{"url": base_url}],
        "tags": [
            {"name": "agreements", "description": "The register, and any part of it."},
            {"name": "agencies", "description": "The bodies that take part."},
            {"name": "areas", "description": "What agreements are about."},
            {"name": "products", "description": "The types of health product."},
            {"name": "tables", "description": "The register as tables, under the same question."},
            {"name": "releases", "description": "The whole register as dated packages."},
            {
                "name": "coverage",
                "description": f"What stands between a subject and its partners. {NOT_COUNTED_YET}",
            },
        ],
        "paths": dict([*_paths(filters, slug, key, example), _coverage()]),
        "components": {"schemas": _schemas()},
    }


def _paths(
    filters: list[_Node], slug: _Node, key: _Node, example: _Node | None
) -> Iterator[tuple[str, _Node]]:
    """Every address and what can be asked there."""
    yield _get(
        "/agreements.json",
        "Whole records, a page at a time",
        [*filters, _PAGE, _AFTER],
        {200: _json("AgreementList")},
        missing=True,
    )
    for ending, kind, summary in (
        ("atom", "application/atom+xml", "What changed last, as a feed"),
        ("ics", "text/calendar", "When terms end and reviews are due, as a calendar"),
    ):
        yield _get(f"/agreements.{ending}", summary, filters, {200: _text(kind)})
    yield from _tables(filters)
    yield from _releases()
    told = "The record; or, where another record now holds its content, when and why it went."
    record = _json("AgreementRecord", "Tombstone", told=told)
    if example:
        record["content"]["application/json"]["example"] = example
    yield _get(
        "/agreements/{slug}.json",
        "One record",
        [slug, _AS_OF],
        {200: record, 410: _problem("Gone")},
        missing=True,
        moves=True,
    )
    for ending, content, gone in (
        ("bib", _text("application/x-bibtex"), _text("text/plain")),
        ("csl.json", _text("application/vnd.citationstyles.csl+json", {}), _problem("Problem")),
    ):
        yield _get(
            f"/agreements/{{slug}}.{ending}",
            "A citation of the record",
            [slug],
            {200: content, 410: gone},
            missing=True,
            moves=True,
        )
    yield _get(
        "/agencies.json",
        "Every agency of the register, by key, a page at a time",
        [_PAGE],
        {200: _json("AgencyList")},
        missing=True,
    )
    yield _get(
        "/agencies/{key}.json", "One agency", [key], {200: _json("AgencyRecord")}, missing=True
    )
    yield _get("/areas.json", "The cooperation areas", [], {200: _json("Areas")})
    yield _get("/products.json", "The product categories", [], {200: _json("Products")})


def _tables(filters: list[_Node]) -> Iterator[tuple[str, _Node]]:
    """Every table as a CSV, and all of them as a workbook."""
    busy = _text("text/plain") | {
        "description": "Too many downloads are under way, or the register changed; ask again.",
        "headers": {"Retry-After": {"description": "In seconds.", "schema": _number()}},
    }
    for table in TABLES.values():
        rows = _text("text/csv") | {
            "description": "The rows, read in batches while they are sent: not of one moment.",
            "headers": {"X-Total-Rows": {"description": "How many rows.", "schema": _number()}},
        }
        yield _get(
            f"/{table.name}.csv", table.meaning, filters, {200: rows, 503: busy}, tag="tables"
        )
    too_large = _text("text/plain") | {
        "description": f"More than {WORKBOOK_LIMIT:,} agreements: narrow the list, or take CSV."
    }
    yield _get(
        "/agreements.xlsx",
        "All tables of the agreements as a workbook",
        filters,
        {
            200: _text(WORKBOOK_TYPE, {}),
            413: too_large,
            503: busy,
        },
        tag="tables",
    )


def _coverage() -> tuple[str, _Node]:
    """The table of partners, whose question has one subject: an agency or a country."""
    question = CoverageFilterSet(QueryDict(), Agreement.objects.register())
    narrowing = [_parameter(name, question) for name in question.filters if name not in _SUBJECT]
    return _get(
        "/coverage.csv",
        "What stands with each partner of an agency or a country, as a table",
        [_subject(question), *narrowing],
        {200: _text("text/csv")},
    )


def _releases() -> Iterator[tuple[str, _Node]]:
    """The data package as it was on the days on which something had changed."""
    name = _path_parameter("name", "A day, and a number from the second release of it on.", [])
    name["schema"] = {"type": "string", "pattern": _RELEASE}
    yield _get(
        "/data/releases/{name}.json",
        "What a release holds, and what changed since the one before",
        [name],
        {200: _json("Release")},
        missing=True,
        tag="releases",
    )
    place = {"Location": {"schema": _WORDS}}
    yield _get(
        "/data/latest.zip",
        "Leads to the newest release",
        [],
        {302: {"description": "The address of the newest release.", "headers": place}},
        missing=True,
        tag="releases",
    )
    gone = _text("text/plain") | {"description": "No longer offered."}
    yield _get(
        "/data/moctracker-{name}.zip",
        "One release, as a ZIP of all tables: one state of the register",
        [name],
        {200: _text("application/zip", {}), 410: gone},
        missing=True,
        tag="releases",
    )


#: CommonMark; one line a point.
_DESCRIPTION = "\n".join(
    [
        "The register as data. No key is needed, and there is no write access.",
        "",
        "- **One question, many faces.** What stands after the question mark of a list of "
        "agreements works in every format alike. A name or a value that is not known is refused "
        "(400), never passed over. An empty value asks nothing.",
        "- **Limits.** One answer holds at most {records_a_page} records. There is no fixed limit "
        "of requests; please ask one at a time.",
        "- **Keeping a copy.** Begin with `/agreements.json?updated_since=2000-01-01`, follow "
        "`next` to its end, and keep the last `resume`: whenever you ask it, it goes on there. "
        "Withdrawn records stand in `withdrawn`: delete them.",
        "- **Caching.** Every record, list, table and release has an `ETag`; send it back in "
        "`If-None-Match`, and what has not changed is 304 without content. It changes with "
        "the register, and at midnight in Singapore, when statuses can.",
        "- **One state of the register** is what a release holds (`/data/latest.zip`). A table is "
        "read in batches while it is sent: a record that changes meanwhile stands as it was when "
        "its batch was read. In `/agreements.csv` a batch is one statement of the database, so "
        "that no row mixes two states of a record; in the other tables it is a few, one after the "
        "other. A download of agreements, or of what belongs to them, is broken off if one of them "
        "leaves the register meanwhile: compare `X-Total-Rows`.",
        "- **Refusals** are problem documents (RFC 9457) whose `problems` names each parameter. "
        "Any method but GET, HEAD and OPTIONS is 405.",
        "- **Any site's scripts may read** every address (`Access-Control-Allow-Origin: *`).",
        '- **Missing** is `null` for a date, a number or a reference and `""` for a text. It '
        "means not found here; it never means no.",
        "- Later releases may add fields and codes. None is renamed or given another meaning "
        "within version 1.",
    ]
)


# --- What is asked ------------------------------------------------------------------------------


def _parameter(name: str, question: Question) -> _Node:
    """One filter, as its form field takes it."""
    field = question.form.fields[name]
    parameter: _Node = {
        "name": name,
        "in": "query",
        "description": str(field.help_text),
        "schema": _asked(field),
    }
    if isinstance(field, forms.MultipleChoiceField):
        if name == "between":
            parameter["schema"]["maxItems"] = MAX_SIDES
        parameter |= {"style": "form", "explode": True}
    if name in EXAMPLES:
        parameter["example"] = EXAMPLES[name]
    return parameter


_SUBJECT = ("agency", "country")


def _subject(question: CoverageFilterSet) -> _Node:
    """Exactly one of two parameters. As one object whose members are sent as parameters of their
    own, it says that the other one is then left out."""
    alternatives = []
    for name in _SUBJECT:
        field = question.form.fields[name]
        # The form groups agencies by country.
        values = [str(value) for value, _ in flatten_choices(field.choices) if value]
        keys = {"type": "string", "enum": values}
        alternatives.append(_object({name: _described(str(field.help_text), keys)}))
    return {
        "name": "subject",
        "in": "query",
        "required": True,
        "description": "Whose partners: agency=… or country=…, one of the two.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "oneOf": alternatives},
    }


#: Real questions, in which the register has answers.
EXAMPLES: dict[str, str | list[str]] = {
    "q": "GMP inspection",
    "stage": ["manufacturing"],
    "depth": ["reliance", "recognition"],
    "type": ["moc", "mou"],
    "signed_after": "2010",
    "signed_before": "2024-05",
    "as_of": "2011-01-01",
    "updated_since": "2026-04-20T00:00:00Z",
}


def _asked(field: Any) -> _Node:
    choices = getattr(field, "choices", ())
    values = {"type": "string", "enum": [*dict.fromkeys([*(str(v) for v, _ in choices), ""])]}
    if isinstance(field, forms.MultipleChoiceField):
        return {"type": "array", "items": values}
    if isinstance(field, forms.ChoiceField):
        return values
    if isinstance(field, PartialDateFormField):
        return _PARTIAL_DATE | {"anyOf": [*_PARTIAL_DATE["anyOf"], _NOTHING]}
    if isinstance(field, MomentField):
        forms_of_it = [{"format": "date"}, {"format": "date-time"}, _NOTHING]
        return {"type": "string", "anyOf": forms_of_it}
    if isinstance(field, forms.DateField):
        return _DAY_ASKED
    return {"type": "string", "maxLength": field.max_length, "pattern": "^[^\\u0000]*$"}


def _newest(question: AgreementFilterSet) -> list[str]:
    return list(question.queryset.newest_first().values_list("slug", flat=True)[:2])


def _path_parameter(name: str, description: str, examples: list[str]) -> _Node:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": _CODE,
        "examples": {value: {"value": value} for value in examples},
    }


# --- What is answered ---------------------------------------------------------------------------


def _get(
    path: str,
    summary: str,
    parameters: list[_Node],
    responses: dict[int, _Node],
    *,
    missing: bool = False,
    moves: bool = False,
    tag: str = "",
) -> tuple[str, _Node]:
    """One address. ``missing`` says that it can be 404, ``moves`` that it can lead elsewhere.
    Without a ``tag`` it stands under the noun its address begins with."""
    refusal = _problem("Problem") if path.endswith("json") else _text("text/plain")
    told = responses | {
        304: {"description": "Not changed since the answer that had this ETag."},
        400: refusal | {"description": "A parameter is wrong; the answer names it."},
    }
    if missing:
        told[404] = refusal | {"description": "No such record, or no such page."}
    if moves:
        place = {"Location": {"schema": _WORDS}}
        told[301] = {"description": "The record has another address now.", "headers": place}
    described = {
        "tags": [tag or path[1:].replace("/", ".").partition(".")[0]],
        "operationId": re.sub(r"[^a-z]+", "_", path).strip("_"),
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): told[status] for status in sorted(told)},
    }
    return path, {"get": described}


def _json(*names: str, told: str = "The answer.") -> _Node:
    schemas = [_reference(name) for name in names]
    return {
        "description": told,
        "headers": {"ETag": {"description": "For If-None-Match.", "schema": _WORDS}},
        "content": {
            "application/json": {"schema": {"oneOf": schemas} if len(schemas) > 1 else schemas[0]}
        },
    }


def _problem(name: str) -> _Node:
    content = {"application/problem+json": {"schema": _reference(name)}}
    return {"description": "Withdrawn: when and why.", "content": content}


def _text(kind: str, schema: _Node = _WORDS) -> _Node:
    return {"description": "The answer.", "content": {kind: {"schema": schema}}}


def _schemas() -> _Node:
    """Every kind of object that is answered. None has a field that is not named here."""
    nouns = {model.__name__: _noun(model) for model in PUBLIC}
    agreement = nouns.pop("Agreement") | _derived()
    agency = nouns.pop("Agency") | {
        "url": _ADDRESS,
        "agreements": _described("In how many agreements it takes part.", _number()),
        "agreements_url": _described("Where these agreements are told.", _ADDRESS),
    }
    withdrawn = {
        "slug": _CODE,
        "url": _ADDRESS,
        "former_slugs": _list(_reference("FormerSlug")),
        "withdrawn": _object(
            {
                "on": _described("The day it was withdrawn.", _or_null(_DAY)),
                "kind": {"type": "string", "enum": WithdrawalKind.values},
                "reason": _WORDS,
                "merged_into": _described(
                    "The page of the record that now holds its content.", _or_null(_ADDRESS)
                ),
            }
        ),
    }
    problem = {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _WORDS,
        "status": {"type": "integer"},
        "detail": _described("All that is wrong, a line each.", _WORDS),
        "problems": _by_name("What is wrong, by parameter.", _list(_WORDS) | {"minItems": 1}),
    }
    reach = {"depth": _coded(Depth), "commitment": _coded(Commitment)}
    cell = {
        "stage": _coded(Stage),
        "product": _described("None where the source names no product.", _or_null(_CODE)),
        "reaches": _described("Deepest first.", _list(_object(reach))),
        "excluded": {"type": "boolean"},
    }
    row = {"id": _described("Its id, key or code; of a column, table and name.", _WORDS)}
    changes = {
        "added": _list(_object(row)),
        "changed": _list(_object(row | {"what": _described("What changed.", _WORDS)})),
        "withdrawn": _list(_object(row)),
    }
    release = {
        "name": {"type": "string", "pattern": _RELEASE},
        "day": _DAY,
        "size": _described("Bytes of the ZIP.", _number()),
        "sha256": _described("Checksum of the ZIP.", _WORDS),
        "rows": _by_name("Rows of each table.", _number()),
        "columns": _described("The version of the columns.", _number()),
        "before": _described("The release it is compared with; empty in the first.", _WORDS),
        "changes": _by_name("By table; only those in which something changed.", _object(changes)),
        "offered": _described("Whether the ZIP can still be had.", {"type": "boolean"}),
    }
    inverse = {"kind": _coded(RelationKind), "agreement": _CODE, "note": _WORDS}
    return {
        **{name: _object(properties) for name, properties in nouns.items()},
        "Agreement": _object(agreement),
        "AgreementRecord": _object(
            agreement
            | {
                "coverage": _described("Every cell of the coverage table.", _list(_object(cell))),
                "inverse_relations": _described(
                    "What other agreements say of this one.", _list(_object(inverse))
                ),
            }
        ),
        "AgreementList": _object(
            {
                "sentence": _described("The question written back in words.", _WORDS),
                "day": _described("The day the statuses are told for.", _DAY),
                **_PLACES,
                "resume": _described(
                    "With updated_since and without sort: where to go on later for what changes "
                    "after this answer. Otherwise null.",
                    _or_null(_ADDRESS),
                ),
                "agreements": _list(_reference("Agreement")),
                "withdrawn": _described(
                    "With updated_since and without sort: the records withdrawn among the changes "
                    "of this page, whatever else was asked. Otherwise null: not told.",
                    _or_null(_list(_reference("Tombstone"))),
                ),
            }
        ),
        "Tombstone": _object(withdrawn),
        "AgencyRecord": _object(agency),
        "AgencyList": _object(_PLACES | {"agencies": _list(_reference("AgencyRecord"))}),
        "Areas": _object({"areas": _list(_reference("CooperationArea"))}),
        "Products": _object({"products": _list(_reference("ProductCategory"))}),
        "Release": _object(release),
        "Problem": _object(problem),
        "Gone": _object(problem | withdrawn),
    }


def _noun(model: type[models.Model]) -> _Node:
    """The fields of the allow-list, each with its type, and the rows that belong to the record."""
    fields = {
        name: _described(meaning(model, name), _typed(model._meta.get_field(name)))
        for name in PUBLIC[model]
    }
    rows = {
        name: _list(_reference(child.__name__)) for name, child in CHILDREN.get(model, {}).items()
    }
    return fields | rows


def _typed(field: Any) -> _Node:
    if isinstance(field, models.ManyToManyField):
        return _list(_key_of(field.related_model))
    if isinstance(field, models.ForeignKey):
        schema = _key_of(field.related_model)
    elif isinstance(field, PartialDateField):
        schema = _PARTIAL_DATE
    elif isinstance(field, models.DateField):
        schema = _DAY
    elif isinstance(field, models.DecimalField):
        schema = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"}
    elif isinstance(field, models.BooleanField):
        schema = {"type": "boolean"}
    elif isinstance(field, models.IntegerField):
        schema = _number()
    elif isinstance(field, Jurisdiction):
        schema = {"type": "string", "pattern": "^([A-Z]{2})?$" if field.blank else "^[A-Z]{2}$"}
    elif field.choices:
        empty = [""] if field.blank else []
        schema = {"type": "string", "enum": [*empty, *(value for value, _ in field.choices)]}
    else:
        schema = _CODE if validate_code in field.validators else _WORDS
    return _or_null(schema) if field.null else schema


def _key_of(model: type[models.Model]) -> _Node:
    return _typed(model._meta.get_field(NATURAL_KEY[model]))


def _derived() -> _Node:
    """What follows from a record; a test holds the names to ``exports.DERIVED``."""
    told = {
        "url": _described("The record's page.", _ADDRESS),
        "status": _described("Where it stands on status_day.", _coded(Status)),
        "status_day": _described("The day the status is told for.", _DAY),
        "status_because": _described("The fact that decided the status.", _WORDS),
        "updated_at": _described("When the record last changed.", _MOMENT),
    }
    return {name: told[name] for name in DERIVED}


def _object(properties: _Node) -> _Node:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _by_name(description: str, values: _Node) -> _Node:
    return {"type": "object", "description": description, "additionalProperties": values}


def _list(items: _Node) -> _Node:
    return {"type": "array", "items": items}


def _reference(name: str) -> _Node:
    return {"$ref": f"#/components/schemas/{name}"}


def _coded(choices: type[models.Choices]) -> _Node:
    return {"type": "string", "enum": list(choices.values)}


def _number() -> _Node:
    return {"type": "integer", "minimum": 0}


def _or_null(schema: _Node) -> _Node:
    return schema | {"type": [schema["type"], "null"]}


def _described(description: str, schema: _Node) -> _Node:
    return schema | {"description": description}


_PLACES: _Node = {
    "count": _described("How many answer the question.", _number()),
    "page": _described("This page; null in the order of change.", _or_null(_number())),
    "pages": _described("How many pages there are.", _or_null(_number())),
    "previous": _described("The page before this one.", _or_null(_ADDRESS)),
    "next": _described("The page after this one; null on the last.", _or_null(_ADDRESS)),
}
