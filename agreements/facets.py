"""The register in memory as bitmaps: which agreements have which value, counted and paged at once.

``AgreementFilterSet`` defines in SQL what a question means. This room gives the same answer to the
same question, and counts beside it, in a time that hardly grows with the register; a test holds
the two equal. One bit of a Python int stands for one agreement, the lowest for the newest. The
bitmaps are built anew for each ``Edition``, so no process ever answers from an old one.
"""

import datetime
import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import combinations, compress, permutations
from operator import and_, itemgetter, or_
from typing import Any, NamedTuple

from django.db.models import Min
from django_countries import countries

from . import search
from .jurisdictions import EU, eu_members
from .models import Agency, Agreement, Edition, Participation, ProductCategory, Provision
from .querysets import PublicationState

#: The order of a question about what changed since a moment, unless another is asked for.
IN_ORDER_OF_CHANGE = "in_order_of_change"
_FLAGS = bytes.maketrans(b"01", b"\x00\x01")


class Reached(NamedTuple):
    """What one provision, or several alike, reach. ``stage`` and ``product`` may be empty."""

    stage: str
    depth: str
    commitment: str
    product: str


class Listed(NamedTuple):
    """An agency as a list of choices needs it."""

    key: str
    name: str
    acronym: str
    jurisdiction: str

    @property
    def words(self) -> str:
        """As ``Agency.__str__`` has it."""
        return f"{self.name} ({self.acronym})" if self.acronym else self.name


class Answer:
    """The agreements that answer one question: how many, which, and how many by each value."""

    def __init__(self, bitmap: int, ordered: Sequence[int], counts: dict[str, dict[str, int]]):
        self.count = bitmap.bit_count()
        self.ids = ordered
        #: Facet -> value -> number of agreements if only that facet's choice were this value.
        self.counts = counts


class Facets:
    """All bitmaps of one edition of the register."""

    def __init__(self, edition: str) -> None:
        self.edition = edition
        # A fresh register() each time: the querysets below are independent subqueries.
        register = Agreement.objects.register
        rows = list(
            register()
            .newest_first()
            .values_list(
                "pk", "slug", "instrument_type", "signed_on_earliest", "signed_on_latest",
                "updated_at",
            )
        )  # fmt: skip
        self.ids = [row[0] for row in rows]
        self.position = {pk: position for position, pk in enumerate(self.ids)}
        self.everything = (1 << len(rows)) - 1
        self.orders = {
            "oldest": sorted(
                range(len(rows)),
                key=lambda i: (rows[i][3] is None, rows[i][3] or datetime.date.max, rows[i][1]),
            ),
            # Two stable sorts: the latest change first, within it by slug.
            "changed": sorted(
                sorted(range(len(rows)), key=lambda i: rows[i][1]),
                key=lambda i: rows[i][5],
                reverse=True,
            ),
            IN_ORDER_OF_CHANGE: sorted(range(len(rows)), key=lambda i: (rows[i][5], rows[i][1])),
        }
        self.changed_from = _Dated((row[5], i) for i, row in enumerate(rows))
        self.types = self._gathered((row[2], i) for i, row in enumerate(rows))
        self.signed_from = _Dated((row[3], i) for i, row in enumerate(rows) if row[3])
        self.signed_until = _Dated((row[4], i) for i, row in enumerate(rows) if row[4])
        self._read_participants()
        self._read_provisions()
        milestones = dict(
            register()
            .order_by()
            .values_list("pk")
            .annotate(first=Min("milestones__date_earliest"))
            .filter(first__isnull=False)
        )
        first = (
            (min(filter(None, (row[3], milestones.get(row[0])))), i)
            for i, row in enumerate(rows)
            if row[3] or milestones.get(row[0])
        )
        self.known_from = _Dated(first)
        self.choices = self._choices()
        # A day's bitmaps cost a pass over the register: the last few days asked for are kept.
        self.on = lru_cache(maxsize=16)(self._on)

    def _choices(self) -> dict[str, Any]:
        """Value and words of every choice that depends on what the register holds, by filter."""
        taking_part = [(agency.key, agency.words) for agency in self.agencies]
        codes = {agency.jurisdiction for agency in self.agencies} - {""}
        places = sorted(((code, countries.name(code)) for code in codes), key=lambda row: row[1])
        by_place: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for agency in Agency.objects.register().only("key", "name", "acronym", "jurisdiction"):
            by_place[str(agency.jurisdiction.name or "")].append((agency.key, str(agency)))
        international = by_place.pop("", [])
        grouped = sorted(by_place.items())
        return {
            "participant": taking_part,
            "country": places,
            "between": taking_part + places,
            "product": list(ProductCategory.objects.values_list("code", "name")),
            # Those without a jurisdiction last.
            "agency": [*grouped, ("International", international)] if international else grouped,
        }

    def _read_participants(self) -> None:
        listed = Agency.objects.taking_part().order_by("pk")
        agencies = {
            agency.pk: Listed(agency.key, agency.name, agency.acronym, str(agency.jurisdiction))
            for agency in listed.only("key", "name", "acronym", "jurisdiction")
        }
        self.agencies = sorted(agencies.values(), key=lambda agency: agency.name.casefold())
        parts = Participation.objects.filter(
            agreement__state=PublicationState.PUBLISHED
        ).values_list("agreement", "agency", "joined_on_latest", "left_on_earliest")
        found, self._absences = [], []
        for agreement, agency, joined, left in parts.order_by().iterator(chunk_size=5000):
            if (position := self.position.get(agreement)) is None or agency not in agencies:
                continue
            key = agencies[agency].key
            found.append((key, position))
            if joined or left:
                self._absences.append((key, position, joined, left))
        self.participants = self._gathered(found)

    def _read_provisions(self) -> None:
        ends = (
            "relying__key",
            "relying__jurisdiction",
            "reference__key",
            "reference__jurisdiction",
        )
        rows = (
            Provision.objects.filter(agreement__state=PublicationState.PUBLISHED)
            .order_by()
            .values_list("pk", "agreement", "area__stage", "depth", "commitment", *ends)
        )
        links = Provision.products.through.objects.order_by().values_list(
            "provision", "productcategory__code"
        )
        products: dict[int, list[str]] = defaultdict(list)
        for provision, product in links.iterator(chunk_size=5000):
            products[provision].append(product)
        mutual: list[tuple[Reached, int]] = []
        self._one_way: list[_OneWay] = []
        for pk, agreement, stage, depth, commitment, *named in rows.iterator(chunk_size=5000):
            if (position := self.position.get(agreement)) is None:
                continue
            for product in products.get(pk, [""]):
                reached = Reached(stage, depth, commitment, product)
                if named[0] is None:
                    mutual.append((reached, position))
                else:
                    self._one_way.append(
                        _OneWay(reached, position, frozenset(named[:2]), frozenset(named[2:]))
                    )
        scope = Agreement.products.through.objects.order_by().values_list(
            "agreement", "productcategory__code"
        )
        self._scope = self._gathered(
            (product, self.position[agreement])
            for agreement, product in scope.iterator(chunk_size=5000)
            if agreement in self.position
        )
        self._mutual = self._gathered(mutual)
        self.provided = self._provided(self._one_way)

    def _provided(self, one_way: Iterable["_OneWay"]) -> "_Provided":
        """What all provisions that are not one-way reach, and these one-way ones."""
        reached = dict(self._mutual)
        for row in one_way:
            reached[row.reached] = reached.get(row.reached, 0) | 1 << row.position
        staged = reduce(or_, (bits for each, bits in reached.items() if each.stage), 0)
        reached = {each: bits for each, bits in reached.items() if each.commitment != "excluded"}
        products = dict(self._scope)
        for each, bits in reached.items():
            if each.product:
                products[each.product] = products.get(each.product, 0) | bits
        return _Provided(reached, products, staged)

    def _provided_between(self, sides: Sequence[str]) -> "_Provided":
        """The twin of ``coverage.between``: of a one-way provision, what runs between two of the
        sides; of a single side, from it or to it."""
        pairs = list(permutations(sides, 2))

        def joins(row: "_OneWay") -> bool:
            if not pairs:
                return sides[0] in row.relying | row.reference
            return any(one in row.relying and two in row.reference for one, two in pairs)

        return self._provided(filter(joins, self._one_way))

    def _gathered(self, pairs: Iterable[tuple[Any, int]]) -> dict[Any, int]:
        """Value -> the bitmap of the positions it comes with."""
        positions = defaultdict(list)
        for value, position in pairs:
            positions[value].append(position)
        return {value: self._bitmap(found) for value, found in positions.items()}

    def _bitmap(self, positions: Iterable[int]) -> int:
        bits = bytearray(len(self.ids) // 8 + 1)
        for position in positions:
            bits[position >> 3] |= 1 << (position & 7)
        return int.from_bytes(bits, "little")

    def _on(self, day: datetime.date) -> "_Day":
        statuses = Agreement.objects.register().with_status(day).order_by()
        by_status = self._gathered(
            (status, self.position[pk])
            for pk, status in statuses.values_list("pk", "status").iterator(chunk_size=5000)
            if pk in self.position
        )
        present = dict(self.participants)
        for key, position, joined, left in self._absences:
            if (joined and joined > day) or (left and left <= day):
                present[key] &= ~(1 << position)
        return _Day(by_status, present)

    def counted(
        self, statuses: Iterable[str], day: datetime.date, reached: Mapping[str, Sequence[str]]
    ) -> int:
        """How many agreements with one of these statuses on ``day`` have a provision that meets
        all that is asked of it: ``stage``, ``depth``, ``commitment``, ``product``, or nothing."""
        found = self.standing(statuses, day, None)
        return (found & self.provided.meeting(reached) if reached else found).bit_count()

    def counted_without_stage(self, statuses: Iterable[str], day: datetime.date) -> int:
        """How many with one of these statuses on ``day`` say nothing of a stage."""
        return (self.standing(statuses, day, None) & ~self.provided.staged).bit_count()

    def answer(
        self, asked: Mapping[str, Any], day: datetime.date, past_day: datetime.date | None
    ) -> Answer:
        """The agreements that answer, in order, and the counts of every facet.

        ``asked`` is the cleaned data of ``AgreementFilterSet``; ``day`` is the day of statuses,
        ``past_day`` the day asked for, if one was.
        """
        present = self.on(past_day).participants if past_day else self.participants
        chosen = asked["participant"]
        every = bool(asked["participant_match"] and chosen)
        countries = self._countries(present, eu_members(day) if asked["eu_members"] else set())
        sides = list(dict.fromkeys(asked["between"]))
        provided = self._provided_between(sides) if sides else self.provided
        statuses = self.on(day).statuses
        reached = {
            name: asked[name] for name in ("stage", "depth", "commitment", "product") if asked[name]
        }
        plain = {
            "participant": (_all if every else _any)(present, chosen) if chosen else None,
            "country": _any(countries, asked["country"]) if asked["country"] else None,
            "type": _any(self.types, asked["type"]) if asked["type"] else None,
            "status": _any(statuses, asked["status"]) if asked["status"] else None,
            "reached": provided.meeting(reached) if reached else None,
        }
        limits, in_title = self._limits(asked, past_day)
        for side in sides:
            limits &= self.taking_part(side, day)
        if asked["stage_stated"]:
            limits &= ~provided.staged

        def without(facet: str) -> int:
            others = (bits for name, bits in plain.items() if name != facet and bits is not None)
            return reduce(and_, others, limits)

        bitmap = without("")
        counts = {
            # All of several: a value's count is what choosing it as well would leave.
            "participant": _counted(present, bitmap if every else without("participant")),
            "country": _counted(countries, without("country")),
            "type": _counted(self.types, without("type")),
            "status": _counted(statuses, without("status")),
            **provided.counts(reached, without("reached")),
        }
        order = asked["sort"] or (IN_ORDER_OF_CHANGE if asked["updated_since"] else "")
        return Answer(bitmap, self._ordered(bitmap, order, in_title), counts)

    def _limits(
        self, asked: Mapping[str, Any], past_day: datetime.date | None
    ) -> tuple[int, int | None]:
        """What words and days leave, and the bitmap of title hits if words were searched."""
        limits, in_title = self.everything, None
        if past_day:
            limits &= self._bitmap(self.known_from.until(past_day))
        if asked["signed_after"]:
            limits &= self._bitmap(self.signed_from.since(asked["signed_after"].earliest))
        if asked["signed_before"]:
            limits &= self._bitmap(self.signed_until.until(asked["signed_before"].latest))
        if asked["updated_since"]:
            limits &= self._bitmap(self.changed_from.since(asked["updated_since"]))
        if asked["q"]:
            limits &= self._found(asked["q"], "all_terms")
            in_title = self._found(asked["q"], "title_terms")
        return limits, in_title

    def _found(self, text: str, column: str) -> int:
        ids = search.found_ids(text, column)
        position = self.position
        return self._bitmap(position[pk] for pk in ids if pk in position)

    def _countries(self, present: Mapping[str, int], counted_as_eu: set[str]) -> dict[str, int]:
        countries: dict[str, int] = defaultdict(int)
        for agency in self.agencies:
            countries[agency.jurisdiction] |= present.get(agency.key, 0)
        countries.pop("", None)
        if counted_as_eu:
            countries[EU] |= _any(countries, counted_as_eu)
        return countries

    def standing(
        self, statuses: Iterable[str], day: datetime.date, past_day: datetime.date | None
    ) -> int:
        """The agreements that have one of these statuses on ``day``."""
        found = _any(self.on(day).statuses, statuses)
        return found & self._bitmap(self.known_from.until(past_day)) if past_day else found

    def standing_with(
        self,
        sides: Iterable[str],
        statuses: Iterable[str],
        day: datetime.date,
        past_day: datetime.date | None,
    ) -> list[int]:
        """The ids of those in which any of these agencies or countries takes part."""
        with_them = reduce(or_, (self.taking_part(side, day) for side in sides), 0)
        found = self.standing(statuses, day, past_day) & with_them
        return self._ordered(found, "newest", None)

    @lru_cache(maxsize=16)  # noqa: B019 - the bitmaps themselves are kept as long
    def most_connected(
        self,
        most: int,
        statuses: tuple[str, ...],
        day: datetime.date,
        past_day: datetime.date | None,
    ) -> list[tuple[str, int]]:
        """The keys of the ``most`` agencies with the most partners in other countries, by what
        stands, with the number of these partners."""
        standing = self.standing(statuses, day, past_day)
        present = self.on(day).participants
        stand = [(a, present[a.key] & standing) for a in self.agencies]
        met: dict[str, int] = dict.fromkeys((a.key for a in self.agencies), 0)
        for (one, ones), (two, twos) in combinations(stand, 2):
            abroad = one.jurisdiction != two.jurisdiction or not one.jurisdiction
            if abroad and ones & twos:
                met[one.key] += 1
                met[two.key] += 1
        # Of two with as many, the first by name: the agencies stand in that order.
        return sorted(filter(itemgetter(1), met.items()), key=lambda pair: -pair[1])[:most]

    def taking_part(self, side: str, day: datetime.date) -> int:
        """The agreements in which a side takes part on ``day``: an agency by its key, or a country
        by its code."""
        present = self.on(day).participants
        found = (present.get(a.key, 0) for a in self.agencies if side in (a.key, a.jurisdiction))
        return reduce(or_, found, 0)

    def _ordered(self, bitmap: int, order: str, in_title: int | None) -> list[int]:
        if order in self.orders:
            flags = self._flags(bitmap)
            sequence = self.orders[order]
            positions = compress(sequence, map(flags.__getitem__, sequence))
        elif in_title is not None and not order:
            first, rest = bitmap & in_title, bitmap & ~in_title
            return self._ordered(first, "newest", None) + self._ordered(rest, "newest", None)
        else:
            return list(compress(self.ids, self._flags(bitmap)))
        return [self.ids[position] for position in positions]

    def _flags(self, bitmap: int) -> bytes:
        """One byte a position, 1 where the bit is set."""
        width = len(self.ids)
        return f"{bitmap:0{width}b}".encode()[::-1].translate(_FLAGS) if width else b""


class _OneWay(NamedTuple):
    """A one-way provision: what it reaches, and the key and country of each of the two it names."""

    reached: Reached
    position: int
    relying: frozenset[str]
    reference: frozenset[str]


class _Provided(NamedTuple):
    """The agreements by what their provisions reach, those that reach a product in scope or by a
    provision, and those that say anything of a stage, be it an exclusion."""

    reached: dict[Reached, int]
    products: dict[str, int]
    staged: int

    def meeting(self, chosen: Mapping[str, Sequence[str]]) -> int:
        """The agreements one of whose provisions meets every choice; for a product alone, also
        those whose scope names it."""
        if set(chosen) == {"product"}:
            return _any(self.products, chosen["product"])
        return reduce(or_, (bitmap for _, bitmap in self._each_meeting(chosen)), 0)

    def counts(self, chosen: Mapping[str, Sequence[str]], others: int) -> dict[str, dict[str, int]]:
        """Facet -> value -> how many of ``others`` meet it and the choices of the other facets."""
        counts = {}
        for index, name in enumerate(Reached._fields):
            rest = {other: values for other, values in chosen.items() if other != name}
            if name == "product" and not rest:
                counts[name] = _counted(self.products, others)
                continue
            found: dict[str, int] = defaultdict(int)
            for reached, bitmap in self._each_meeting(rest):
                found[reached[index]] |= bitmap
            counts[name] = _counted(found, others)
        return counts

    def _each_meeting(self, chosen: Mapping[str, Sequence[str]]) -> Iterator[tuple[Reached, int]]:
        wanted = [(Reached._fields.index(name), set(values)) for name, values in chosen.items()]
        for reached, bitmap in self.reached.items():
            if all(reached[index] in values for index, values in wanted):
                yield reached, bitmap


class _Day(NamedTuple):
    """What differs from day to day."""

    statuses: dict[str, int]
    participants: dict[str, int]


class _Dated:
    """Positions by a date, or a moment, of theirs."""

    def __init__(self, pairs: Iterable[tuple[Any, int]]) -> None:
        pairs = sorted(pairs)
        self.days = [day for day, _ in pairs]
        self.positions = [position for _, position in pairs]

    def since(self, day: Any) -> list[int]:
        return self.positions[bisect_left(self.days, day) :]

    def until(self, day: Any) -> list[int]:
        return self.positions[: bisect_right(self.days, day)]


def _any(bitmaps: Mapping[str, int], values: Iterable[str]) -> int:
    return reduce(or_, (bitmaps.get(value, 0) for value in values), 0)


def _all(bitmaps: Mapping[str, int], values: Iterable[str]) -> int:
    return reduce(and_, (bitmaps.get(value, 0) for value in values))


def _counted(bitmaps: Mapping[str, int], among: int) -> dict[str, int]:
    return {value: (bitmap & among).bit_count() for value, bitmap in bitmaps.items()}


_lock = threading.Lock()
_current: Facets | None = None


def current() -> Facets:
    """The bitmaps of the register's present edition, built if need be."""
    global _current
    edition = Edition.current()
    found = _current
    if found is None or found.edition != edition:
        with _lock:
            found = _current
            if found is None or found.edition != edition:
                found = _current = Facets(edition)
    return found
