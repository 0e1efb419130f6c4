"""The register as data: each public field named once, and thin writers over that list.

``PUBLIC`` is the allow-list of what leaves the register; a test demands that every model field is
either in it or in ``WITHHELD`` with a reason. ``importer`` reads the same lists backwards.
"""

import csv
import datetime
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Model

from .coverage import Grid, Partner, Stage
from .dates import PartialDate
from .models import (
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
from .querysets import AgreementQuerySet, in_code_order

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


def record(instance: Model, *, staff: bool = False) -> dict[str, Any]:
    """A row and the rows that belong to it, as plain values in the order of ``PUBLIC``.

    References are written by their natural key, dates as recorded, decimals as text, a missing
    value as None. ``staff`` adds what only a revision may keep.
    """
    noun = type(instance)
    names = PUBLIC[noun] + (STAFF.get(noun, ()) if staff else ())
    row = {name: _plain(instance, name) for name in names}
    for name in CHILDREN.get(noun, {}):
        children = getattr(instance, name).all()
        if name == "relations" and not staff:
            children = instance.public_relations  # type: ignore[attr-defined]
        row[name] = [record(child, staff=staff) for child in children]
    return row


def _plain(instance: Model, name: str) -> Any:
    field = instance._meta.get_field(name)
    if isinstance(field, models.ManyToManyField):
        related = getattr(instance, name).all()
        return [getattr(each, NATURAL_KEY[type(each)]) for each in related]
    value = getattr(instance, name)
    if isinstance(value, Model):
        return getattr(value, NATURAL_KEY[type(value)])
    if isinstance(value, PartialDate):
        return value.iso
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(getattr(value, "code", value) or "")


#: What the JSON of an agreement says besides its record, under the names the flat table uses.
DERIVED = ("url", "status", "status_day", "status_because", "updated_at")


def told_record(agreement: Agreement, day: datetime.date, base_url: str) -> dict[str, Any]:
    """The public record and what follows from it on ``day``; comes ``with_related()``."""
    ruling = agreement.ruling_on(day)
    return record(agreement) | {
        "url": base_url + agreement.get_absolute_url(),
        "status": ruling.status.value,
        "status_day": day.isoformat(),
        "status_because": ruling.because,
        "updated_at": agreement.updated_at.isoformat(timespec="seconds"),
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


def snapshot(agreement: Agreement) -> str:
    """The whole record as the JSON text a revision keeps. A working copy goes by the address of
    the record that it revises."""
    told = record(agreement, staff=True)
    if agreement.revises:
        told["slug"] = agreement.revises.slug
    return json.dumps(told, ensure_ascii=False, indent=1)


def register_document(agreements: AgreementQuerySet) -> Iterator[str]:
    """The register as one JSON document, in pieces: vocabularies, agencies, agreements by slug."""
    tables: dict[str, Iterable[Model]] = {
        "areas": CooperationArea.objects.all(),
        "products": ProductCategory.objects.all(),
        "agencies": Agency.objects.register()
        .order_by(in_code_order(agreements, "key"))
        .select_related("parent")
        .prefetch_related("names"),
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


# --- The flat table: one row an agreement -------------------------------------------------------

#: Joins the values of a list in one cell.
LIST_SEPARATOR = " | "
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
STAGE_COLUMNS = {stage: f"coverage_{stage.value}" for stage in Stage}
COLUMNS = (
    "id",
    "title",
    "short_title",
    "original_title",
    "instrument_type",
    "instrument_title",
    "legal_nature",
    "participants",
    "participant_jurisdictions",
    "signed_on",
    "signed_on_earliest",
    "signed_on_latest",
    "signed_city",
    "signed_country",
    "status",
    "status_day",
    "status_because",
    *STAGE_COLUMNS.values(),
    "cross_cutting_areas",
    "products",
    "relations",
    "summary",
    "source_notes",
    "sources",
    "url",
    "updated_at",
)


def flat_row(agreement: Agreement, day: datetime.date, base_url: str) -> dict[str, Any]:
    """One agreement as the columns of ``COLUMNS``; ``day`` is the day its status is told for."""
    ruling = agreement.ruling_on(day)
    participants = [part.agency for part in agreement.participations_on(day)]
    jurisdictions = dict.fromkeys(str(agency.jurisdiction) for agency in participants)
    whole = {cell.stage: cell for cell in agreement.stages}
    return {
        "id": agreement.slug,
        **{
            name: getattr(agreement, name)
            for name in (
                "title",
                "short_title",
                "original_title",
                "instrument_type",
                "instrument_title",
                "legal_nature",
                "signed_city",
                "summary",
                "source_notes",
            )
        },
        "participants": LIST_SEPARATOR.join(agency.short_name for agency in participants),
        "participant_jurisdictions": LIST_SEPARATOR.join(filter(None, jurisdictions)),
        "signed_on": agreement.signed_on.iso if agreement.signed_on else "",
        "signed_on_earliest": agreement.signed_on_earliest or "",
        "signed_on_latest": agreement.signed_on_latest or "",
        "signed_country": agreement.signed_country.code or "",
        "status": ruling.status.value,
        "status_day": day,
        "status_because": ruling.because,
        **{
            column: str(whole[stage]) if whole[stage].provisions else ""
            for stage, column in STAGE_COLUMNS.items()
        },
        "cross_cutting_areas": LIST_SEPARATOR.join(
            dict.fromkeys(p.area.name for p in agreement.provisions.all() if not p.stage)
        ),
        "products": LIST_SEPARATOR.join(product.name for product in agreement.products.all()),
        "relations": LIST_SEPARATOR.join(
            f"{relation.kind}: {relation.target.slug if relation.target else relation.target_title}"
            for relation in agreement.public_relations
        ),
        "sources": LIST_SEPARATOR.join(
            source.url or f"{source.publisher}: {source.title}"
            for source in agreement.sources.all()
        ),
        "url": base_url + agreement.get_absolute_url(),
        "updated_at": agreement.updated_at.isoformat(timespec="seconds"),
    }


def guard(value: Any) -> str:
    """The text of a cell that no spreadsheet takes for a formula: an apostrophe goes before it.

    A text that begins with an apostrophe gets one too, so that ``unguard`` is exact.
    """
    text = str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def unguard(text: str) -> str:
    """The inverse of ``guard``."""
    return text[1:] if text.startswith("'") else text


class _Echo:
    def write(self, text: str) -> str:
        return text


def agreements_csv(
    agreements: AgreementQuerySet, day: datetime.date, base_url: str
) -> Iterator[str]:
    """The flat table as RFC 4180 text with a byte order mark, a few hundred rows in memory."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)
    for agreement in agreements.with_tabled().iterator(chunk_size=200):
        row = flat_row(agreement, day, base_url)
        yield writer.writerow([guard(row[column]) for column in COLUMNS])


#: The columns of the table of partners, for ever: new ones go to the end.
PARTNER_COLUMNS = (
    "subject",
    "status_day",
    "partner",
    "partner_name",
    "partner_jurisdiction",
    "agreements",
    "agreement_ids",
    *(
        f"{stage}_{column}"
        for stage in Stage.values
        for column in ("depth", "commitment", "excluded", "agreements", "agreement_ids")
    ),
    "no_stage_agreements",
    "no_stage_agreement_ids",
)


def partner_row(partner: Partner) -> dict[str, Any]:
    """What stands with one partner, as the columns of ``PARTNER_COLUMNS`` that follow from it."""
    row: dict[str, Any] = {"partner": partner.key} | _counted("", partner.agreements)
    for cell in partner.cells:
        stage, deepest = cell.whole.stage.value, cell.whole.deepest
        row |= {
            f"{stage}_depth": deepest.depth.value if deepest else "",
            f"{stage}_commitment": deepest.commitment.value if deepest else "",
            f"{stage}_excluded": "yes" if cell.whole.excluded else "",
        }
        row |= _counted(f"{stage}_", cell.agreements)
    return row | _counted("no_stage_", partner.without_stage)


def _counted(prefix: str, slugs: tuple[str, ...]) -> dict[str, Any]:
    return {
        f"{prefix}agreements": len(slugs),
        f"{prefix}agreement_ids": LIST_SEPARATOR.join(slugs),
    }


def partners_csv(rows: Iterable[dict[str, Any]]) -> str:
    """The table of partners as RFC 4180 text with a byte order mark."""
    writer = csv.writer(_Echo())
    lines = [writer.writerow(PARTNER_COLUMNS)]
    lines += [writer.writerow([guard(row[name]) for name in PARTNER_COLUMNS]) for row in rows]
    return "\ufeff" + "".join(lines)
