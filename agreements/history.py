"""What follows every change of a record, by whatever path it came: search terms and a revision.

Not a signal: inlines are saved after their agreement, and only the caller knows when the record
is whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.utils import timezone

from . import search
from .exports import as_snapshot, recorded
from .models import (
    Agency,
    Agreement,
    CooperationArea,
    Edition,
    InstrumentType,
    ProductCategory,
    Revision,
    SearchDocument,
)
from .status import MilestoneKind

#: PostgreSQL refuses a tsvector of more than 1 MB; no record of real length comes near.
MAX_INDEX_BYTES = 500_000


def record_change(
    agreement_ids: Iterable[int],
    *,
    reason: str,
    user: Any = None,
    name: str = "",
    moved: bool = False,
) -> int:
    """Re-index these agreements and append one revision to each that really changed.

    ``user`` made the change, or ``name`` did (a command). Whoever only ``moved`` a record from
    one publication state to another does not become its last editor. Returns the number of
    revisions. Call it inside the transaction of the change.
    """
    made = 0
    ids = list(agreement_ids)
    for start in range(0, len(ids), 500):
        made += _record_chunk(ids[start : start + 500], reason, user, name, moved)
    return made


def _record_chunk(ids: list[int], reason: str, user: Any, name: str, moved: bool) -> int:
    written = [_stored(each) for each in Agreement.objects.filter(pk__in=ids).with_related()]
    return record_written(written, reason=reason, user=user, name=name, moved=moved)


@dataclass(frozen=True)
class Written:
    """A record as it stands after a change: ``exports.recorded``. One that is ``new`` has no
    revision yet. The history of a working copy stands with the record it ``revises``."""

    agreement_id: int
    record: dict[str, Any]
    new: bool = False
    revises_id: int | None = None

    @property
    def history(self) -> tuple[int, bool]:
        """The record with which its revisions stand, and whether they are a working copy's."""
        return self.revises_id or self.agreement_id, self.revises_id is not None


def _stored(agreement: Agreement) -> Written:
    return Written(agreement.pk, recorded(agreement), revises_id=agreement.revises_id)


def record_written(
    written: Sequence[Written],
    *,
    reason: str,
    user: Any = None,
    name: str = "",
    moved: bool = False,
) -> int:
    """``record_change`` for a caller who knows how a few hundred records stand now."""
    _index(written)
    known = [each.history[0] for each in written if not each.new]
    # The newest revision of each; ordered by key, so the last of a group stays in the dictionary.
    newest = {
        (record, of_working_copy): text
        for record, of_working_copy, text in Revision.objects.filter(agreement__in=known)
        .order_by("pk")
        .values_list("agreement", "of_working_copy", "snapshot")
    }
    made_by_name = user.get_username() if user else name
    changed, revisions = [], []
    for each in written:
        record, of_working_copy = each.history
        text = as_snapshot(each.record)
        if newest.get(each.history) == text:
            continue
        changed.append(each)
        revisions.append(
            Revision(
                agreement_id=record,
                of_working_copy=of_working_copy,
                made_by=user,
                made_by_name=made_by_name,
                reason=reason,
                snapshot=text,
            )
        )
    Revision.objects.bulk_create(revisions)
    marks: dict[str, Any] = {"lock_version": F("lock_version") + 1}
    if not moved:
        marks["last_edited_by"] = user
    Agreement.objects.filter(pk__in=[each.agreement_id for each in changed]).update(**marks)
    # What has just been made says itself when it last changed.
    older = [each.agreement_id for each in changed if not each.new]
    Agreement.objects.filter(pk__in=older).update(updated_at=timezone.now())
    return len(revisions)


def reindex_agencies(agency_ids: Iterable[int]) -> None:
    """Renew the search terms of every agreement in which these agencies appear."""
    agencies = Agency.objects.filter(pk__in=list(agency_ids))
    touched = Agreement.objects.filter(participations__agency__in=agencies) | (
        Agreement.objects.filter(signatories__agency__in=agencies)
    )
    reindex(list(touched.distinct().with_related()))


def reindex_terms(terms: Iterable[CooperationArea | ProductCategory]) -> None:
    """Renew the search terms of every agreement that uses these words of the vocabularies."""
    areas = [term.pk for term in terms if isinstance(term, CooperationArea)]
    products = [term.pk for term in terms if isinstance(term, ProductCategory)]
    touched = Agreement.objects.filter(provisions__area__in=areas) | (
        Agreement.objects.filter(products__in=products)
    )
    reindex(list(touched.distinct().with_related()))


def reindex(agreements: list[Agreement]) -> None:
    """Write the search terms of these agreements, which come ``with_related()``, and begin a new
    edition of the register."""
    _index([_stored(each) for each in agreements])


def _index(written: Sequence[Written]) -> None:
    Edition.renew()
    words = _Words(written)
    SearchDocument.objects.bulk_create(
        [words.document(each) for each in written],
        update_conflicts=True,
        unique_fields=["agreement"],
        update_fields=["title_terms", "all_terms", "passages"],
    )


class _Words:
    """Finds the words of records, for which it knows the names behind their keys and codes."""

    def __init__(self, written: Iterable[Written]) -> None:
        keys = {part["agency"] for each in written for part in each.record["participations"]}
        self.agencies: dict[str, list[str]] = {}
        for agency in Agency.objects.filter(key__in=keys).prefetch_related("names"):
            self.agencies[agency.key] = [
                agency.name,
                agency.acronym,
                agency.native_name,
                str(agency.jurisdiction.name or ""),
                *(other.name for other in agency.names.all()),
            ]
        self.areas = dict(CooperationArea.objects.values_list("code", "name"))
        self.products = dict(ProductCategory.objects.values_list("code", "name"))

    def document(self, written: Written) -> SearchDocument:
        """The search terms of one record."""
        of = written.record
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
                self.areas[provision["area"]],
                provision["statement"],
                provision["condition"],
            ]
        texts += [self.products[code] for code in of["products"]]
        for milestone in of["milestones"]:
            texts += [str(MilestoneKind(milestone["kind"]).label), milestone["note"]]
        texts += [outcome["statement"] for outcome in of["outcomes"]]
        texts += [outcome["reported"] for outcome in of["outcomes"]]
        texts += [relation["target_title"] for relation in of["relations"]]
        for source in of["sources"]:
            texts += [source["publisher"], source["title"]]
        return SearchDocument(
            agreement_id=written.agreement_id,
            title_terms=_terms(title),
            all_terms=_terms(texts),
            # The titles stand above an excerpt anyway.
            passages=_passages(texts[len(title) :]),
        )


def _passages(texts: list[str]) -> str:
    """Each text that says anything, on a line of its own, each once."""
    return "\n".join(dict.fromkeys(" ".join(text.split()) for text in texts if text))


def _terms(texts: list[str]) -> str:
    """The terms of all texts, each once: presence is all that the index is asked for."""
    kept, size = [], 0
    for term in dict.fromkeys(term for text in texts for term in search.document_terms(text)):
        size += len(term) + 1
        if size > MAX_INDEX_BYTES:
            break
        kept.append(term)
    return " ".join(kept)
