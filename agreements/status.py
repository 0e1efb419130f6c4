"""Where an agreement stands on a given day: worked out from its dates, never typed in.

The rule reads a few *marks* off the signature and the milestones: the last day by which something
of one kind had happened. ``MARKS`` says which kinds make which mark; this module and
``querysets.with_status`` both read it, and a test holds their answers equal.

A date known only to the month or year never makes the register overstate: what opens or prolongs
an agreement counts from the last day it can mean, what closes it from the first. A closing event
without any date counts from the signature.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from django.db.models import TextChoices

from .dates import PartialDate


class Status(TextChoices):
    """The answers, in the order in which an agreement usually meets them."""

    UNDER_NEGOTIATION = "under_negotiation", "Under negotiation"
    SIGNED = "signed", "Signed"
    PROVISIONALLY_APPLIED = "provisionally_applied", "Provisionally applied"
    IN_EFFECT = "in_effect", "In effect"
    SUSPENDED = "suspended", "Suspended"
    TERM_LAPSED = "term_lapsed", "Term lapsed – renewal not confirmed"
    EXPIRED = "expired", "Expired"
    TERMINATED = "terminated", "Terminated"
    SUPERSEDED = "superseded", "Superseded"
    NOT_KNOWN = "not_known", "Not known"


#: An agreement stands while it is one of these: many real ones state no date of effect.
STANDING = (Status.SIGNED, Status.PROVISIONALLY_APPLIED, Status.IN_EFFECT)


class MilestoneKind(TextChoices):
    """What can happen to an agreement. The groups below say which of them decide its status."""

    NEGOTIATION_OPENED = "negotiation_opened", "Negotiation opened"
    PROPOSED = "proposed", "Proposed"
    APPROVED = "approved", "Approved"
    ANNOUNCED = "announced", "Announced"
    RATIFIED = "ratified", "Ratified"
    PUBLISHED = "published", "Text published"
    ENTERED_INTO_FORCE = "entered_into_force", "Entered into force"
    IN_OPERATION = "in_operation", "Began operating"
    PROVISIONALLY_APPLIED = "provisionally_applied", "Provisionally applied"
    REPORTED_IN_EFFECT = "reported_in_effect", "Reported to be in effect"
    TERM_SET = "term_set", "Term set"
    CAPABILITY_RECOGNISED = "capability_recognised", "Capability recognised"
    PART_IN_OPERATION = "part_in_operation", "Part began operating"
    SCOPE_EXTENDED = "scope_extended", "Scope extended"
    AMENDED = "amended", "Amended"
    TEXT_REVISED = "text_revised", "Text revised"
    MEMBER_JOINED = "member_joined", "Member joined"
    MEMBER_LEFT = "member_left", "Member left"
    RENAMED = "renamed", "Renamed"
    REVIEW_DUE = "review_due", "Review due"
    RENEWED = "renewed", "Renewed"
    SUSPENDED = "suspended", "Suspended"
    RESUMED = "resumed", "Resumed"
    EXPIRED = "expired", "Expired"
    TERMINATED = "terminated", "Terminated"
    ABANDONED = "abandoned", "Abandoned before taking effect"
    SUPERSEDED = "superseded", "Superseded"
    OTHER = "other", "Other event"


_K = MilestoneKind

#: Mark -> the kinds that make it. The mark is the latest day on which one of them counts.
MARKS: dict[str, frozenset[MilestoneKind]] = {
    "negotiated": frozenset({_K.NEGOTIATION_OPENED, _K.PROPOSED}),
    "provisional": frozenset({_K.PROVISIONALLY_APPLIED}),
    "effective": frozenset({_K.ENTERED_INTO_FORCE, _K.IN_OPERATION, _K.REPORTED_IN_EFFECT}),
    "renewed": frozenset({_K.RENEWED}),
    "suspended": frozenset({_K.SUSPENDED}),
    "resumed": frozenset({_K.RESUMED}),
    "expired": frozenset({_K.EXPIRED}),
    "superseded": frozenset({_K.SUPERSEDED}),
    "terminated": frozenset({_K.TERMINATED, _K.ABANDONED}),
}
#: These count from the last day their date can mean; all others from the first.
OPENING = MARKS["provisional"] | MARKS["effective"] | MARKS["renewed"] | MARKS["resumed"]
#: Only these may be recorded without a date; they then count from the signature.
UNDATED_ALLOWED = (
    MARKS["suspended"] | MARKS["expired"] | MARKS["superseded"] | MARKS["terminated"]
) | {_K.TERM_SET}
#: Only these may state until when the agreement then runs.
TERM_SETTING = MARKS["provisional"] | MARKS["effective"] | MARKS["renewed"] | {_K.TERM_SET}


class Dated(Protocol):
    """What the rule needs of a milestone."""

    @property
    def kind(self) -> str: ...
    @property
    def date(self) -> PartialDate | None: ...
    @property
    def until(self) -> PartialDate | None: ...


@dataclass(frozen=True)
class Ruling:
    """A status and its working.

    ``milestone`` is the event that decided, None where the signature or the absence of facts did;
    ``because`` is a sentence the page prints.
    """

    status: Status
    because: str
    milestone: Dated | None = None


def counts_from(milestone: Dated, signed_on: PartialDate | None) -> datetime.date:
    """The day from which a milestone counts."""
    if milestone.date is None:
        return signed_on.earliest if signed_on else datetime.date.min
    return milestone.date.latest if milestone.kind in OPENING else milestone.date.earliest


def status_on(
    day: datetime.date, signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> Ruling:
    """The status of an agreement on ``day``, and the fact that decided it.

    Final is what terminated it, then what replaced it; it has expired unless renewed on or after
    that day; its term has lapsed when the latest stated end has passed and no renewal without an
    end is recorded; it is suspended unless resumed on or after that day; in effect, provisionally
    applied or signed by what has happened by then; under negotiation if only that is recorded.
    """
    past = sorted(((counts_from(m, signed_on), m) for m in milestones), key=lambda pair: pair[0])
    past = [(counted, m) for counted, m in past if counted <= day]

    def last(mark: str) -> tuple[datetime.date, Dated] | None:
        return next((pair for pair in reversed(past) if pair[1].kind in MARKS[mark]), None)

    def stands(closing: str, undone_by: str) -> Dated | None:
        closed, undone = last(closing), last(undone_by)
        return closed[1] if closed and (undone is None or undone[0] < closed[0]) else None

    if found := last("terminated"):
        return _ruling(Status.TERMINATED, found[1])
    if found := last("superseded"):
        return _ruling(Status.SUPERSEDED, found[1])
    if expired := stands("expired", "renewed"):
        return _ruling(Status.EXPIRED, expired)
    if lapsed := _lapsed_term(day, [m for _, m in past]):
        return Ruling(
            Status.TERM_LAPSED,
            f"The stated term ended: {lapsed.until}. No renewal is recorded.",
            lapsed,
        )
    if suspended := stands("suspended", "resumed"):
        return _ruling(Status.SUSPENDED, suspended)
    if found := last("effective"):
        return _ruling(Status.IN_EFFECT, found[1])
    if found := last("provisional"):
        return _ruling(Status.PROVISIONALLY_APPLIED, found[1])
    if signed_on and signed_on.earliest <= day:
        return Ruling(Status.SIGNED, f"Signed: {signed_on}. No date of effect is stated.")
    if found := last("negotiated"):
        return _ruling(Status.UNDER_NEGOTIATION, found[1])
    return Ruling(
        Status.NOT_KNOWN, "No date of signature or of effect is recorded on or before this day."
    )


def first_effect(
    day: datetime.date, signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> Dated | None:
    """The first event by ``day`` from which an agreement counts as effective or provisionally
    applied; None where no source states one."""
    kinds = MARKS["effective"] | MARKS["provisional"]
    past = [m for m in milestones if m.kind in kinds and counts_from(m, signed_on) <= day]
    return min(past, key=lambda m: counts_from(m, signed_on), default=None)


def _lapsed_term(day: datetime.date, past: list[Dated]) -> Dated | None:
    """The milestone whose stated end was the last to pass, if no later end is open."""
    terms = [(m.until, m) for m in past if m.until and m.kind in TERM_SETTING]
    if not terms or any(m.kind in MARKS["renewed"] and m.until is None for m in past):
        return None
    until, milestone = max(terms, key=lambda term: term[0].earliest)
    return milestone if until.earliest < day else None


def _ruling(status: Status, milestone: Dated) -> Ruling:
    label = MilestoneKind(milestone.kind).label
    if milestone.date is None:
        return Ruling(status, f"{label}, on a day that is not stated.", milestone)
    because = f"{label}: {milestone.date}."
    if milestone.date.precision != "day":
        end = "last" if milestone.kind in OPENING else "first"
        because += f" The day is not stated; the {end} day it can mean is counted."
    return Ruling(status, because, milestone)
