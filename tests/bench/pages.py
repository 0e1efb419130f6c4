"""Pages the first time in an edition (cold) and again (warm), beside the empty page."""

import json
import math
import statistics
from itertools import pairwise
from typing import NamedTuple

from agreements.management.commands.import_register import SHIPPED
from agreements.models import Edition

from .server import Server

#: Multiples of the empty page: what is aimed at for any page again in the same edition.
WARM = 1.5
#: Of the worker that has answered all of them, in MiB; to the first list page, in seconds.
MEMORY, START = 400, 6


class Page(NamedTuple):
    """A page and what is aimed at: multiples of the empty page, and the exponent by which they
    grow with the register."""

    path: str
    cold: int | None = None
    growth: float = 0.2


EMPTY = "empty page (404)"
PAGES = {
    EMPTY: Page("/nowhere/"),
    "home": Page("/", 8),
    "list": Page("/agreements/", 8),
    "list, last page": Page("/agreements/?page={last}", 8),
    "filtered list": Page(
        "/agreements/?depth=recognition&product=medicines&stage=manufacturing", 8
    ),
    "filtered by status": Page("/agreements/?status=in_effect", 8),
    "as of a day": Page("/agreements/?as_of={day}", 10),
    "search, common word": Page("/agreements/?q=inspection", 20),
    "search, two words": Page("/agreements/?q=inspection+reliance", 20),
    "search, rare word": Page("/agreements/?q=uniqueword7", 20),
    "search, Japanese": Page("/agreements/?q=%E5%8E%9A%E7%94%9F", 20),
    "record": Page("/agreements/bench-7/", 15),
    "record, biggest shipped": Page("/agreements/{biggest}/", 15),
    "agency": Page("/agencies/bench-7/", 20),
    "coverage, overview": Page("/coverage/"),
    "coverage, one agency": Page("/coverage/?agency=bench-7", 35, 0.5),
    "coverage, by country": Page("/coverage/?country=SG&by=country", 50, 0.7),
    "coverage, a pair": Page("/coverage/bench-7/bench-8/", 20),
}
#: Asked first in each edition and not measured: the register in memory is brought up to date.
UNMEASURED = "/agreements/?page=2"


def biggest_shipped() -> str:
    """The slug of the longest record of the shipped register."""
    records = json.loads(SHIPPED.read_text())["agreements"]
    return max(records, key=lambda record: len(json.dumps(record)))["slug"]


def measure(server: Server, size: int, repeats: int) -> dict[str, float]:
    """Ask each page twice in each of so many editions. Returns the multiples of the empty page's
    processor time that the pages take cold."""
    cold, warm = ({name: [] for name in PAGES} for _ in range(2))
    biggest = biggest_shipped()
    for repeat in range(repeats):
        Edition.renew()
        # A day is asked for once: what is kept of it from one edition to the next would be a gift.
        told = {
            "last": -(-size // 25),
            "biggest": biggest,
            "day": f"{2000 + repeat // 12}-{repeat % 12 + 1:02}-15",
        }
        for taken in (cold, warm):
            server.get(UNMEASURED)
            for name, page in PAGES.items():
                wanted = 404 if name == EMPTY else 200
                taken[name].append(server.cost(page.path.format(**told), wanted=wanted))
    empty = statistics.median(each.processor for each in cold[EMPTY] + warm[EMPTY])
    heads = ("ms", "processor", "x empty", "aim <=")
    for when in ("cold", "warm"):
        print(f"{'' if when == 'warm' else ' ' * 28}{when:>8} {heads[0]}", end="")
        print("".join(f"{head:>10}" for head in heads[1:]), end="")
    print(f"{'bytes':>12}")
    multiples = {}
    for name, page in PAGES.items():
        print(f"{name:<28}", end="")
        for taken, aim in ((cold[name], page.cold), (warm[name], WARM)):
            clock = statistics.median(each.clock for each in taken)
            used = statistics.median(each.processor for each in taken)
            told_aim = aim if aim and name != EMPTY else ""
            print(f"{clock:>11.1f}{used:>10.1f}{used / empty:>10.1f}{told_aim:>10}", end="")
            if taken is cold[name]:
                multiples[name] = used / empty
        print(f"{cold[name][-1].bytes:>12,}")
    print(f"{'start to the first list page':<28}{server.start:>11.1f} s{'':>19}aim <= {START}")
    tell_memory(server, "after all pages")
    return multiples


def tell_memory(server: Server, when: str) -> None:
    """How much memory the largest process of the server has."""
    print(f"{'worker ' + when:<28}{server.memory():>11.0f} MiB{'':>17}aim <= {MEMORY}")


def tell_growth(by_size: dict[int, dict[str, float]]) -> None:
    """The exponents by which the pages grow from each size to the next."""
    sizes = sorted(by_size)
    pairs = list(pairwise(sizes))
    print(f"\n{'growth, cold: exponent':<28}", end="")
    print("".join(f"{f'{small:,} to {large:,}':>24}" for small, large in pairs), end="")
    print(f"{'aim <=':>10}")
    for name, page in PAGES.items():
        if name == EMPTY:
            continue
        print(f"{name:<28}", end="")
        for small, large in pairs:
            grown = by_size[large][name] / by_size[small][name]
            print(f"{math.log(grown) / math.log(large / small):>24.2f}", end="")
        print(f"{page.growth:>10}")
