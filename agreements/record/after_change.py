"""What follows every change of a record, by whatever path it came: what is derived from it, and a
revision.

Not a signal: inlines are saved after their agreement, and only the caller knows when the record
is whole.
"""

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Max, Model
from django.utils import timezone
from django.utils.text import Truncator

from ..exports import NATURAL_KEY, Record, as_snapshot, is_public, recorded, snapshot
from ..models import Agency, Agreement, Authorship, Edition, Revision
from ..models.querysets import PublicationState, batched
from .derive import SEVERAL, derive_written
from .differences import differences, in_one_line, references


def record_change(
    agreement_ids: Iterable[int],
    *,
    reason: str,
    user: User | None = None,
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
    for few in batched(ids, SEVERAL):
        made += _record_chunk(few, reason, user, name, moved)
    return made


def _record_chunk(
    ids: Sequence[int], reason: str, user: User | None, name: str, moved: bool
) -> int:
    revised = dict(Agreement.objects.filter(pk__in=ids).values_list("pk", "revises"))
    written = [Written(pk, record, revises_id=revised[pk]) for pk, record in recorded(ids).items()]
    return record_written(written, reason=reason, user=user, name=name, moved=moved)


@dataclass(frozen=True)
class Written:
    """A record as it stands after a change: ``exports.recorded``. One that is ``new`` has no
    revision yet. The history of a working copy stands with the record it ``revises``."""

    agreement_id: int
    record: Record
    new: bool = False
    revises_id: int | None = None

    @property
    def history(self) -> tuple[int, bool]:
        """The record with which its revisions stand, and whether they are a working copy's."""
        return self.revises_id or self.agreement_id, self.revises_id is not None


def record_written(
    written: Sequence[Written],
    *,
    reason: str,
    user: User | None = None,
    name: str = "",
    moved: bool = False,
    dated: bool = False,
) -> int:
    """``record_change`` for a caller who knows how a few hundred records stand now. Those that are
    ``dated`` say themselves when they last changed, which is believed of a register that was
    empty: nobody has a copy yet."""
    known = [each.history[0] for each in written if not each.new]
    histories = Revision.objects.filter(agreement__in=known).order_by()
    newest = {
        (record, of_working_copy): text
        for record, of_working_copy, text in Revision.objects.filter(
            pk__in=histories.values("agreement", "of_working_copy").values(newest=Max("pk"))
        ).values_list("agreement", "of_working_copy", "snapshot")
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
            if not dated:
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
    if not changed:
        return 0
    # Before the time is taken: the row is locked until the change is committed, so what is
    # committed later bears a later time.
    Edition.renew(public=public)
    Revision.objects.bulk_create(revisions)
    moment = timezone.now()
    marks: dict[str, Any] = {"lock_version": F("lock_version") + 1}
    if not moved:
        marks["last_edited_by"] = user
    if not dated:
        marks["updated_at"] = moment
    Agreement.objects.filter(pk__in=[each.agreement_id for each in changed]).update(**marks)
    if user and not moved:
        Authorship.objects.bulk_create(
            [
                Authorship(agreement_id=each.agreement_id, person=user, name=made_by_name)
                for each in changed
            ],
            ignore_conflicts=True,
        )
    derive_written({each.agreement_id: each.record for each in changed})
    _tell_again(told, moment)
    return len(revisions)


#: The states in which the public sees a record, or its tombstone.
_SEEN = {PublicationState.PUBLISHED, PublicationState.WITHDRAWN}

#: What the records related to one tell of it: its slug, None while it is not public, and kind,
#: target and note of each of its relations.
_Told = tuple[str | None, tuple[tuple[str, str, str], ...]]


def _told(snapshot: Record) -> _Told:
    if not is_public(snapshot):
        return None, ()
    relations = [row for row in snapshot["relations"] if row["target"]]
    return snapshot["slug"], tuple((row["kind"], row["target"], row["note"]) for row in relations)


def _tell_again(pairs: list[tuple[_Told, _Told]], moment: datetime.datetime) -> None:
    """Date and derive the records anew that tell something of one that came to the public, left
    it, moved, or names others than before: whoever keeps a copy of theirs would miss it.

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
        telling = list(Agreement.objects.telling_of(slugs, named).values_list("pk", flat=True))
        for few in batched(telling, SEVERAL):
            Agreement.objects.filter(pk__in=few).update(updated_at=moment)
            derive_written(recorded(few))


def _what_differs(before: str | None, after: str) -> str:
    if before is None:
        return "Edited"
    found = differences(json.loads(before), json.loads(after))
    return Truncator(f"Edited: {in_one_line(found)}").chars(500)


def names_in(
    records: Iterable[Record], *, model: type[Model] = Agreement, public: bool = False
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


def present_addresses(records: Iterable[Record]) -> dict[str, str]:
    """The present address of each public record that these records refer to, by the address that
    they know it by."""
    keys = references(records)[Agreement]
    register = Agreement.objects.register()
    found = register.filter(slug__in=keys).values_list("slug", "slug")
    moved = register.filter(former_slugs__slug__in=keys).values_list("former_slugs__slug", "slug")
    return dict(moved) | dict(found)


def record_decision(agreement: Agreement, *, reason: str, user: User) -> None:
    """Append a revision for what changes no content: an approval, a working copy given up.

    Call it inside the transaction of the decision, with the record locked.
    """
    Revision.objects.create(
        agreement_id=agreement.revises_id or agreement.pk,
        of_working_copy=agreement.revises_id is not None,
        made_by=user,
        made_by_name=user.get_username(),
        reason=reason,
        snapshot=snapshot(agreement),
    )
    Agreement.objects.filter(pk=agreement.pk).update(lock_version=F("lock_version") + 1)
