"""What follows every change of a record, by whatever path it came: search terms and a revision.

Not a signal: inlines are saved after their agreement, and only the caller knows when the record
is whole.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import F
from django.utils import timezone

from . import search
from .exports import snapshot
from .models import (
    Agency,
    Agreement,
    CooperationArea,
    Edition,
    ProductCategory,
    Revision,
    SearchDocument,
)
from .querysets import PublicationState

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
    agreements = list(Agreement.objects.filter(pk__in=ids).with_related())
    reindex(agreements)
    # The newest revision of each; ordered by key, so the last of a group stays in the dictionary.
    histories = [agreement.revises_id or agreement.pk for agreement in agreements]
    newest = {
        (record, of_working_copy): text
        for record, of_working_copy, text in Revision.objects.filter(agreement__in=histories)
        .order_by("pk")
        .values_list("agreement", "of_working_copy", "snapshot")
    }
    made_by_name = user.get_username() if user else name
    changed, revisions, told = [], [], []
    for agreement, record in zip(agreements, histories, strict=True):
        of_working_copy, text = agreement.revises_id is not None, snapshot(agreement)
        before = newest.get((record, of_working_copy))
        if before == text:
            continue
        changed.append(agreement.pk)
        if not of_working_copy:
            told.append((_told(json.loads(before or "{}")), _told(json.loads(text))))
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
    changes = {"updated_at": timezone.now(), "lock_version": F("lock_version") + 1}
    if not moved:
        changes["last_edited_by"] = user
    Agreement.objects.filter(pk__in=changed).update(**changes)
    _tell_again(told, changes["updated_at"])
    return len(revisions)


#: What the records related to one tell of it: its slug, None while it is not public, and kind,
#: target and note of each of its relations.
_Told = tuple[str | None, tuple[tuple[str, str, str], ...]]


def _told(snapshot: dict[str, Any]) -> _Told:
    if snapshot.get("state") != PublicationState.PUBLISHED:
        return None, ()
    relations = [row for row in snapshot["relations"] if row["target"]]
    return snapshot["slug"], tuple((row["kind"], row["target"], row["note"]) for row in relations)


def _tell_again(pairs: list[tuple[_Told, _Told]], moment: Any) -> None:
    """Date the records anew that tell something of one that came to the public, left it, moved, or
    names others than before: whoever keeps a copy of theirs would miss it.

    ``pairs`` has of each changed record what was told of it and what is told now.
    """
    slugs: set[str] = set()
    named: set[str] = set()
    for (slug_before, before), (slug, now) in pairs:
        elsewhere = slug_before != slug
        slugs |= {each for each in (slug_before, slug) if elsewhere and each}
        relations = {*before, *now} if elsewhere else {*before} ^ {*now}
        named |= {target for _, target, _ in relations}
    if slugs or named:
        Agreement.objects.telling_of(slugs, named).update(updated_at=moment)


def reindex_agencies(agency_ids: Iterable[int]) -> None:
    """Renew the search terms of every agreement in which these agencies appear."""
    agencies = Agency.objects.filter(pk__in=list(agency_ids))
    touched = Agreement.objects.filter(participations__agency__in=agencies) | (
        Agreement.objects.filter(signatories__agency__in=agencies)
    )
    reindex(list(touched.distinct().with_related()))


def reindex_terms(terms: Iterable[CooperationArea | ProductCategory]) -> None:
    """Renew the search terms of every agreement that uses these words of the vocabularies.

    A renamed term changes no record, which has its code. An area that moves to another stage
    changes the coverage of all that have it: they are dated anew.
    """
    areas = [term.pk for term in terms if isinstance(term, CooperationArea)]
    products = [term.pk for term in terms if isinstance(term, ProductCategory)]
    touched = Agreement.objects.filter(provisions__area__in=areas) | (
        Agreement.objects.filter(products__in=products)
    )
    reindex(list(touched.distinct().with_related()))
    restaged = [t.pk for t in terms if isinstance(t, CooperationArea) and t.moved_to_another_stage]
    if restaged:
        Agreement.objects.having_areas(restaged).update(updated_at=timezone.now())


def reindex(agreements: list[Agreement]) -> None:
    """Write the search terms of these agreements, which come ``with_related()``, and begin a new
    edition of the register."""
    Edition.renew()
    agency_ids = {part.agency_id for a in agreements for part in a.participations.all()}
    names: dict[int, list[str]] = {}
    for agency in Agency.objects.filter(pk__in=agency_ids).prefetch_related("names"):
        names[agency.pk] = [
            agency.name,
            agency.acronym,
            agency.native_name,
            str(agency.jurisdiction.name or ""),
            *(other.name for other in agency.names.all()),
        ]
    SearchDocument.objects.bulk_create(
        [_document(agreement, names) for agreement in agreements],
        update_conflicts=True,
        unique_fields=["agreement"],
        update_fields=["title_terms", "all_terms", "passages"],
    )


def _document(agreement: Agreement, agency_names: dict[int, list[str]]) -> SearchDocument:
    title = [agreement.title, agreement.short_title, agreement.original_title]
    texts = [
        *title,
        agreement.get_instrument_type_display(),
        agreement.instrument_title,
        agreement.summary,
        agreement.areas_stated,
        agreement.signed_in,
        agreement.reference_numbers,
        agreement.source_notes,
    ]
    for part in agreement.participations.all():
        texts += [*agency_names[part.agency_id], part.name_as_signed, part.note]
    for person in agreement.signatories.all():
        texts += [person.honorific, person.name, person.post, person.acted_for]
    for provision in agreement.provisions.all():
        texts += [provision.area.name, provision.statement, provision.condition]
    texts += [product.name for product in agreement.products.all()]
    for milestone in agreement.milestones.all():
        texts += [milestone.get_kind_display(), milestone.note]
    texts += [outcome.statement for outcome in agreement.outcomes.all()]
    texts += [outcome.reported for outcome in agreement.outcomes.all()]
    texts += [relation.target_title for relation in agreement.relations.all()]
    for source in agreement.sources.all():
        texts += [source.publisher, source.title]
    return SearchDocument(
        agreement=agreement,
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
