"""The published register in memory: an immutable snapshot for each edition, from which every
question is answered.

A new edition costs the records that changed: their entries take new slots, and the new snapshot
shares the rest with the one before. Each process has its own; nobody answers from an old one, for
every question begins with the present edition.
"""

import datetime
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from itertools import combinations, compress, islice, permutations
from operator import itemgetter
from typing import Any, NamedTuple, overload

from django_countries import countries

from ..models import Agency, Agreement, ProductCategory
from ..models.participation import Part
from ..models.search import query_terms
from ..rules.coverage import between
from ..rules.partners import Instrument
from .entry import CODED, Entry
from .index import Bitmaps, Order, Postings, Timelines, bitmap, flags
from .reach import Point, Reach, points


class Tombstone(NamedTuple):
    """A record that was public and was withdrawn."""

    pk: int
    slug: str
    changed: datetime.datetime


def _signature(entry: Entry) -> int:
    return (entry.signed[0] if entry.signed else datetime.date.max).toordinal()


def changed_first(told: Entry | Tombstone) -> tuple[datetime.datetime, str]:
    """Sort key of the order of change."""
    return told.changed, told.slug


#: The orders of agreements, each total. Undated ones stand last, by whatever end of the list.
ORDERS: dict[str, Callable[[Entry], Any]] = {
    "newest": lambda entry: (not entry.signed, -_signature(entry), entry.slug),
    "oldest": lambda entry: (not entry.signed, _signature(entry), entry.slug),
    "changed": lambda entry: (-entry.changed.timestamp(), entry.slug),
    "in_order_of_change": changed_first,
}


class Ids(Sequence[int]):
    """The keys of some agreements in order: how many they are is known, which they are is found as
    far as it is asked for. ``slots`` gives their slots, ``entries`` has the entries of all."""

    def __init__(
        self, count: int, slots: Callable[[], Iterator[int]], entries: Sequence[Entry]
    ) -> None:
        self._count, self._slots, self._entries = count, slots, entries

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return (self._entries[slot].pk for slot in self._slots())

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> list[int]: ...
    def __getitem__(self, at: int | slice) -> int | list[int]:
        where = range(self._count)[at]
        if isinstance(where, int):
            return self[where : where + 1][0]
        found = islice(self._slots(), where.start, where.stop, where.step)
        return [self._entries[slot].pk for slot in found]


class Words(NamedTuple):
    """The terms of an agreement: of its titles, and of everything in it."""

    title: str
    all: str


class Day(NamedTuple):
    """What differs from day to day: agreements by status, and by the agencies that take part."""

    statuses: Bitmaps[str]
    participants: Bitmaps[str]


class _OneWay(NamedTuple):
    slot: int
    point: Point
    one_way: tuple[str, str]


class Register:
    """The register of one edition. A slot is live if it has the present entry of its agreement."""

    def __init__(self) -> None:
        """An empty one, older than any."""
        self.edition, self.serial, self.for_good = "", -1, True
        self.entries: list[Entry] = []
        self.live = 0
        self._slots: dict[int, int] = {}
        self.coded: Bitmaps[tuple[str, str]] = Bitmaps()
        #: Whoever takes part on any day.
        self.participants: Bitmaps[str] = Bitmaps()
        self._dated_parts: list[tuple[int, Part]] = []
        self._said: Bitmaps[Point] = Bitmaps()
        self._mutual: Bitmaps[Point] = Bitmaps()
        self._one_way: list[_OneWay] = []
        self._scope: Bitmaps[str] = Bitmaps()
        self._standings: Timelines[str] = Timelines()
        self._days: Timelines[str] = Timelines()
        self._in_title, self._anywhere = Postings(), Postings()
        self._orders = {name: Order(key) for name, key in ORDERS.items()}
        self.agencies: dict[str, Agency] = {}
        self._homes: dict[str, str] = {}

    def _read_whole(self) -> None:
        """Read what is so little that each edition has it anew."""
        agencies = Agency.objects.register().order_by("name", "key")
        #: What the public may see, by key.
        self.agencies = {agency.key: agency for agency in agencies}
        self._homes = {key: str(agency.jurisdiction) for key, agency in self.agencies.items()}
        withdrawn = Agreement.objects.withdrawn().values_list("pk", "slug", "updated_at")
        self.tombstones = sorted((Tombstone(*row) for row in withdrawn), key=changed_first)
        self.products = list(ProductCategory.objects.values_list("code", "name"))
        for agency in self.agencies.values():
            told: Any = agency
            told.agreements = self.agreements_of(agency).bit_count()

    def changed(
        self,
        edition: str,
        serial: int,
        since: Iterable[int],
        read: Iterable[Sequence[tuple[Entry, Words]]],
        *,
        for_good: bool,
    ) -> "Register":
        """The register of another edition, where the agreements with these keys have changed
        ``since``: those that are ``read`` (in batches, with their terms) are as they are read, the
        others are gone. Unless it is ``for_good``, what it was made from may be rolled back."""
        new = Register.__new__(Register)
        new.__dict__ = {
            name: value
            for name, value in self.__dict__.items()
            # What was worked out of this edition is worked out anew.
            if not isinstance(getattr(Register, name, None), cached_property)
        }
        new.edition, new.serial, new.for_good = edition, serial, for_good
        new.entries, new._slots = list(self.entries), dict(self._slots)
        dead = [slot for pk in since if (slot := new._slots.pop(pk, None)) is not None]
        for batch in read:
            new._add(batch)
        added = range(len(self.entries), len(new.entries))
        new.live = (self.live & ~bitmap(dead)) | bitmap(added)
        new._orders = {name: each.plus(added, new.entries) for name, each in new._orders.items()}
        new._read_whole()
        new.on = lru_cache(maxsize=16)(new._on)
        return new

    on: Callable[[datetime.date], Day]

    def _add(self, read: Sequence[tuple[Entry, Words]]) -> None:
        """Give these entries slots, and put them into every index but the orders."""
        told = list(enumerate((entry for entry, _ in read), start=len(self.entries)))
        self.entries += (entry for _, entry in told)
        self._slots |= {entry.pk: slot for slot, entry in told}
        coded = (((n, c), slot) for slot, e in told for n, c in zip(CODED, e.codes, strict=True))
        self.coded = self.coded.plus(coded)
        self.participants = self.participants.plus((p.agency, s) for s, e in told for p in e.parts)
        dated = [(slot, p) for slot, e in told for p in e.parts if p.joined or p.left]
        self._dated_parts = [*self._dated_parts, *dated]
        provided = [
            (slot, p, point) for slot, e in told for p in e.provisions for point in points(p)
        ]
        self._said = self._said.plus((point, slot) for slot, _, point in provided)
        mutual = ((point, slot) for slot, p, point in provided if not p.one_way)
        self._mutual = self._mutual.plus(mutual)
        one_way = (_OneWay(slot, point, p.one_way) for slot, p, point in provided if p.one_way)
        self._one_way = [*self._one_way, *one_way]
        self._scope = self._scope.plus((code, slot) for slot, e in told for code in e.scope)
        self._standings = self._standings.plus(
            turn for slot, entry in told for turn in _turns(slot, entry)
        )
        self._days = self._days.plus(
            (name, day, slot) for slot, entry in told for name, day in _days(entry)
        )
        words = [(slot, each) for (slot, _), (_, each) in zip(told, read, strict=True)]
        self._in_title = self._in_title.plus((slot, each.title) for slot, each in words)
        self._anywhere = self._anywhere.plus((slot, each.all) for slot, each in words)

    # --- what is asked ---

    def __len__(self) -> int:
        """How many agreements it has."""
        return self.live.bit_count()

    @property
    def dead(self) -> int:
        """How many slots have the former entry of an agreement."""
        return len(self.entries) - len(self)

    def _on(self, day: datetime.date) -> Day:
        statuses = {status: self._standings.on(status, day) for status in self._standings}
        absent = ((part.agency, slot) for slot, part in self._dated_parts if not part.on(day))
        present = Bitmaps(self.participants)
        for agency, bits in Bitmaps[str]().plus(absent).items():
            present[agency] &= ~bits
        return Day(Bitmaps(statuses), present)

    def known_by(self, day: datetime.date) -> int:
        """Those of which something dated had happened by ``day``; never undated ones."""
        return self._days.on("known", day)

    def signed_since(self, day: datetime.date) -> int:
        """Those surely signed on ``day`` or later."""
        return self._days.on("signed", datetime.date.max) & ~self._days.on(
            "signed", day - datetime.timedelta(days=1)
        )

    def signed_by(self, day: datetime.date) -> int:
        """Those surely signed by ``day``."""
        return self._days.on("signed for sure", day)

    def changed_since(self, moment: datetime.datetime) -> int:
        """Those whose record changed at ``moment`` or later."""
        slots = self._orders["in_order_of_change"].slots
        return bitmap(slots[bisect_left(slots, moment, key=lambda s: self.entries[s].changed) :])

    def holding(self, text: str, *, in_title: bool = False) -> int:
        """Those that hold every word of ``text``; none where it has no word."""
        terms = query_terms(text)
        held = self._in_title if in_title else self._anywhere
        return held.holding(terms) if terms else 0

    def home_of(self, agency: str) -> str:
        """The jurisdiction of an agency, by their codes; empty for one that has none."""
        # An agency of dead entries only may have left the register.
        return self._homes.get(agency, "")

    def above(self, agency: Agency) -> list[Agency]:
        """What it belongs to, directly or through others, the nearest first."""
        by_id: dict[int | None, Agency] = {each.pk: each for each in self.agencies.values()}
        chain: list[Agency] = []
        while (over := by_id.get(agency.parent_id)) and over not in chain:
            chain.append(over)
            agency = over
        return chain

    def below(self, agency: Agency) -> list[Agency]:
        """What belongs to it directly, by name."""
        return [each for each in self.agencies.values() if each.parent_id == agency.pk]

    def agreements_of(self, *agencies: Agency) -> int:
        """Those in which each of these agencies takes part, on whatever day."""
        return self.live & self.participants.all(agency.key for agency in agencies)

    def members(self, side: str) -> set[str]:
        """The agencies of a side, by their keys: one agency, or all of a country given by its code.
        Keys are small letters and codes are capitals."""
        return {key for key, home in self._homes.items() if side in (key, home)}

    def taking_part(self, side: str, day: datetime.date) -> int:
        """Those in which an agency of a side surely takes part on ``day``."""
        return self.on(day).participants.any(self.members(side))

    @cached_property
    def reach(self) -> Reach:
        """What provisions reach, between whomever."""
        return Reach(self._said, self._scope)

    def reach_between(self, sides: Sequence[str]) -> Reach:
        """What provisions reach between two of the sides (``coverage.between``): of a one-way one,
        that names two of them; of a single side, from it or to it."""
        members = list(map(self.members, sides))

        def joins(row: _OneWay) -> bool:
            if len(members) == 1:
                return not members[0].isdisjoint(row.one_way)
            return any(between(row, one, two) for one, two in combinations(members, 2))

        joined = ((row.point, row.slot) for row in self._one_way if joins(row))
        return Reach(self._mutual.plus(joined), self._scope)

    def by_country(self, participants: Mapping[str, int]) -> Bitmaps[str]:
        """Those in which an agency of each jurisdiction takes part."""
        found: Bitmaps[str] = Bitmaps()
        for agency, bits in participants.items():
            if home := self.home_of(agency):
                found[home] |= bits
        return found

    def _in_order(self, found: int, order: str, first: int) -> Iterator[int]:
        slots = self._orders[order].slots
        for some in (found & self.live & first, found & self.live & ~first):
            if some:
                marked = flags(some, len(self.entries))
                yield from compress(slots, map(marked.__getitem__, slots))

    def ordered(self, found: int, order: str = "newest", first: int = 0) -> Iterator[Entry]:
        """These agreements in an order; those in ``first`` before the others."""
        return map(self.entries.__getitem__, self._in_order(found, order, first))

    def entry(self, pk: int) -> Entry:
        """The entry of an agreement, by its key. Raises KeyError for one that is not in it."""
        return self.entries[self._slots[pk]]

    def ids(self, found: int, order: str = "newest", first: int = 0) -> Ids:
        """The keys of the same."""
        count = (found & self.live).bit_count()
        return Ids(count, partial(self._in_order, found, order, first), self.entries)

    def standing(
        self, statuses: Iterable[str], day: datetime.date, past_day: datetime.date | None = None
    ) -> int:
        """Those that have one of these statuses on ``day``; for a ``past_day``, of those known by
        then."""
        found = self.live & self.on(day).statuses.any(statuses)
        return found & self.known_by(past_day) if past_day else found

    def instruments(self, found: int, day: datetime.date) -> list[Instrument]:
        """These agreements as the table of partners needs them, for ``day``."""
        return [
            Instrument(
                entry.slug,
                entry.title,
                frozenset(part.agency for part in entry.parts if part.on(day)),
                entry.scope,
                entry.provisions,
            )
            for entry in sorted(self.ordered(found), key=itemgetter(0))
        ]

    @cached_property
    def _taking_part(self) -> list[Agency]:
        """Who takes part in anything, by name."""
        there = (a for a in self.agencies.values() if self.participants[a.key] & self.live)
        return sorted(there, key=lambda agency: agency.name.casefold())

    @cached_property
    def choices(self) -> dict[str, Any]:
        """Value and words of every choice that depends on what the register holds, by filter."""
        agencies = [(agency.key, str(agency)) for agency in self._taking_part]
        codes = {self.home_of(agency.key) for agency in self._taking_part} - {""}
        places = sorted(((code, countries.name(code)) for code in codes), key=itemgetter(1))
        by_place: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for agency in self.agencies.values():
            by_place[str(agency.jurisdiction.name or "")].append((agency.key, str(agency)))
        international = by_place.pop("", [])
        grouped = sorted(by_place.items())
        return {
            "participant": agencies,
            "country": places,
            "between": agencies + places,
            "product": self.products,
            # Those without a jurisdiction last.
            "agency": [*grouped, ("International", international)] if international else grouped,
        }

    def most_connected(self, most: int, standing: int, day: datetime.date) -> list[tuple[str, int]]:
        """The keys of the ``most`` agencies with the most partners in other countries by these
        agreements, with the number of these partners."""
        met: dict[str, set[str]] = {agency.key: set() for agency in self._taking_part}
        for entry in self.ordered(standing):
            there = [part.agency for part in entry.parts if part.on(day)]
            for one, two in permutations(there, 2):
                home = self.home_of(one)
                if not home or home != self.home_of(two):
                    met[one].add(two)
        found = [(key, len(partners)) for key, partners in met.items() if partners]
        # Of two with as many, the first by name: the agencies stand in that order.
        return sorted(found, key=lambda pair: -pair[1])[:most]


def _turns(slot: int, entry: Entry) -> Iterator[tuple[str, datetime.date, int]]:
    """When an agreement takes up each of its statuses, and leaves it for the next."""
    left = None
    for day, status in entry.standings:
        if left:
            yield left, day, slot
        yield status, day, slot
        left = status


def _days(entry: Entry) -> Iterator[tuple[str, datetime.date]]:
    if entry.known_from:
        yield "known", entry.known_from
    if entry.signed:
        yield "signed", entry.signed[0]
        yield "signed for sure", entry.signed[1]
