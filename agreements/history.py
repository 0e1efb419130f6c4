"""What follows every change of a record, by whatever path it came: what is worked out of it (search
terms, standings) and a revision.

Not a signal: inlines are saved after their agreement, and only the caller knows when the record
is whole.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Model, OuterRef, QuerySet
from django.utils import timezone
from django.utils.text import Truncator

from . import search
from .changes import differences, in_one_line, references
from .dates import PartialDate, to_partial_date
from .exports import NATURAL_KEY, as_snapshot, recorded, snapshot
from .models import (
    Agency,
    Agreement,
    Authorship,
    CooperationArea,
    Digest,
    Edition,
    InstrumentType,
    ProductCategory,
    Revision,
    SearchDocument,
    Standing,
)
from .oddities import unsourced
from .querysets import PublicationState, batched
from .status import Dated, Event, MilestoneKind, odd_until, standings

#: The number of the rules by which things are worked out of records. Whoever changes what follows
#: from a record (status, search terms, what is odd in it) adds one: ``manage.py derive`` then finds
#: what is to be worked out anew.
RULES = 1
#: Whole records in memory at a time.
_SEVERAL = 500
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
    """Derive what follows from these agreements, append one revision to each that really changed.

    Without a ``reason``, each revision says what differs: "Edited: title; provisions: 1 added".
    ``user`` made the change, or ``name`` did (a command). Whoever only ``moved`` a record from
    one publication state to another becomes neither its last editor nor an author. Returns the
    number of revisions. Call it inside the transaction of the change.
    """
    made = 0
    ids = list(agreement_ids)
    for few in batched(ids, _SEVERAL):
        made += _record_chunk(few, reason, user, name, moved)
    return made


def _record_chunk(ids: Sequence[int], reason: str, user: Any, name: str, moved: bool) -> int:
    written = [_stored(each) for each in Agreement.objects.filter(pk__in=ids).with_related()]
    return record_written(written, reason=reason, user=user, name=name, moved=moved)


@dataclass(frozen=True)
class Written:
    """A record as it stands after a change: ``exports.recorded``. One that is ``new`` has no
    revision yet; one that is ``dated`` says itself when it last changed, which is believed of a
    register that was empty: nobody has a copy yet. The history of a working copy stands with the
    record it ``revises``."""

    agreement_id: int
    record: dict[str, Any]
    new: bool = False
    dated: bool = False
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
    known = [each.history[0] for each in written if not each.new]
    # The newest revision of each; ordered by key, so the last of a group stays in the dictionary.
    newest = {
        (record, of_working_copy): text
        for record, of_working_copy, text in Revision.objects.filter(agreement__in=known)
        .order_by("pk")
        .values_list("agreement", "of_working_copy", "snapshot")
    }
    made_by_name = user.get_username() if user else name
    changed, revisions, told, public = [], [], [], False
    for each in written:
        record, of_working_copy = each.history
        text = as_snapshot(each.record)
        before = newest.get(each.history)
        if before == text:
            continue
        changed.append(each)
        if not of_working_copy:
            earlier = json.loads(before or "{}")
            public |= not _SEEN.isdisjoint((earlier.get("state"), each.record["state"]))
            if not each.dated:
                told.append((_told(earlier), _told(each.record)))
        revisions.append(
            Revision(
                agreement_id=record,
                of_working_copy=of_working_copy,
                made_by=user,
                made_by_name=made_by_name,
                reason=reason or _what_differs(before, text),
                snapshot=text,
            )
        )
    if changed:
        # Before the time is taken: the row is locked until the change is committed, so what is
        # committed later bears a later time.
        Edition.renew(public=public)
    _derive(written)
    Revision.objects.bulk_create(revisions)
    marks: dict[str, Any] = {"lock_version": F("lock_version") + 1}
    if not moved:
        marks["last_edited_by"] = user
    Agreement.objects.filter(pk__in=[each.agreement_id for each in changed]).update(**marks)
    if user and not moved:
        Authorship.objects.bulk_create(
            [
                Authorship(agreement_id=each.agreement_id, person=user, name=made_by_name)
                for each in changed
            ],
            ignore_conflicts=True,
        )
    moment = timezone.now()
    undated = [each.agreement_id for each in changed if not each.dated]
    Agreement.objects.filter(pk__in=undated).update(updated_at=moment)
    _tell_again(told, moment)
    return len(revisions)


#: The states in which the public sees a record, or its tombstone.
_SEEN = {PublicationState.PUBLISHED, PublicationState.WITHDRAWN}

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


def _what_differs(before: str | None, after: str) -> str:
    if before is None:
        return "Edited"
    found = differences(json.loads(before), json.loads(after))
    return Truncator(f"Edited: {in_one_line(found)}").chars(500)


def names_in(
    records: Iterable[dict[str, Any]], *, model: type[Model] = Agreement, public: bool = False
) -> dict[type[Model], dict[str, str]]:
    """The present names of the agencies, terms and agreements that these records refer to.

    What is no longer here has none; ``public`` also leaves out what is not in the register.
    """
    named: dict[type[Model], dict[str, str]] = {}
    for noun, keys in references(records, model).items():
        rows: Any = noun._default_manager
        rows = rows.register() if public and noun in (Agency, Agreement) else rows.all()
        key = NATURAL_KEY[noun]
        named[noun] = {getattr(row, key): str(row) for row in rows.filter(**{f"{key}__in": keys})}
    return named


def present_addresses(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The present address of each public record that these records refer to, by the address that
    they know it by."""
    keys = references(records)[Agreement]
    register = Agreement.objects.register()
    found = register.filter(slug__in=keys).values_list("slug", "slug")
    moved = register.filter(former_slugs__slug__in=keys).values_list("former_slugs__slug", "slug")
    return dict(moved) | dict(found)


def record_decision(agreement: Agreement, *, reason: str, user: Any) -> None:
    """Append a revision for what changes no content: an approval, a working copy given up.

    Call it inside the transaction of the decision, with the record locked.
    """
    Revision.objects.create(
        agreement_id=agreement.revises_id or agreement.pk,
        of_working_copy=agreement.revises_id is not None,
        made_by=user,
        made_by_name=user.get_username(),
        reason=reason,
        snapshot=snapshot(Agreement.objects.with_related().get(pk=agreement.pk)),
    )
    Agreement.objects.filter(pk=agreement.pk).update(lock_version=F("lock_version") + 1)


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
    touched = Agreement.objects.filter(provisions__area__in=areas) | (
        Agreement.objects.filter(products__in=products)
    )
    Edition.renew()
    derive_all(touched.distinct())
    restaged = [t.pk for t in terms if isinstance(t, CooperationArea) and t.moved_to_another_stage]
    if restaged:
        Agreement.objects.having_areas(restaged).update(updated_at=timezone.now())


def underived() -> QuerySet[Agreement]:
    """The agreements of which nothing was worked out by the present ``RULES``."""
    derived = Digest.objects.filter(agreement=OuterRef("pk"), rules=RULES)
    return Agreement.objects.filter(~Exists(derived))


def derive_all(
    agreements: QuerySet[Agreement], progress: Callable[[int, int], None] | None = None
) -> int:
    """Derive all these agreements anew, some hundreds in a transaction, and tell ``progress`` after
    each how many of how many are done. Returns how many they are."""
    ids = list(agreements.order_by("pk").values_list("pk", flat=True))
    done = 0
    # No more at once: SQLite refuses to be asked for the other ends of a thousand relations.
    for few in batched(ids, _SEVERAL):
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
    _derive([_stored(each) for each in chosen.with_related()])


def _derive(written: Sequence[Written]) -> None:
    words = _Words(written)
    SearchDocument.objects.bulk_create(
        [words.document(each) for each in written],
        update_conflicts=True,
        unique_fields=["agreement"],
        update_fields=["title_terms", "all_terms", "passages"],
    )
    lives = {each.agreement_id: _life(each.record) for each in written}
    derive_standings(lives)
    Digest.objects.bulk_create(
        [
            Digest(
                agreement_id=each.agreement_id,
                rules=RULES,
                unsourced=unsourced(each.record),
                odd_until=odd_until(*lives[each.agreement_id]),
            )
            for each in written
        ],
        update_conflicts=True,
        unique_fields=["agreement"],
        update_fields=["rules", "unsourced", "odd_until"],
    )


#: What the status of an agreement follows from: its signature and its milestones.
Life = tuple[PartialDate | None, Collection[Dated]]


def _life(record: dict[str, Any]) -> Life:
    return to_partial_date(record["signed_on"]), [
        Event(row["kind"], to_partial_date(row["date"]), to_partial_date(row["until"]))
        for row in record["milestones"]
    ]


def derive_standings(lives: Mapping[int, Life]) -> None:
    """Work out the standings of these agreements, by their keys, and write those that differ."""
    wanted = {
        (agreement, period.from_day): (period.status.value, period.until_day)
        for agreement, life in lives.items()
        for period in standings(*life)
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
