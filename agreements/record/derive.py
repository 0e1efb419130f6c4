"""What is worked out of a record when it changes, and kept: by whoever changes a record, and by
``manage.py derive`` where the rules have changed. Everybody else reads it.
"""

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from .. import question
from ..dates import PartialDate
from ..exports import CHILDREN, PUBLIC, Names, Record, flat_line, is_public, life_of, recorded
from ..exports.tables import AGREEMENTS
from ..models import (
    Agency,
    Agreement,
    CooperationArea,
    Digest,
    Edition,
    InstrumentType,
    Outcome,
    ProductCategory,
    Provision,
    SearchDocument,
    Standing,
    search,
)
from ..models.querysets import batched
from ..rules.status import Dated, MilestoneKind, Period, odd_until, standings
from .oddities import unsourced

#: The number of the rules by which things are worked out of records. Whoever changes what follows
#: from a record (status, search terms, an entry, a column that is worked out) adds one.
RULES = 3
#: Whole records in memory at a time.
SEVERAL = 500
#: PostgreSQL refuses a tsvector of more than 1 MB; no record of real length comes near.
MAX_INDEX_BYTES = 500_000


def reindex_agencies(agency_ids: Iterable[int]) -> None:
    """Derive anew every agreement in which these agencies appear, and begin a new edition of the
    register if it shows one of them."""
    ids = list(agency_ids)
    Edition.renew(public=Agency.objects.register().filter(pk__in=ids).exists())
    agencies = Agency.objects.filter(pk__in=ids)
    touched = Agreement.objects.filter(participations__agency__in=agencies) | (
        Agreement.objects.filter(signatories__agency__in=agencies)
    )
    derive_all(touched.distinct())


def reindex_terms(terms: Iterable[CooperationArea | ProductCategory]) -> None:
    """Derive anew every agreement that uses these words of the vocabularies, and begin a new
    edition of the register, which has them whole.

    A renamed term changes no record, which has its code. An area that moves to another stage
    changes the coverage of all that have it: they are dated anew.
    """
    areas = [term.pk for term in terms if isinstance(term, CooperationArea)]
    products = [term.pk for term in terms if isinstance(term, ProductCategory)]
    provisions = Provision.objects.filter(Q(area__in=areas) | Q(products__in=products))
    outcomes = Outcome.objects.filter(products__in=products)
    touched = Agreement.objects.filter(
        Q(products__in=products)
        | Q(pk__in=provisions.values("agreement"))
        | Q(pk__in=outcomes.values("agreement"))
    )
    Edition.renew()
    restaged = [t.pk for t in terms if isinstance(t, CooperationArea) and t.moved_to_another_stage]
    if restaged:
        Agreement.objects.having_areas(restaged).update(updated_at=timezone.now())
    derive_all(touched.distinct())


def rules_number() -> int:
    """``RULES``, and what the public fields and columns are: where either has changed, ``manage.py
    derive`` works everything out anew."""
    shape = zlib.crc32(repr((PUBLIC, AGREEMENTS.header)).encode()) & 0xFFFF
    return RULES << 16 | shape


def underived() -> QuerySet[Agreement]:
    """The agreements of which nothing was worked out by the present rules."""
    derived = Digest.objects.filter(agreement=OuterRef("pk"), rules=rules_number())
    return Agreement.objects.filter(~Exists(derived))


def derive_all(
    agreements: QuerySet[Agreement], progress: Callable[[int, int], None] | None = None
) -> int:
    """Derive all these agreements anew, some hundreds in a transaction, and tell ``progress`` after
    each how many of how many are done. Returns how many they are."""
    ids = list(agreements.order_by("pk").values_list("pk", flat=True))
    done = 0
    # No more at once: SQLite refuses to be asked for the other ends of a thousand relations.
    for few in batched(ids, SEVERAL):
        derive(few)
        done += len(few)
        if progress:
            progress(done, len(ids))
    return len(ids)


@transaction.atomic
def derive(agreement_ids: Sequence[int]) -> None:
    """Work out anew what follows from some hundreds of agreements, and begin a new edition of the
    register if it has one of them."""
    chosen = Agreement.objects.filter(pk__in=agreement_ids)
    # Before the records are read: the row is locked until the end, and whoever changes a record
    # waits for it. So what is kept never follows from an older state than the one that stands.
    Edition.renew(public=chosen.register().exists())
    derive_written(recorded(agreement_ids))


def derive_written(records: Mapping[int, Record]) -> None:
    """Keep what follows from some hundreds of records (``exports.recorded``), by the keys of their
    agreements. Call it in the transaction of the change, after a new edition has begun and all
    columns of the agreements are written."""
    known = _Known(records)
    SearchDocument.objects.bulk_create(
        [known.search_document(pk, record) for pk, record in records.items()],
        update_conflicts=True,
        unique_fields=["agreement"],
        update_fields=["title_terms", "all_terms", "passages"],
    )
    lives = {pk: life_of(record) for pk, record in records.items()}
    periods = derive_standings(lives)
    serial, rules = Edition.present_serial(), rules_number()
    digests = []
    for pk, record in records.items():
        public = known.public_record(pk, record) if is_public(record) else None
        digests.append(
            Digest(
                agreement_id=pk,
                rules=rules,
                serial=serial,
                unsourced=unsourced(record),
                odd_until=odd_until(*lives[pk]),
                entry=question.as_text(record, known.stages, periods[pk]),
                record=_as_json(public) if public else "",
                line=flat_line(public, known.names) if public else "",
            )
        )
    columns = [field.name for field in Digest._meta.concrete_fields if not field.primary_key]
    Digest.objects.bulk_create(
        digests, update_conflicts=True, unique_fields=["agreement"], update_fields=columns
    )


#: What the status of an agreement follows from: its signature and its milestones.
Life = tuple[PartialDate | None, Collection[Dated]]


def derive_standings(lives: Mapping[int, Life]) -> dict[int, list[Period]]:
    """Work out the standings of these agreements, by their keys, and write those that differ."""
    periods = {agreement: standings(*life) for agreement, life in lives.items()}
    wanted = {
        (agreement, period.from_day): (period.status.value, period.until_day)
        for agreement, found in periods.items()
        for period in found
    }
    gone, kept = [], set()
    for pk, agreement, from_day, *told in Standing.objects.filter(agreement__in=lives).values_list(
        "pk", "agreement", "from_day", "status", "until_day"
    ):
        stored = (agreement, from_day)
        if stored not in wanted:
            gone.append(pk)
        elif wanted[stored] == tuple(told):
            kept.add(stored)
    if gone:
        Standing.objects.filter(pk__in=gone).delete()
    Standing.objects.bulk_create(
        [
            Standing(agreement_id=of, from_day=from_day, status=status, until_day=until_day)
            for (of, from_day), (status, until_day) in wanted.items()
            if (of, from_day) not in kept
        ],
        update_conflicts=True,
        unique_fields=["agreement", "from_day"],
        update_fields=["status", "until_day"],
    )
    return periods


class _Known:
    """What follows from records and from what stands behind their keys and codes."""

    def __init__(self, records: Mapping[int, Record]) -> None:
        keys = {part["agency"] for each in records.values() for part in each["participations"]}
        agencies = Agency.objects.filter(key__in=keys).prefetch_related("names")
        #: All names by which an agency is found.
        self.agencies = {
            agency.key: [
                agency.name,
                agency.acronym,
                agency.native_name,
                str(agency.jurisdiction.name or ""),
                *(other.name for other in agency.names.all()),
            ]
            for agency in agencies
        }
        areas = CooperationArea.objects.values_list("code", "name", "stage")
        self.names = Names(
            {agency.key: (agency.short_name, str(agency.jurisdiction)) for agency in agencies},
            {code: (name, stage) for code, name, stage in areas},
            dict(ProductCategory.objects.values_list("code", "name")),
        )
        self.stages = {code: stage for code, _, stage in areas}
        targets = {row["target"] for each in records.values() for row in each["relations"]}
        public = Agreement.objects.register().filter(slug__in=targets - {None})
        self.public = set(public.values_list("slug", flat=True))
        changed = Agreement.objects.filter(pk__in=records).values_list("pk", "updated_at")
        self.changed = dict(changed)

    def public_record(self, pk: int, record: Record) -> Record:
        """``Digest.record``: as ``exports.record`` gives it to the public, and when it changed."""
        told = {name: record[name] for name in PUBLIC[Agreement]}
        for name, noun in CHILDREN[Agreement].items():
            told[name] = [{field: row[field] for field in PUBLIC[noun]} for row in record[name]]
        told["relations"] = [
            row for row in told["relations"] if row["target"] in self.public or not row["target"]
        ]
        return told | {"updated_at": self.changed[pk].isoformat(timespec="seconds")}

    def search_document(self, pk: int, of: Record) -> SearchDocument:
        """The search terms of one record."""
        title = [of["title"], of["short_title"], of["original_title"]]
        signed_in = Agreement(
            **{name: of[name] for name in ("signed_venue", "signed_city", "signed_country")}
        ).signed_in
        texts = [
            *title,
            # A draft may be without.
            dict(InstrumentType.choices).get(of["instrument_type"], ""),
            of["instrument_title"],
            of["summary"],
            of["areas_stated"],
            signed_in,
            of["reference_numbers"],
            of["source_notes"],
        ]
        for part in of["participations"]:
            texts += [*self.agencies[part["agency"]], part["name_as_signed"], part["note"]]
        for person in of["signatories"]:
            texts += [person[name] for name in ("honorific", "name", "post", "acted_for")]
        for provision in of["provisions"]:
            texts += [
                self.names.areas[provision["area"]][0],
                provision["statement"],
                provision["condition"],
            ]
        texts += [self.names.products[code] for code in of["products"]]
        for milestone in of["milestones"]:
            texts += [str(MilestoneKind(milestone["kind"]).label), milestone["note"]]
        texts += [outcome["statement"] for outcome in of["outcomes"]]
        texts += [outcome["reported"] for outcome in of["outcomes"]]
        texts += [relation["target_title"] for relation in of["relations"]]
        for source in of["sources"]:
            texts += [source["publisher"], source["title"]]
        return SearchDocument(
            agreement_id=pk,
            title_terms=_terms(title),
            all_terms=_terms(texts),
            # The titles stand above an excerpt anyway.
            passages=_passages(texts[len(title) :]),
        )


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _passages(texts: list[str]) -> str:
    """Each text that says anything, on a line of its own, each once."""
    return "\n".join(dict.fromkeys(" ".join(text.split()) for text in texts if text))


# The names of agencies, areas and products stand in many records.
_terms_of = lru_cache(maxsize=4096)(search.document_terms)


def _terms(texts: list[str]) -> str:
    """The terms of all texts, each once: presence is all that the index is asked for."""
    kept, size = [], 0
    for term in dict.fromkeys(term for text in texts if text for term in _terms_of(text)):
        size += len(term) + 1
        if size > MAX_INDEX_BYTES:
            break
        kept.append(term)
    return " ".join(kept)
