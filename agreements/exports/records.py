"""The register as data: each public field named once, and thin writers over that list.

``PUBLIC`` is the allow-list of what leaves the register; a test demands that every model field is
either in it or in ``WITHHELD`` with a reason. ``importer`` reads the same lists backwards.
"""

import datetime
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.db import models
from django.db.models import Model, QuerySet
from django.urls import reverse

from ..dates import PartialDate, to_partial_date
from ..models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Evidence,
    FormerSlug,
    Milestone,
    Outcome,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Signatory,
    Source,
)
from ..models.querysets import AgreementQuerySet, PublicationState, in_code_order
from ..rules.coverage import Grid
from ..rules.status import Event, status_on

#: Stands first in every register document; a new number for every change an importer must know.
FORMAT = "moctracker register 1"

#: How a reference to a row is written: the field that names it for people and files.
NATURAL_KEY: dict[type[Model], str] = {
    Agency: "key",
    CooperationArea: "code",
    ProductCategory: "code",
    Agreement: "slug",
    Source: "number",
}

#: The rows that belong to a record, by the name of the relation, in the order of writing.
CHILDREN: dict[type[Model], dict[str, type[Model]]] = {
    Agency: {"names": AgencyName},
    Agreement: {
        "sources": Source,
        "participations": Participation,
        "signatories": Signatory,
        "provisions": Provision,
        "milestones": Milestone,
        "relations": Relation,
        "outcomes": Outcome,
        "evidence": Evidence,
        "former_slugs": FormerSlug,
    },
}

#: Rows in the order of their spelling: databases differ in it, characters do not.
SPELLED = {"names": "name", "former_slugs": "slug"}
_SOURCED = ("source", "locator")
PUBLIC: dict[type[Model], tuple[str, ...]] = {
    CooperationArea: ("code", "name", "description", "stage", "position", "retired"),
    ProductCategory: ("code", "name", "description", "position", "retired"),
    Agency: (
        "key",
        "name",
        "acronym",
        "native_name",
        "native_language",
        "jurisdiction",
        "kind",
        "parent",
        "website",
        "name_supplied",
        "note",
    ),
    AgencyName: ("name", "kind", "language", "used_from", "used_until"),
    Agreement: (
        "slug",
        "title",
        "short_title",
        "original_title",
        "original_language",
        "instrument_type",
        "instrument_title",
        "legal_nature",
        "legal_nature_stated",
        "summary",
        "areas_stated",
        "products",
        "signed_on",
        "signed_city",
        "signed_country",
        "signed_venue",
        "term_stated",
        "renewal_stated",
        "reference_numbers",
        "text_availability",
        "text_url",
        "source_notes",
        "detail_level",
    ),
    Source: (
        "number",
        "kind",
        "publisher",
        "title",
        "language",
        "url",
        "published_on",
        "retrieved_on",
        "archive_url",
    ),
    Participation: (
        "agency",
        "position",
        "role",
        "role_stated",
        "name_as_signed",
        "signed_on",
        "signing_act",
        "joined_on",
        "left_on",
        "note",
    ),
    Signatory: (
        "position",
        "capacity",
        "honorific",
        "name",
        "post",
        "agency",
        "acted_for",
        "note",
    ),
    Provision: (
        "position",
        "area",
        "depth",
        "commitment",
        "products",
        "direction",
        "relying",
        "reference",
        "condition",
        "statement",
        *_SOURCED,
    ),
    Milestone: ("kind", "date", "until", "note", *_SOURCED),
    Relation: ("kind", "target", "target_title", "note", *_SOURCED),
    Outcome: (
        "position",
        "statement",
        "qualifier",
        "figure",
        "unit",
        "stage",
        "products",
        "reported",
        "reported_on",
        "reported_source",
        *_SOURCED,
    ),
    Evidence: ("topic", "statement", "verbatim", *_SOURCED),
    FormerSlug: ("slug",),
}
#: What a revision keeps besides: needed to restore a record, never public.
STAFF: dict[type[Model], tuple[str, ...]] = {
    Agreement: (
        "staff_notes",
        "state",
        # A record that has these is not in the register; its page shows them, no document does.
        "withdrawal_kind",
        "withdrawal_reason",
        "withdrawn_on",
        "merged_into",
    ),
    Source: ("file",),
}
#: Fields that leave the register in no form, and why.
WITHHELD: dict[type[Model], dict[str, str]] = {
    Agreement: {
        "revises": "only a working copy has it, and no working copy is public",
        "lock_version": "keeps two members of staff from overwriting each other",
        "submission": "keeps a form from being saved twice",
        "owner": "for staff only",
        "last_edited_by": "for staff only",
        "published_by": "for staff only",
        "unchecked_because": "for staff only",
        "first_published_at": "the register's own history, not the agreement's",
        "created_at": "when a record was typed says nothing about the agreement",
        "updated_at": "differs after an import; the flat table gives it",
        "signed_on_earliest": "follows from signed_on; the flat table gives it",
        "signed_on_latest": "follows from signed_on; the flat table gives it",
    },
    Participation: {
        "joined_on_earliest": "follows from joined_on",
        "joined_on_latest": "follows from joined_on",
        "left_on_earliest": "follows from left_on",
        "left_on_latest": "follows from left_on",
    },
    Milestone: dict.fromkeys(
        ("date_earliest", "date_latest", "until_earliest", "until_latest"),
        "follows from the date as stated",
    ),
    Source: {
        "checked_at": "about the address, not about the fact",
        "check_result": "about the address, not about the fact",
        "reachable": "about the address, not about the fact",
    },
}


#: A row and the rows that belong to it, as ``record`` tells them.
Record = dict[str, Any]


def record(instance: Model, *, staff: bool = False) -> Record:
    """A row and the rows that belong to it, as plain values in the order of ``PUBLIC``.

    References are written by their natural key, dates as recorded, decimals as text, a missing
    value as None. ``staff`` adds what only a revision may keep.
    """
    noun = type(instance)
    names = PUBLIC[noun] + (STAFF.get(noun, ()) if staff else ())
    row = {name: plain_value(instance, name) for name in names}
    for name in CHILDREN.get(noun, {}):
        children = children_of(instance, name, staff=staff)
        row[name] = [record(child, staff=staff) for child in children]
    return row


def children_of(instance: Any, name: str, *, staff: bool = False) -> Iterable[Any]:
    """The rows that belong to a record by the relation ``name``, in order; only ``staff`` are
    given relations to records that the public may not see."""
    if name == "relations" and not staff:
        relations: list[Relation] = instance.public_relations
        return relations
    rows: QuerySet[Any] = getattr(instance, name).all()
    spelled = SPELLED.get(name)
    return sorted(rows, key=attrgetter(spelled)) if spelled else rows


def in_term_order(terms: Iterable[Any]) -> list[Any]:
    """Words of a vocabulary in its order, the same on both databases."""
    return sorted(terms, key=attrgetter("position", "name"))


def plain_value(instance: Any, name: str) -> Any:
    """What stands in a field, as ``record`` gives it."""
    field = instance._meta.get_field(name)
    if isinstance(field, models.ManyToManyField):
        related = in_term_order(getattr(instance, name).all())
        return [getattr(each, NATURAL_KEY[type(each)]) for each in related]
    return plain(getattr(instance, name))


def plain(value: Any) -> Any:
    """A value as a document holds it: references by key, dates as recorded, decimals as text."""
    # Most are.
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Model):
        return getattr(value, NATURAL_KEY[type(value)])
    if isinstance(value, PartialDate):
        return value.iso
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(getattr(value, "code", value) or "")


def is_public(record: Record) -> bool:
    """Whether the public may see a record that is as revisions keep it: ``querysets.visible``."""
    return record.get("state") == PublicationState.PUBLISHED


def life_of(record: Record) -> tuple[PartialDate | None, list[Event]]:
    """What the status of an agreement follows from, out of its record: signature and milestones."""
    return to_partial_date(record["signed_on"]), [
        Event(row["kind"], to_partial_date(row["date"]), to_partial_date(row["until"]))
        for row in record["milestones"]
    ]


#: What the JSON of an agreement says besides its record, under the names the flat table uses.
DERIVED = ("url", "status", "status_day", "status_because", "updated_at")


def address_of(record: Record, base_url: str = "") -> str:
    """The permanent address of an agreement, out of its record."""
    return base_url + reverse("agreement-detail", args=[record["slug"]])


def told_record(kept: Record, day: datetime.date, base_url: str) -> Record:
    """A public record as ``Digest.records`` gives it, and what follows from it on ``day``."""
    ruling = status_on(day, *life_of(kept))
    told = {name: value for name, value in kept.items() if name not in DERIVED}
    return told | {
        "url": address_of(kept, base_url),
        "status": ruling.status.value,
        "status_day": day.isoformat(),
        "status_because": ruling.because,
        "updated_at": kept["updated_at"],
    }


def coverage_table(grid: Grid) -> list[dict[str, Any]]:
    """Every cell of the grid as plain values. No reach and no exclusion is "not stated"; the
    product is None where the source names none."""
    return [
        {
            "stage": row.stage.value,
            "product": cell.product or None,
            "reaches": [
                {"depth": reach.depth.value, "commitment": reach.commitment.value}
                for reach in cell.reaches
            ],
            "excluded": cell.excluded,
        }
        for row in grid.rows
        for cell in row.cells
    ]


def inverse_relation(relation: Relation) -> dict[str, Any]:
    """A relation that another agreement states, told on the page of its target."""
    return {"kind": relation.kind, "agreement": relation.agreement.slug, "note": relation.note}


def as_snapshot(whole: Record) -> str:
    """A record, its staff fields included, as the JSON text a revision keeps."""
    return json.dumps(whole, ensure_ascii=False, indent=1)


def vocabularies(agreements: AgreementQuerySet) -> dict[str, Iterable[Any]]:
    """What every document of the register holds besides the agreements, by table, in order."""
    return {
        "areas": in_term_order(CooperationArea.objects.all()),
        "products": in_term_order(ProductCategory.objects.all()),
        "agencies": Agency.objects.register()
        .order_by(in_code_order(agreements, "key"))
        .select_related("parent")
        .prefetch_related("names"),
    }


def register_document(agreements: AgreementQuerySet) -> Iterator[str]:
    """The register as one JSON document, in pieces: vocabularies, agencies, agreements by slug."""
    tables: dict[str, Iterable[Model]] = {
        **vocabularies(agreements),
        "agreements": agreements.order_by(in_code_order(agreements, "slug"))
        .with_related()
        .iterator(chunk_size=200),
    }
    yield f'{{\n "format": "{FORMAT}"'
    for table, rows in tables.items():
        yield f',\n "{table}": ['
        separator = "\n  "
        for row in rows:
            text = json.dumps(record(row), ensure_ascii=False, indent=1)
            yield separator + text.replace("\n", "\n  ")
            separator = ",\n  "
        yield "\n ]"
    yield "\n}\n"
