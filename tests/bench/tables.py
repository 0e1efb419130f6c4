"""The flat CSV, served, against its limit: the same columns by one query that joins everything,
read by a bare cursor and ``csv.writer`` on SQLite and by ``COPY`` on PostgreSQL."""

import csv
import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.request import urlopen

from django.db import connection

from agreements.models import Agreement, Edition

from .server import Server, get, own_processor, processor

PATH = "/agreements.csv"
PAGES = ["/", "/agreements/", "/agreements/bench-7/", "/coverage/?agency=bench-7"]
EXPORTS = 10
STAGES = [
    "clinical_trials_review",
    "product_review",
    "registration",
    "manufacturing",
    "post_market_oversight",
]
#: Times the limit; milliseconds to the first byte; MiB that the server grows.
TIMES = {"sqlite": 8, "postgresql": 2}
FIRST, GROWTH = 50, 16


def joined_query(header: list[str]) -> str:
    """The columns of the flat table in one query for this database. Lists are aggregated, each by
    one pass over its table; of status and coverage, what they are worked out from."""
    sqlite = connection.vendor == "sqlite"

    def gathered(columns, rows, order):
        """Texts aggregated by agreement: {column: SQL of the text}, in the order of the rows."""
        if sqlite:
            told = ", ".join(
                f"group_concat({text}, ' | ') AS {name}" for name, text in columns.items()
            )
            rows = f"SELECT * FROM ({rows}) ORDER BY owner, {order}"
            return f"(SELECT owner, {told} FROM ({rows}) GROUP BY owner)"
        told = ", ".join(
            f"string_agg({text}, ' | ' ORDER BY {order}) AS {name}"
            for name, text in columns.items()
        )
        return f"(SELECT owner, {told} FROM ({rows}) AS rows GROUP BY owner)"

    reach = "CASE WHEN stage = '{}' THEN depth || ', ' || commitment END"
    parts = {
        "participants": gathered(
            {"participants": "short_name", "participant_jurisdictions": "jurisdiction"},
            "SELECT p.agreement_id AS owner, p.position, p.id, a.jurisdiction, "
            "coalesce(nullif(a.acronym, ''), a.name) AS short_name "
            "FROM agreements_participation p JOIN agreements_agency a ON a.id = p.agency_id",
            "position, id",
        ),
        "provisions": gathered(
            {f"coverage_{stage}": reach.format(stage) for stage in STAGES}
            | {"cross_cutting_areas": "CASE WHEN stage = '' THEN name END"},
            "SELECT p.agreement_id AS owner, p.position, p.id, p.depth, p.commitment, a.stage, "
            "a.name FROM agreements_provision p JOIN agreements_cooperationarea a "
            "ON a.id = p.area_id",
            "position, id",
        ),
        "milestones": gathered(
            {"status_because": "kind || ' ' || coalesce(date, '') || ' ' || coalesce(until, '')"},
            "SELECT agreement_id AS owner, kind, date, until, date_earliest, id "
            "FROM agreements_milestone",
            "date_earliest, id",
        ),
        "scope": gathered(
            {"products": "name", "product_codes": "code"},
            "SELECT s.agreement_id AS owner, p.name, p.code, p.position "
            "FROM agreements_agreement_products s JOIN agreements_productcategory p "
            "ON p.id = s.productcategory_id",
            "position",
        ),
        "kin": gathered(
            {"relations": "kind || ': ' || other"},
            "SELECT r.agreement_id AS owner, r.kind, coalesce(t.slug, r.target_title) AS other, "
            "r.id FROM agreements_relation r LEFT JOIN agreements_agreement t "
            "ON t.id = r.target_id",
            "kind, id",
        ),
        "sources": gathered(
            {"sources": "coalesce(nullif(url, ''), publisher || ': ' || title)"},
            "SELECT agreement_id AS owner, url, publisher, title, number FROM agreements_source",
            "number",
        ),
        "former": gathered(
            {"former_slugs": "slug"},
            "SELECT agreement_id AS owner, slug FROM agreements_formerslug",
            "slug",
        ),
    }
    told = {
        "id": "a.slug",
        "status": "''",
        "status_day": "'2026-06-01'",
        "url": "'https://example.org/agreements/' || a.slug || '/'",
    }
    own = {field.name for field in Agreement._meta.fields}
    columns = [told.get(name) or (f"a.{name}" if name in own else name) for name in header]
    joins = " ".join(
        f"LEFT JOIN {sql} AS {name} ON {name}.owner = a.id" for name, sql in parts.items()
    )
    return (
        f"SELECT {', '.join(columns)} FROM agreements_agreement a {joins} "
        "WHERE a.state = 'published' ORDER BY a.signed_on_earliest DESC NULLS LAST, a.slug"
    )


class Taken(NamedTuple):
    """Seconds that a whole table took, by the clock and of the processors."""

    clock: float
    processor: float


def _limit(query: str) -> Taken:
    """The joined query, written to where nothing is kept."""
    spent, start = own_processor(), time.perf_counter()
    with open(os.devnull, "w", encoding="utf-8", newline="") as file, connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(query)
            csv.writer(file).writerows(cursor)
        else:
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copied:
                file.writelines(str(piece, "utf-8") for piece in copied)
    return Taken(time.perf_counter() - start, own_processor() - spent)


def measure(server: Server, repeats: int = 3) -> None:
    """The served table and its limit, asked in turn; the best of each. Then the pages while so many
    full exports are under way."""
    with urlopen(f"http://127.0.0.1:{server.port}{PATH}") as answer:
        header = answer.readline().decode("utf-8-sig").strip().split(",")
    query = joined_query(header)
    served, limit, firsts = [], [], []
    for _ in range(repeats):
        Edition.renew()
        server.get("/agreements/?page=2")
        before = processor(server.processes())
        answer = server.get(PATH)
        served.append(Taken(answer.total, processor(server.processes()) - before))
        firsts.append(answer.first * 1000)
        limit.append(_limit(query))
    rows = Agreement.objects.filter(state="published").count()
    for name, of in (("by the clock", "clock"), ("of processor time", "processor")):
        ours, bare = (rows / min(getattr(each, of) for each in taken) for taken in (served, limit))
        told = f"{ours:>8,.0f} rows a second, the joined query {bare:,.0f}: {ours / bare:.1f} x"
        print(f"{'agreements.csv ' + name:<34}{told:<58}aim >= {TIMES[connection.vendor]} x")
    print(f"{'  its first byte':<34}{f'{min(firsts):>8.0f} ms':<58}aim <= {FIRST}")
    before, most = server.memory(), []
    server.get(PATH, meanwhile=lambda: most.append(server.memory()))
    told = f"{max(most) - before:>8.1f} MiB, from {before:.1f}"
    print(f"{'  growth of the server':<34}{told:<58}aim <= {GROWTH}")
    _pages_beside_exports(server)


def _pages_beside_exports(server: Server) -> None:
    pages_alone = _pages(server, lambda: False)
    statuses: list[int] = []

    def export() -> None:
        # So many at once are let in, and no more.
        statuses.append(get(server.port, PATH).status)

    exports = [threading.Thread(target=export) for _ in range(EXPORTS)]
    start = time.perf_counter()
    for thread in exports:
        thread.start()
    time.sleep(0.2)
    pages_beside = _pages(server, lambda: any(thread.is_alive() for thread in exports))
    for thread in exports:
        thread.join()
    print(
        f"{EXPORTS} exports at once: {statuses.count(200)} whole in "
        f"{time.perf_counter() - start:.0f} s, server memory {server.memory():.1f} MiB"
    )
    for page, alone in pages_alone.items():
        beside = pages_beside[page]
        print(
            f"{page:<28}alone {statistics.median(alone) * 1000:>6.0f} ms, beside them "
            f"{statistics.median(beside) * 1000:>6.0f} ms, slowest {max(beside) * 1000:>6.0f} ms"
        )


def _pages(server: Server, going_on: Callable[[], bool]) -> dict[str, list[float]]:
    """Seconds that each page takes, ten times and on while something is going on."""
    taken: dict[str, list[float]] = {page: [] for page in PAGES}
    for page in PAGES:
        server.get(page)
    while len(taken[PAGES[0]]) < 10 or (going_on() and len(taken[PAGES[0]]) < 40):
        for page, seconds in taken.items():
            seconds.append(server.get(page).total)
    return taken
