"""Who may move a record from draft to review to published to withdrawn, and what each move does.

Every move is one transaction: the row is locked, the version that the person saw is compared with
the present one, the record is changed, and one revision says who did it and why. A record that is
or was public is edited in a working copy, an agreement whose ``revises`` names the record;
publishing it replaces the record's content (docs/adr/0012).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction

from .exports import STAFF, record
from .importer import restore
from .models import (
    Agreement,
    Authorship,
    DetailLevel,
    Edition,
    EvidenceTopic,
    Provision,
    Revision,
)
from .models.querysets import PublicationState
from .record.after_change import record_change, record_decision

EDIT = "agreements.change_agreement"
PUBLISH = "agreements.publish_agreement"


class Move(models.TextChoices):
    """What can be done with a record as a whole."""

    SUBMIT = "submit", "Submit for review"
    RETURN = "return", "Return to draft"
    PUBLISH = "publish", "Publish"
    APPROVE = "approve", "Approve"
    BEGIN = "edit", "Edit in a working copy"
    DISCARD = "discard", "Discard the working copy"
    READDRESS = "move", "Move to another address"
    WITHDRAW = "withdraw", "Withdraw"
    PUBLISH_AGAIN = "publish-again", "Publish again"


class Allowed(NamedTuple):
    """One allowed move: from a state, to a state (None: the record goes), with a permission."""

    before: PublicationState
    move: Move
    after: PublicationState | None
    permission: str


_S = PublicationState
#: Every move there is. A working copy is a draft or in review, so that only the moves of these
#: states are open to it; when it is published it goes, and the record it revises keeps its state.
ALLOWED = (
    Allowed(_S.DRAFT, Move.SUBMIT, _S.IN_REVIEW, EDIT),
    Allowed(_S.DRAFT, Move.PUBLISH, _S.PUBLISHED, PUBLISH),
    Allowed(_S.DRAFT, Move.DISCARD, None, EDIT),
    Allowed(_S.IN_REVIEW, Move.RETURN, _S.DRAFT, EDIT),
    Allowed(_S.IN_REVIEW, Move.PUBLISH, _S.PUBLISHED, PUBLISH),
    Allowed(_S.IN_REVIEW, Move.DISCARD, None, EDIT),
    Allowed(_S.PUBLISHED, Move.APPROVE, _S.PUBLISHED, PUBLISH),
    Allowed(_S.PUBLISHED, Move.BEGIN, _S.PUBLISHED, EDIT),
    Allowed(_S.PUBLISHED, Move.READDRESS, _S.PUBLISHED, PUBLISH),
    Allowed(_S.PUBLISHED, Move.WITHDRAW, _S.WITHDRAWN, PUBLISH),
    Allowed(_S.WITHDRAWN, Move.BEGIN, _S.WITHDRAWN, EDIT),
    Allowed(_S.WITHDRAWN, Move.PUBLISH_AGAIN, _S.PUBLISHED, PUBLISH),
)

PERMISSION = {row.move: row.permission for row in ALLOWED}

#: States whose content the public sees or saw: it is changed in a working copy only.
FROZEN = (PublicationState.PUBLISHED, PublicationState.WITHDRAWN)


class Missing(NamedTuple):
    """What a record lacks before it may be published, and where in its form that is typed."""

    anchor: str
    sentence: str


class Refused(Exception):
    """The move is not possible now; the text says why. Nothing was written."""


class Gone(Refused):
    """The record is no longer there."""


class Conflict(Refused):
    """Somebody changed the record after the person opened it. ``change`` is the last revision."""

    def __init__(self, change: Revision | None) -> None:
        self.change = change
        super().__init__("The record was changed after you opened this page.")


class Incomplete(Refused):
    """The record lacks what a published record needs. ``missing`` names each."""

    def __init__(self, missing: list[Missing]) -> None:
        self.missing = missing
        super().__init__(" ".join(each.sentence for each in missing))


# --- Rules --------------------------------------------------------------------------------------


def missing(agreement: Agreement) -> list[Missing]:
    """What must still be typed before the public may see the record, in the order of the form."""
    lacks: list[Missing] = []
    if not agreement.title.strip():
        lacks.append(Missing("id_title", "Type the title."))
    if not agreement.instrument_type:
        lacks.append(Missing("id_instrument_type", "Choose the kind of instrument."))
    if not _undated_for_a_reason(agreement):
        lacks.append(
            Missing(
                "id_signed_on",
                "Give the date of signature. If no source states it, record an event with its "
                "date, or say so in the notes on the sources.",
            )
        )
    # Not by its own manager: what the desk's list has prefetched knows only the depth of each.
    own = Provision.objects.filter(agreement=agreement)
    provisions = list(own.select_related("area").order_by("position", "pk"))
    described = agreement.detail_level == DetailLevel.DESCRIBED
    if described and not (agreement.summary.strip() or provisions):
        lacks.append(
            Missing(
                "id_summary",
                "Write a summary or record a provision. If only a list names the instrument, "
                "choose that as its level of detail.",
            )
        )
    if not agreement.sources.exclude(publisher="").exists():
        lacks.append(Missing("sources-group", "Name at least one source with its publisher."))
    if not agreement.participations.all():
        lacks.append(Missing("participations-group", "Name at least one participant."))
    for number, provision in enumerate(provisions):
        if provision.source_id is None:
            lacks.append(
                Missing(f"provisions-{number}", f"Choose the source that says: {provision.area}.")
            )
    return lacks


def _undated_for_a_reason(agreement: Agreement) -> bool:
    """Whether the signature is dated or something on record explains that it is not."""
    return bool(
        agreement.signed_on
        or agreement.milestones.all()
        or agreement.source_notes.strip()
        or any(e.topic == EvidenceTopic.SIGNED_ON for e in agreement.evidence.all())
    )


def is_second_person(agreement: Agreement, user: User) -> bool:
    """Whether this person edited nothing of what no second person has checked yet."""
    return not Agreement.objects.written_by(user).filter(pk=agreement.pk).exists()


def moves_open_to(agreement: Agreement, user: User) -> list[Move]:
    """The moves that this person may make with the record as it stands."""
    return [move for move in Move if not _objection(agreement, move, user)]


def check(agreement: Agreement, move: Move, user: User) -> None:
    """Raise PermissionDenied if this person may not make the move, Refused if nobody may now."""
    objection = _objection(agreement, move, user)
    if objection:
        raise objection


def _objection(agreement: Agreement, move: Move, user: User) -> Exception | None:
    if not user.has_perm(PERMISSION[move]):
        return PermissionDenied(f"{move.label}: your role does not allow this.")
    if not any(row.before == agreement.state and row.move == move for row in ALLOWED):
        return Refused(
            f"{move.label}: not possible. The record is now: {agreement.get_state_display()}."
        )
    own = agreement.owner_id == user.pk
    if move == Move.RETURN and not (own or user.has_perm(PUBLISH)):
        return PermissionDenied("Only a publisher or the record's owner returns it to draft.")
    if move == Move.DISCARD:
        if agreement.revises_id is None:
            return Refused("This is not a working copy.")
        if not (own or user.has_perm(PUBLISH)):
            return PermissionDenied("Only who began the working copy or a publisher discards it.")
    if move == Move.APPROVE:
        if not agreement.unchecked_because:
            return Refused("The record needs no approval: a second person has checked it.")
        if user.pk == agreement.published_by_id or not is_second_person(agreement, user):
            return PermissionDenied("Another person must approve what you edited or published.")
    return None


def working_copy_of(agreement: Agreement) -> Agreement | None:
    """The working copy in which the record is being changed, if there is one."""
    return Agreement.objects.filter(revises=agreement).select_related("owner").first()


def last_change(agreement: Agreement) -> Revision | None:
    """The newest revision of the record, or of the working copy if it is one."""
    of_working_copy = agreement.revises_id is not None
    history = Revision.objects.filter(
        agreement=agreement.revises_id or agreement.pk, of_working_copy=of_working_copy
    )
    return history.order_by("-pk").first()


def changed_meanwhile(working_copy: Agreement) -> list[Revision]:
    """Changes of the published content since the working copy was begun, which it lacks and would
    undo: those of an import. A move to another address or a withdrawal is none."""
    history = Revision.objects.filter(agreement=working_copy.revises_id, of_working_copy=False)
    begun = working_copy.created_at
    known = history.filter(made_at__lte=begun).order_by("-pk").first()
    before = content(known.record) if known else None
    changes = []
    for revision in history.filter(made_at__gt=begun).order_by("pk"):
        after = content(revision.record)
        if before is not None and after != before:
            changes.append(revision)
        before = after
    return changes


def content(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says apart from its address and its standing with the public: what a restored
    version brings back."""
    standing = {"slug", "former_slugs", *STAFF[Agreement]} - {"staff_notes"}
    return {name: value for name, value in record.items() if name not in standing}


# --- Moves --------------------------------------------------------------------------------------
# Each takes the key of the record, the version that the person saw and the person. Each raises
# Gone, PermissionDenied, Conflict or Refused, and ValidationError, by field, for what was typed.


def _locked(pk: int, move: Move, lock_version: int, user: User) -> Agreement:
    """The record, locked until the transaction ends, on which this move may now be made."""
    Edition.lock()
    agreement = Agreement.objects.select_for_update().filter(pk=pk).first()
    if agreement is None:
        raise Gone(
            "This record is not here any more. A working copy goes when it is published or "
            "discarded."
        )
    if not user.has_perm(PERMISSION[move]):
        raise PermissionDenied(f"{move.label}: your role does not allow this.")
    if agreement.lock_version != lock_version:
        raise Conflict(last_change(agreement))
    check(agreement, move, user)
    return agreement


def _to(agreement: Agreement, state: PublicationState, user: User, reason: str) -> None:
    agreement.state = state
    agreement.save()
    record_change([agreement.pk], reason=reason, user=user, moved=True)


@transaction.atomic
def submit(pk: int, lock_version: int, user: User) -> Agreement:
    """Ask for review."""
    agreement = _locked(pk, Move.SUBMIT, lock_version, user)
    _to(agreement, PublicationState.IN_REVIEW, user, "Submitted for review")
    return agreement


@transaction.atomic
def return_to_draft(pk: int, lock_version: int, user: User, *, note: str) -> Agreement:
    """End the review without publishing; the note tells why."""
    agreement = _locked(pk, Move.RETURN, lock_version, user)
    _to(agreement, PublicationState.DRAFT, user, f"Returned to draft: {note}")
    return agreement


@transaction.atomic
def publish(
    pk: int, lock_version: int, user: User, *, reason: str = "", replace: bool = False
) -> Agreement:
    """Show the record to the public; returns the published record.

    ``reason`` says why nobody else checks it first: needed from every author, and kept until
    another person approves. ``replace`` agrees that a working copy undoes what an import changed
    meanwhile. Raises Incomplete.
    """
    agreement = _locked(pk, Move.PUBLISH, lock_version, user)
    if lacks := missing(agreement):
        raise Incomplete(lacks)
    checked = is_second_person(agreement, user)
    if not checked and not reason:
        raise ValidationError(
            {"reason": "You edited it: say why nobody else checks it before it is published."}
        )
    unchecked_because = "" if checked else reason
    told = f"Published without a second check: {reason}" if unchecked_because else "Published"
    if agreement.revises_id is None:
        agreement.published_by = user
        agreement.unchecked_because = unchecked_because
        if checked:
            agreement.authorships.all().delete()
        _to(agreement, PublicationState.PUBLISHED, user, told)
        return agreement
    if changed_meanwhile(agreement) and not replace:
        raise ValidationError(
            {"replace": "The published record was changed meanwhile: say that this replaces it."}
        )
    original = Agreement.objects.select_for_update().get(pk=agreement.revises_id)
    original.published_by = user
    original.unchecked_because = unchecked_because
    original.last_edited_by_id = agreement.last_edited_by_id
    original.save()
    _hand_over_authors(agreement, original, checked=checked)
    content = record(Agreement.objects.with_related().get(pk=pk), staff=True)
    # Its revisions stand with the original; nothing else outlives it.
    agreement.delete()
    restore(original, content)
    if not record_change([original.pk], reason=told, user=user, moved=True):
        raise Refused("The working copy changes nothing: discard it.")
    return original


def _hand_over_authors(working_copy: Agreement, original: Agreement, *, checked: bool) -> None:
    """What is published unchecked keeps its authors, who may not approve it."""
    if checked:
        original.authorships.all().delete()
        return
    authors = [
        Authorship(agreement=original, person_id=each.person_id, name=each.name)
        for each in working_copy.authorships.all()
    ]
    Authorship.objects.bulk_create(authors, ignore_conflicts=True)


@contextmanager
def as_if_published(agreement: Agreement) -> Iterator[Agreement]:
    """Inside, the database stands as if the record were published; afterwards nothing has changed.

    So a preview is the very page that the public would see. Yields the record, ``with_related()``.
    """
    with transaction.atomic():
        public = agreement
        if agreement.revises_id:
            public = Agreement.objects.get(pk=agreement.revises_id)
            # As a draft it may still be incomplete, and it tells of no withdrawal.
            public.state = PublicationState.DRAFT
            _forget_withdrawal(public)
            public.save()
            restore(
                public, record(Agreement.objects.with_related().get(pk=agreement.pk), staff=True)
            )
        Agreement.objects.filter(pk=public.pk).update(state=PublicationState.PUBLISHED)
        yield Agreement.objects.with_related().with_compared().get(pk=public.pk)
        transaction.set_rollback(True)


@transaction.atomic
def approve(pk: int, lock_version: int, user: User) -> Agreement:
    """The second check of what was published without one."""
    agreement = _locked(pk, Move.APPROVE, lock_version, user)
    agreement.unchecked_because = ""
    agreement.save(update_fields=["unchecked_because"])
    agreement.authorships.all().delete()
    record_decision(agreement, reason="Approved after publication", user=user)
    return agreement


@transaction.atomic
def withdraw(
    pk: int,
    lock_version: int,
    user: User,
    *,
    withdrawal_kind: str,
    withdrawal_reason: str,
    merged_into: Agreement | None = None,
) -> Agreement:
    """Take the record from the register; its address tells the kind, the reason and, if merged,
    where its content stands now."""
    agreement = _locked(pk, Move.WITHDRAW, lock_version, user)
    if merged_into and not merged_into.public:
        raise ValidationError({"merged_into": "The public cannot see that record."})
    agreement.withdrawal_kind = withdrawal_kind
    agreement.withdrawal_reason = withdrawal_reason
    agreement.withdrawn_on = None
    agreement.merged_into = merged_into
    agreement.state = PublicationState.WITHDRAWN
    agreement.clean()
    agreement.validate_constraints()
    kind = agreement.get_withdrawal_kind_display().lower()
    _to(agreement, PublicationState.WITHDRAWN, user, f"Withdrawn, {kind}")
    return agreement


@transaction.atomic
def publish_again(pk: int, lock_version: int, user: User, *, reason: str) -> Agreement:
    """Bring back what was withdrawn. Raises Incomplete."""
    agreement = _locked(pk, Move.PUBLISH_AGAIN, lock_version, user)
    if lacks := missing(agreement):
        raise Incomplete(lacks)
    _forget_withdrawal(agreement)
    _to(agreement, PublicationState.PUBLISHED, user, f"Published again: {reason}")
    return agreement


def _forget_withdrawal(agreement: Agreement) -> None:
    agreement.withdrawal_kind = agreement.withdrawal_reason = ""
    agreement.withdrawn_on = agreement.merged_into = None


@transaction.atomic
def readdress(pk: int, lock_version: int, user: User, *, slug: str) -> Agreement:
    """Move the record to another address; the present one leads there for good."""
    agreement = _locked(pk, Move.READDRESS, lock_version, user)
    left, agreement.slug = agreement.slug, slug
    if left == slug:
        raise ValidationError({"slug": "This is its present address."})
    others = {field.name for field in Agreement._meta.fields if field.name != "slug"}
    agreement.full_clean(exclude=others)
    _to(agreement, PublicationState.PUBLISHED, user, f"Moved from the address {left}")
    return agreement


@transaction.atomic
def begin_working_copy(pk: int, lock_version: int, user: User) -> Agreement:
    """Begin to change a record that the public sees; returns the working copy. Asked twice by one
    person, it is begun once."""
    original = _locked(pk, Move.BEGIN, lock_version, user)
    begun = working_copy_of(original)
    if begun and begun.owner_id == user.pk:
        return begun
    if begun:
        raise Refused(f"{begun.owner or 'Somebody'} has already begun a working copy.")
    working_copy = Agreement.objects.create(
        revises=original,
        # No public address can hold a tilde.
        slug=f"{original.slug[:100]}~{original.pk}",
        title=original.title,
        owner=user,
        # Whoever begins has not edited: an untouched copy is still the last editor's work.
        last_edited_by_id=original.last_edited_by_id,
    )
    restore(working_copy, record(Agreement.objects.with_related().get(pk=pk), staff=True))
    record_change([working_copy.pk], reason="Working copy begun", user=user, moved=True)
    return working_copy


@transaction.atomic
def discard_working_copy(pk: int, lock_version: int, user: User) -> Agreement:
    """Give up a working copy; returns the record it revises. The history keeps what it said."""
    working_copy = _locked(pk, Move.DISCARD, lock_version, user)
    record_decision(working_copy, reason="Working copy discarded", user=user)
    original = Agreement.objects.get(working_copy=working_copy)
    working_copy.delete()
    return original
