"""The one way to narrow the register. Each filter is one object: its form field with the line that
the dictionary prints, which agreements meet it, and its words in the sentence.

Every face of the list asks through ``AgreementFilterSet``, so all give the same answer.
"""

import datetime
from functools import cached_property, reduce
from operator import and_
from typing import Any

import django_filters
from django.forms import BoundField
from django.utils import dateformat

from ..dates import PartialDate
from ..models import InstrumentType
from ..models.querysets import AgreementQuerySet, Among
from ..rules.coverage import Asked, Commitment, Depth, Stage
from ..rules.jurisdictions import EU, eu_members
from ..rules.status import Status
from .asked import MAX_SIDES, Question
from .fields import DayFilter, MomentFilter, PartialDateFilter, written
from .index import Bitmaps
from .kinds import Coded, Modifier, Narrowing, Several, either, every
from .reach import Reach
from .register import Ids

MAX_QUERY_LENGTH = 200

#: The orders a list can have. Each is total, so that a page is the same tomorrow.
ORDERS = (
    ("newest", "Newest signature first"),
    ("oldest", "Oldest signature first"),
    ("changed", "Latest change first"),
)
#: How a status reads in a sentence about agreements.
_STATUS_IN_WORDS = {
    Status.UNDER_NEGOTIATION: "under negotiation",
    Status.SIGNED: "signed",
    Status.PROVISIONALLY_APPLIED: "provisionally applied",
    Status.IN_EFFECT: "in effect",
    Status.SUSPENDED: "suspended",
    Status.TERM_LAPSED: "whose term has lapsed",
    Status.EXPIRED: "expired",
    Status.TERMINATED: "terminated",
    Status.SUPERSEDED: "superseded",
    Status.NOT_KNOWN: "of unknown status",
}


class StatusOnTheDay(Several):
    """The status on the day the register is told for."""

    turn = 1
    joint = " "

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        return question.register.on(question.day).statuses.any(chosen)

    def counted(self, question: "AgreementFilterSet", others: int, found: int) -> dict[str, int]:
        return question.register.on(question.day).statuses.counted(others)

    def words(self, question: "AgreementFilterSet", chosen: list[str]) -> str:
        return either(_STATUS_IN_WORDS[status] for status in Status if status.value in chosen)


class Participant(Several):
    """An agency that takes part, or each of several."""

    turn = 3
    above = "agreements/list/_filter_match.html"

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        participants = question.participants
        return participants.all(chosen) if question.every_participant else participants.any(chosen)

    def counted(self, question: "AgreementFilterSet", others: int, found: int) -> dict[str, int]:
        # All of several: a value's count is what choosing it as well would leave.
        return question.participants.counted(found if question.every_participant else others)

    def words(self, question: "AgreementFilterSet", chosen: list[str]) -> str:
        agencies = question.register.agencies
        keys = [key for key, _ in question.register.choices["participant"] if key in chosen]
        names = [agencies[key].short_name for key in keys]
        return "with " + (every(names) if question.every_participant else either(names))


class Country(Several):
    """The country of a participant."""

    turn = 4
    above = "agreements/list/_filter_eu.html"

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        return question.countries.any(chosen)

    def counted(self, question: "AgreementFilterSet", others: int, found: int) -> dict[str, int]:
        return question.countries.counted(others)

    def words(self, question: "AgreementFilterSet", chosen: list[str]) -> str:
        places = question.labels(self.field_name)
        if question.asked["eu_members"] and EU in chosen:
            places.append("a member of the European Union")
        return "with a participant from " + either(places)


class Between(Several):
    """Sides that each take part on the day."""

    turn = 5
    boxes = False

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        found = question.register.live
        for side in chosen:
            found &= question.register.taking_part(side, question.day)
        return found

    def words(self, question: "AgreementFilterSet", chosen: list[str]) -> str:
        return "between " + every(question.labels(self.field_name))


class StageStated(Modifier):
    """Whether anything is said of a stage."""

    turn = 6

    def limit(self, question: "AgreementFilterSet", chosen: str) -> int:
        return question.register.live & ~question.reach.staged

    def words(self, question: "AgreementFilterSet", chosen: str) -> str:
        return "that state no stage"


class Reaching(Several):
    """What a provision reaches: stage, depth, commitment and product must meet in one."""

    group = "reaching"

    def __init__(self, *, turn: int, **kwargs: Any) -> None:
        self.turn = turn
        super().__init__(**kwargs)

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        return question.reach.meeting(question.reached)

    def counted(self, question: "AgreementFilterSet", others: int, found: int) -> dict[str, int]:
        return question.reach.counted(self.field_name, question.reached, others)


class SignedAfter(Narrowing, PartialDateFilter):
    """Surely signed from then on."""

    turn = 11

    def limit(self, question: "AgreementFilterSet", chosen: PartialDate) -> int:
        return question.register.signed_since(chosen.earliest)

    def words(self, question: "AgreementFilterSet", chosen: PartialDate) -> str:
        return f"signed from {chosen}"


class SignedBefore(Narrowing, PartialDateFilter):
    """Surely signed by then."""

    turn = 12

    def limit(self, question: "AgreementFilterSet", chosen: PartialDate) -> int:
        return question.register.signed_by(chosen.latest)

    def words(self, question: "AgreementFilterSet", chosen: PartialDate) -> str:
        return f"signed until {chosen}"


class UpdatedSince(Narrowing, MomentFilter):
    """Whose record changed since."""

    turn = 13

    def limit(self, question: "AgreementFilterSet", chosen: datetime.datetime) -> int:
        return question.register.changed_since(chosen)

    def words(self, question: "AgreementFilterSet", chosen: datetime.datetime) -> str:
        return f"changed since {written(chosen)}"


class Search(Narrowing, django_filters.CharFilter):
    """Words that all stand in the record."""

    turn = 14

    def limit(self, question: "AgreementFilterSet", chosen: str) -> int:
        return question.register.holding(chosen)

    def words(self, question: "AgreementFilterSet", chosen: str) -> str:
        return f"matching “{chosen}”"


class AsOf(Narrowing, DayFilter):
    """Of which something dated had happened by then."""

    turn = 15

    def limit(self, question: "AgreementFilterSet", chosen: datetime.date) -> int:
        return question.register.known_by(chosen)

    def words(self, question: "AgreementFilterSet", chosen: datetime.date) -> str:
        return f"as of {dateformat.format(chosen, 'j F Y')}"


class AgreementFilterSet(Question):
    """Which agreements, told on which day, in which order."""

    q = Search(
        label="Search",
        max_length=MAX_QUERY_LENGTH,
        help_text="Every word must be in the record. English words match by stem, any part of a "
        "Japanese, Chinese or Korean text matches.",
    )
    participant = Participant(
        label="Participant",
        choices=[],
        help_text="Agency key; several: any of them. With as_of, those that surely took part then.",
    )
    participant_match = Modifier(
        label="Of several participants",
        choices=[("all", "All of them")],
        empty_label="Any of them",
        help_text="all: every agency in participant takes part. Left out: any of them.",
    )
    country = Country(
        label="Country or union",
        choices=[],
        help_text="ISO 3166-1 code, or EU, of a participant; several: any of them.",
    )
    eu_members = Modifier(
        label="European Union",
        choices=[("yes", "Including its members")],
        empty_label=None,
        help_text="yes: in country, EU also stands for those that were its members on the day.",
    )
    between = Between(
        label="Between",
        choices=[],
        help_text="Agency keys, country codes or EU: each side takes part on the day, and what is "
        "asked of provisions must reach between them. With one side, between it and anybody.",
    )
    stage = Reaching(
        turn=7,
        saying="covering {lower}",
        label="Stage",
        choices=Stage.choices,
        help_text="Stage of a product's life; several: any of them. Stage, depth, commitment and "
        "product must meet in one provision. An exclusion never counts.",
    )
    stage_stated = StageStated(
        label="Stage stated",
        choices=[("no", "No stage stated")],
        empty_label="Any",
        help_text="no: no provision stands in a stage, not even as an exclusion.",
    )
    product = Reaching(
        turn=10,
        saying="for {lower}",
        label="Product",
        choices=[],
        help_text="Product category; several: any of them. Alone, it also matches the scope of the "
        "instrument.",
    )
    depth = Reaching(
        turn=8,
        saying="at the depth of {lower}",
        label="Depth",
        choices=Depth.choices,
        help_text="Depth of cooperation; several: any of them.",
    )
    commitment = Reaching(
        turn=9,
        saying="{lower}",
        label="Commitment",
        choices=[each for each in Commitment.choices if each[0] != Commitment.EXCLUDED],
        help_text="How firm it is; several: any of them.",
    )
    type = Coded(
        field="instrument_type",
        saying="of kind {labels}",
        label="Instrument",
        choices=InstrumentType.choices,
        help_text="The register's word for the kind of instrument; several: any of them.",
    )
    status = StatusOnTheDay(
        label="Status",
        choices=Status.choices,
        help_text="Status on the day of as_of, or today; several: any of them.",
    )
    signed_after = SignedAfter(
        label="Signed from", help_text="A year, month or day: only what was surely signed from it."
    )
    signed_before = SignedBefore(
        label="Signed until", help_text="A year, month or day: only what was surely signed by then."
    )
    as_of = AsOf(
        label="As the register stood on",
        help_text="A day: agreements of which something dated had happened by then, and their "
        "status that day.",
    )
    updated_since = UpdatedSince(
        label="Record changed since",
        help_text="A day, from midnight in Singapore, or a moment with its offset: records that "
        "changed at or after it. Without sort, what changed first stands first.",
    )
    sort = Modifier(
        label="Order",
        choices=ORDERS,
        empty_label=None,
        help_text="Left out: newest, in a search what has the words in its title first; with "
        "updated_since, in the order of change.",
    )

    NOT_NARROWING = ("sort",)
    #: The boxes that stand first on the page, in this order; others follow as they are declared.
    FIRST_BOXES = ("stage", "depth", "commitment", "product")

    @property
    def facets(self) -> list[tuple[BoundField, str]]:
        """The fields that are offered as boxes, each with the template of what stands above."""
        offered = {n: f.above for n, f in self.filters.items() if getattr(f, "boxes", False)}
        names = dict.fromkeys([*self.FIRST_BOXES, *offered])
        return [(self.form[name], offered[name]) for name in names]

    def further_problems(self) -> dict[str, list[str]]:
        """Too many sides: each costs every other."""
        if len(set(self.query.getlist("between"))) > MAX_SIDES:
            return {"between": [f"Give at most {MAX_SIDES} sides."]}
        return {}

    # --- what several filters share ---

    @property
    def every_participant(self) -> bool:
        """Whether each of the participants is asked for, not any of them."""
        return bool(self.asked["participant_match"])

    @cached_property
    def participants(self) -> Bitmaps[str]:
        """The agreements by who takes part in them, on the day if one is asked for."""
        return (
            self.register.on(self.past_day).participants
            if self.past_day
            else self.register.participants
        )

    @cached_property
    def countries(self) -> Bitmaps[str]:
        """The agreements by the country of a participant; if asked for, those of a member of the
        European Union are the Union's too."""
        countries = self.register.by_country(self.participants)
        if self.asked["eu_members"]:
            countries[EU] |= countries.any(eu_members(self.day))
        return countries

    @cached_property
    def reached(self) -> Asked:
        """What one provision must meet."""
        names = ("product", "depth", "commitment", "stage")
        return Asked(**{name: frozenset(self.asked[name]) for name in names})

    @cached_property
    def reach(self) -> Reach:
        """What provisions reach, between the sides if any are given."""
        sides = list(dict.fromkeys(self.asked["between"]))
        return self.register.reach_between(sides) if sides else self.register.reach

    # --- the answer ---

    @cached_property
    def _limits(self) -> dict[str, int]:
        """What each group of filters leaves."""
        limits: dict[str, int] = {}
        for name, declared in self.filters.items():
            if self.asked[name] and (left := declared.limit(self, self.asked[name])) is not None:
                limits[declared.group] = limits.get(declared.group, self.register.live) & left
        return limits

    def _left(self, without: str = "") -> int:
        others = (left for group, left in self._limits.items() if group != without)
        return reduce(and_, others, self.register.live)

    @cached_property
    def found(self) -> int:
        """The bits of the agreements that answer."""
        return self._left()

    @property
    def in_order_of_change(self) -> bool:
        """Whether the answer begins with what changed first: the order for keeping a copy."""
        return bool(self.asked["updated_since"] and not self.asked["sort"])

    @cached_property
    def ids(self) -> Ids:
        """The agreements that answer, by key and in order."""
        if self.in_order_of_change:
            return self.register.ids(self.found, "in_order_of_change")
        # The best match first: what has the words in its title.
        best = bool(self.asked["q"] and not self.asked["sort"])
        first = self.register.holding(self.asked["q"], in_title=True) if best else 0
        return self.register.ids(self.found, self.asked["sort"] or "newest", first)

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Facet -> value -> how many agreements would answer if that facet's one choice were this
        value; empty where the question cannot be answered."""
        if self.problems:
            return {}
        counted = {
            name: declared.counted(self, self._left(declared.group), self.found)
            for name, declared in self.filters.items()
        }
        return {name: counts for name, counts in counted.items() if counts is not None}

    @property
    def sentence(self) -> str:
        """The question written back: "12 agreements in effect, with PMDA"."""
        count = self.found.bit_count()
        said = f"{count:,} agreement" + ("" if count == 1 else "s")
        for name, declared in sorted(self.filters.items(), key=lambda each: each[1].turn):
            words = declared.words(self, self.asked[name]) if self.asked[name] else ""
            said += declared.joint + words if words else ""
        return said

    @property
    def qs(self) -> AgreementQuerySet:
        """The agreements that answer, in no order."""
        asked_of: AgreementQuerySet = self.queryset
        return asked_of.filter(Among("pk", self.ids))

    def canonical(self, page: int) -> list[tuple[str, str]]:
        """The address of one page of the answer, as pairs."""
        expand = [("expand", self.expanded)] if self.expanded else []
        return self.pairs + expand + ([("page", str(page))] if page > 1 else [])
