"""Where an agreement stands on a given day: worked out from its dates, never typed in.

The rule reads a few *marks* off the signature and the milestones: the last day by which something
of one kind had happened. ``MARKS`` says which kinds make which mark. ``standings`` works out all
days at once; what it says is kept in the database and looked up there (``querysets.with_status``).

A date known only to the month or year never makes the register overstate: what opens or prolongs
an agreement counts from the last day it can mean, what closes it from the first. A closing event
without any date counts from the signature.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db.models import TextChoices

from ..dates import PartialDate


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


#: An agreement at its end: no term of it lapses any more and no review of it falls due.
CLOSED = (Status.EXPIRED, Status.TERMINATED, Status.SUPERSEDED)


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
#: No kind makes two marks.
_MARK_OF: dict[str, str] = {kind: mark for mark, kinds in MARKS.items() for kind in kinds}
#: These count from the last day their date can mean; all others from the first.
OPENING = MARKS["provisional"] | MARKS["effective"] | MARKS["renewed"] | MARKS["resumed"]
#: Only these may be recorded without a date; they then count from the signature.
UNDATED_ALLOWED = (
    MARKS["suspended"] | MARKS["expired"] | MARKS["superseded"] | MARKS["terminated"]
) | {_K.TERM_SET}
#: With these an agreement begins to have effect.
TAKES_EFFECT = MARKS["provisional"] | MARKS["effective"]
#: These happen to an agreement that has been signed; before its signature they are most likely a
#: slip. What its participants do on the way to it may come earlier, and may be abandoned.
FOLLOWS_SIGNATURE = (
    TAKES_EFFECT
    | MARKS["renewed"]
    | MARKS["suspended"]
    | MARKS["resumed"]
    | MARKS["expired"]
    | MARKS["superseded"]
    | {_K.TERMINATED, _K.AMENDED, _K.SCOPE_EXTENDED, _K.PART_IN_OPERATION}
)
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


class Event(NamedTuple):
    """A milestone without its row."""

    kind: str
    date: PartialDate | None
    until: PartialDate | None


#: How a deciding event is told after the name of the status. ``{when}`` is "on 27 July 2023", "in
#: May 2010" or "on a day that is not stated". A status that its event names needs no "because".
WORKING: dict[str, str] = {
    _K.NEGOTIATION_OPENED: "because negotiation opened {when}",
    _K.PROPOSED: "because it was proposed {when}",
    _K.ENTERED_INTO_FORCE: "because it entered into force {when}",
    _K.IN_OPERATION: "because it began operating {when}",
    _K.REPORTED_IN_EFFECT: "because it was reported to be in effect {when}",
    _K.PROVISIONALLY_APPLIED: "because its provisional application began {when}",
    _K.SUSPENDED: "{when}",
    _K.EXPIRED: "{when}",
    _K.SUPERSEDED: "{when}",
    _K.TERMINATED: "{when}",
    _K.ABANDONED: "because it was abandoned {when}, before it took effect",
}


class Ruling(NamedTuple):
    """A status and its working.

    ``working`` continues the name of the status: "because it entered into force on 27 July 2023".
    ``milestone`` is the event that decided, None where the signature or the absence of facts did.
    ``caveat`` is a sentence on what the working does not settle, or empty.
    """

    status: Status
    working: str
    milestone: Dated | None = None
    caveat: str = ""

    @property
    def because(self) -> str:
        """Status and working as one sentence, then the caveat."""
        return f"{self.status.label} {self.working}. {self.caveat}".rstrip()


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
    past: list[tuple[datetime.date, Dated]] = []
    later: list[Dated] = []
    latest: dict[str, tuple[datetime.date, Dated]] = {}
    for milestone in milestones:
        counted = counts_from(milestone, signed_on)
        if counted > day:
            later.append(milestone)
            continue
        past.append((counted, milestone))
        mark = _MARK_OF.get(milestone.kind)
        # The last of each mark: a later one takes the place of an earlier.
        if mark and (mark not in latest or latest[mark][0] <= counted):
            latest[mark] = (counted, milestone)
    last = latest.get

    def stands(closing: str, undone_by: str) -> Dated | None:
        closed, undone = last(closing), last(undone_by)
        return closed[1] if closed and (undone is None or undone[0] < closed[0]) else None

    if found := last("terminated"):
        return _ruling(Status.TERMINATED, found[1])
    if found := last("superseded"):
        return _ruling(Status.SUPERSEDED, found[1])
    if expired := stands("expired", "renewed"):
        return _ruling(Status.EXPIRED, expired)
    if term := _lapsed_term(day, past):
        until, lapsed = term
        return Ruling(
            Status.TERM_LAPSED,
            f"because no renewal is recorded after the stated term, which ended {_when(until)}",
            lapsed,
            _counted_from(until, "first"),
        )
    if suspended := stands("suspended", "resumed"):
        return _ruling(Status.SUSPENDED, suspended)
    if found := last("effective"):
        return _ruling(Status.IN_EFFECT, found[1])
    if found := last("provisional"):
        return _ruling(Status.PROVISIONALLY_APPLIED, found[1])
    if signed_on and signed_on.earliest <= day:
        return Ruling(Status.SIGNED, _when(signed_on), caveat=_no_effect_yet(later))
    if found := last("negotiated"):
        return _ruling(Status.UNDER_NEGOTIATION, found[1])
    return Ruling(
        Status.NOT_KNOWN,
        "because no date of signature or of effect is recorded on or before this day",
    )


class Period(NamedTuple):
    """A status without a break: from ``from_day`` on, up to the day before ``until_day``, for ever
    where that is None."""

    status: Status
    from_day: datetime.date
    until_day: datetime.date | None


def rulings(
    signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> list[tuple[datetime.date, Ruling]]:
    """The ruling of every day: each with the day from which it is told so, up to the next, the
    first from ``date.min`` on. Two neighbours never say the same.

    It is ``status_on`` on the days on which anything it reads begins to count.
    """
    told = list(milestones)
    days = {datetime.date.min}
    days.update(counts_from(milestone, signed_on) for milestone in told)
    # An end has passed on the day after.
    days.update(m.until.earliest + datetime.timedelta(days=1) for m in told if m.until)
    if signed_on:
        days.add(signed_on.earliest)
    found: list[tuple[datetime.date, Ruling]] = []
    for day in sorted(days):
        ruling = status_on(day, signed_on, told)
        if not found or found[-1][1].because != ruling.because:
            found.append((day, ruling))
    return found


def standings(signed_on: PartialDate | None, milestones: Iterable[Dated]) -> list[Period]:
    """The status of an agreement on every day: periods from ``date.min`` on, without a gap, in
    order. Two neighbours never have the same status."""
    begun: list[tuple[Status, datetime.date]] = []
    for day, ruling in rulings(signed_on, milestones):
        if not begun or begun[-1][0] != ruling.status:
            begun.append((ruling.status, day))
    ends = [*(day for _, day in begun[1:]), None]
    return [Period(*period, end) for period, end in zip(begun, ends, strict=True)]


def term_ending(
    day: datetime.date, days: int, signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> PartialDate | None:
    """The stated end of a term that passes on ``day`` or within ``days`` days after it, if nothing
    more is recorded; None where no term ends then.

    An end known in part passes with the first day it can mean, as it does for the status.
    """
    told = list(milestones)
    if status_on(day, signed_on, told).status in (*CLOSED, Status.TERM_LAPSED):
        return None
    after = day + datetime.timedelta(days=days + 1)
    then = status_on(after, signed_on, told)
    lapsed = then.status == Status.TERM_LAPSED and then.milestone
    return lapsed.until if lapsed else None


@dataclass(frozen=True)
class OddDate:
    """A date that is possible and yet most likely a slip: a sentence on it, the ``field`` it stands
    in (signed_on, date, until) and, unless it is the signature, its milestone."""

    sentence: str
    field: str
    milestone: Dated | None = None


def odd_dates(
    day: datetime.date, signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> Iterator[OddDate]:
    """A signature after ``day``, an event that follows the signature and yet surely comes before
    it, a term that surely ends before the agreement takes effect.

    Odd is not wrong: of the UK's treaties that state both dates, 5.7 % took effect first.
    """
    told = list(milestones)
    if signed_on and signed_on.earliest > day:
        yield OddDate(f"The date of signature, {signed_on}, is in the future.", "signed_on")
    first = min((m.date for m in told if m.kind in TAKES_EFFECT and m.date), default=None)
    for m in told:
        dated = m.date if m.kind in FOLLOWS_SIGNATURE else None
        if signed_on and dated and dated.latest < signed_on.earliest:
            event = f"{MilestoneKind(m.kind).label} ({dated})"
            yield OddDate(f"{event} comes before the signature ({signed_on}).", "date", m)
        if first and m.until and m.until.latest < first.earliest:
            yield OddDate(
                f"A term ends ({m.until}) before the agreement takes effect ({first}).", "until", m
            )


def odd_until(signed_on: PartialDate | None, milestones: Iterable[Dated]) -> datetime.date | None:
    """The first day on which ``odd_dates`` finds nothing, ``date.max`` where it always finds
    something, None where it never does. Only a signature in the future passes with time."""
    told = list(milestones)
    if any(odd_dates(datetime.date.max, signed_on, told)):
        return datetime.date.max
    odd_at_first = any(odd_dates(datetime.date.min, signed_on, told))
    return signed_on.earliest if signed_on and odd_at_first else None


def first_effect(
    day: datetime.date, signed_on: PartialDate | None, milestones: Iterable[Dated]
) -> Dated | None:
    """The first event by ``day`` from which an agreement counts as effective or provisionally
    applied; None where no source states one."""
    past = [m for m in milestones if m.kind in TAKES_EFFECT and counts_from(m, signed_on) <= day]
    return min(past, key=lambda m: counts_from(m, signed_on), default=None)


def _lapsed_term(
    day: datetime.date, past: list[tuple[datetime.date, Dated]]
) -> tuple[PartialDate, Dated] | None:
    """The stated end that was the last to pass and its milestone, if no later end is open."""
    terms = [(m.until, counted, m) for counted, m in past if m.until and m.kind in TERM_SETTING]
    if not terms or any(m.kind in MARKS["renewed"] and m.until is None for _, m in past):
        return None
    # Of several that state the same end, the first.
    terms.sort(key=lambda term: term[1])
    until, _, milestone = max(terms, key=lambda term: term[0].earliest)
    return (until, milestone) if until.earliest < day else None


def _ruling(status: Status, milestone: Dated) -> Ruling:
    date = milestone.date
    end = "last" if milestone.kind in OPENING else "first"
    working = WORKING[milestone.kind].format(when=_when(date))
    return Ruling(status, working, milestone, _counted_from(date, end))


def _when(date: PartialDate | None) -> str:
    """A date as a sentence tells it."""
    if date is None:
        return "on a day that is not stated"
    return f"on {date!s}" if date.day else f"in {date!s}"


def _counted_from(date: PartialDate | None, end: str) -> str:
    """Which day of a date known in part the rule counts; empty where there is nothing to say."""
    if date is None or date.day:
        return ""
    return f"The day is not stated; the {end} day it can mean is counted."


def _no_effect_yet(later: list[Dated]) -> str:
    """Why a signed agreement is no more than that."""
    if any(m.kind in TAKES_EFFECT for m in later):
        return "Its effect counts from a later day."
    return "No date of effect is stated."
