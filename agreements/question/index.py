"""Indexes that only grow: which slots have a value, which hold a word, which stand on a day.

One bit of a Python int stands for one slot. A record that changes gets a new slot and its old one
is dead: nothing is ever taken out of an index. Whoever asks looks at the live slots only.
Every index is immutable; ``plus`` gives another one that shares what did not change.
"""

import datetime
from array import array
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import reduce
from operator import and_, or_, xor
from typing import Any, Generic, TypeVar

from .entry import Entry

Value = TypeVar("Value", bound=Hashable)

_FLAGS = bytes.maketrans(b"01", b"\x00\x01")


def bitmap(slots: Iterable[int]) -> int:
    """The bits of these slots, each of which is given once."""
    slots = list(slots)
    if len(slots) == 1:
        return 1 << slots[0]
    bits = bytearray((max(slots, default=0) >> 3) + 1)
    for slot in slots:
        bits[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(bits, "little")


def flags(bits: int, size: int) -> bytes:
    """One byte for each of the first ``size`` slots, 1 where its bit is set."""
    return f"{bits:0{size}b}".encode()[::-1].translate(_FLAGS) if size else b""


class Bitmaps(dict[Value, int], Generic[Value]):
    """Value -> the bits of the slots that have it; 0 for a value that none has."""

    def __missing__(self, value: Value) -> int:
        return 0

    def plus(self, pairs: Iterable[tuple[Value, int]]) -> "Bitmaps[Value]":
        """With these slots, each under a value."""
        bits = Bitmaps(self)
        for value, slots in _grouped(pairs).items():
            bits[value] |= bitmap(slots)
        return bits

    def any(self, values: Iterable[Value]) -> int:
        """The slots that have one of these values."""
        return reduce(or_, map(self.__getitem__, values), 0)

    def all(self, values: Iterable[Value]) -> int:
        """The slots that have each of these values, of which there is at least one."""
        return reduce(and_, map(self.__getitem__, values))

    def counted(self, among: int) -> dict[Value, int]:
        """How many of these slots have each value."""
        return {value: (bits & among).bit_count() for value, bits in self.items()}


class Postings:
    """Word -> the slots that hold it. Most words are rare: a list takes less than a bitmap."""

    def __init__(self, lists: Mapping[str, "array[int]"] | None = None) -> None:
        self._lists = lists or {}

    def plus(self, words: Iterable[tuple[int, str]]) -> "Postings":
        """With these slots, each with the words that it holds, parted by blanks."""
        lists = dict(self._lists)
        own: set[str] = set()
        for slot, text in words:
            for word in text.split():
                if word in own:
                    lists[word].append(slot)
                else:
                    # Another index may share this list.
                    own.add(word)
                    lists[word] = array("I", lists.get(word, ())) + array("I", (slot,))
        return Postings(lists)

    def holding(self, words: Iterable[str]) -> int:
        """The slots that hold every one of these words, of which there is at least one."""
        return reduce(and_, (bitmap(self._lists.get(word, ())) for word in words))


#: Year -> the days of that year on which slots turn, and the bits that they turn altogether.
Years = dict[int, tuple[list[tuple[datetime.date, int]], int]]


class Timelines(Generic[Value]):
    """Value -> the slots that have it on a day. A slot takes a value up on one day, lays it down on
    another, takes it up again: on any day it has what it took up or laid down an odd number of
    times until then."""

    def __init__(self, years: Mapping[Value, Years] | None = None) -> None:
        self._years = years or {}

    def plus(self, turns: Iterable[tuple[Value, datetime.date, int]]) -> "Timelines[Value]":
        """With these slots, each under a value and the day on which it takes or leaves it."""
        by_year: dict[tuple[Value, int], list[tuple[datetime.date, int]]] = defaultdict(list)
        for value, day, slot in turns:
            by_year[value, day.year].append((day, slot))
        years = {value: dict(told) for value, told in self._years.items()}
        for (value, year), added in by_year.items():
            kept, bits = years.setdefault(value, {}).get(year, ([], 0))
            turned = reduce(xor, map(bitmap, _rounds(added)), bits)
            years[value][year] = (kept + added, turned)
        return Timelines(years)

    def __iter__(self) -> Iterator[Value]:
        return iter(self._years)

    def on(self, value: Value, day: datetime.date) -> int:
        """The slots that have the value on ``day``."""
        found = 0
        for year, (turns, bits) in self._years.get(value, {}).items():
            if year < day.year:
                found ^= bits
            elif year == day.year:
                until = [(when, slot) for when, slot in turns if when <= day]
                found = reduce(xor, map(bitmap, _rounds(until)), found)
        return found


def _rounds(turns: Iterable[tuple[datetime.date, int]]) -> list[list[int]]:
    """The slots in as few lists as have none of them twice."""
    rounds: list[list[int]] = []
    seen: dict[int, int] = {}
    for _, slot in turns:
        times = seen.get(slot, 0)
        seen[slot] = times + 1
        if times == len(rounds):
            rounds.append([])
        rounds[times].append(slot)
    return rounds


class Order:
    """The slots by a key of theirs, which is total."""

    def __init__(self, key: Callable[[Entry], Any], slots: list[int] | None = None) -> None:
        self._key, self.slots = key, slots or []

    def plus(self, slots: Iterable[int], entries: list[Entry]) -> "Order":
        """With these slots, whose entries are known."""

        def key(slot: int) -> Any:
            return self._key(entries[slot])

        added = list(slots)
        if len(added) > len(self.slots) / 50:
            return Order(self._key, sorted([*self.slots, *added], key=key))
        kept = list(self.slots)
        for slot in added:
            insort(kept, slot, key=key)
        return Order(self._key, kept)


def _grouped(pairs: Iterable[tuple[Value, int]]) -> dict[Value, list[int]]:
    groups: dict[Value, list[int]] = defaultdict(list)
    for value, slot in pairs:
        groups[value].append(slot)
    return groups
