"""The CSV against its limit: the same columns by one query, a bare cursor and ``csv.writer``."""

import csv
import datetime
import os
import statistics
import threading
import time

from django.db import connection

from agreements.coverage import Stage
from agreements.exports import TABLES, table_csv
from agreements.exports.tables import STAGE_COLUMNS
from agreements.models import Agreement

PAGES = ["/", "/agreements/", "/agreements/bench-7/", "/coverage/?agency=bench-7"]
EXPORTS = 10


def joined_query():
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
            {STAGE_COLUMNS[stage]: reach.format(stage.value) for stage in Stage}
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
    computed = {
        "status": "''",
        "status_day": "'2026-06-01'",
        "url": "'https://example.org/agreements/' || a.slug || '/'",
        "signed_on_earliest": "a.signed_on_earliest",
        "signed_on_latest": "a.signed_on_latest",
        "updated_at": "a.updated_at",
    }
    columns = [
        computed.get(column.name)
        or (f"a.{column.field}" if column.field and not column.listed else column.name)
        for column in TABLES["agreements"].columns
    ]
    joins = " ".join(
        f"LEFT JOIN {sql} AS {name} ON {name}.owner = a.id" for name, sql in parts.items()
    )
    return (
        f"SELECT {', '.join(columns)} FROM agreements_agreement a {joins} "
        "WHERE a.state = 'published' ORDER BY a.signed_on_earliest DESC NULLS LAST, a.slug"
    )


def timed(write):
    """Seconds that ``write`` took, with a file that keeps nothing."""
    with open(os.devnull, "w", encoding="utf-8", newline="") as file:
        start = time.perf_counter()
        write(file)
        return time.perf_counter() - start


def bare(file):
    with connection.cursor() as cursor:
        cursor.execute(joined_query())
        csv.writer(file).writerows(cursor)


def ours(file):
    ids = list(Agreement.objects.register().newest_first().values_list("pk", flat=True))
    day, base = datetime.date(2026, 6, 1), "https://example.org"
    file.writelines(table_csv(TABLES["agreements"], ids, day, base))


def measure_in_process(size, repeats=3):
    """Rows a second of the limit and of the flat table, asked in turn; the best of each."""
    found = {bare: [], ours: []}
    for _ in range(repeats):
        for write, seconds in found.items():
            seconds.append(timed(write))
    limit, reached = (size / min(seconds) for seconds in found.values())
    print(f"bare cursor and csv.writer, in process: {limit:,.0f} rows a second")
    print(f"agreements.csv, in process: {reached:,.0f} rows a second, {reached / limit:.2f} of it")
    return limit


def measure_served(get, memory, pid, port, size, limit):
    """The same over HTTP; then the pages while so many full exports are under way."""
    # The first answer builds the bitmaps, and the pages have been asked before.
    get(port, "/agreements/")
    before = memory(pid)
    status, first, total, sent, _ = get(port, "/agreements.csv")
    assert status == 200
    print(
        f"agreements.csv, served: {size / total:,.0f} rows a second, {size / total / limit:.2f} of "
        f"the limit, first byte after {first * 1000:.0f} ms, {sent / 2**20:.1f} MiB, "
        f"server memory {before:.1f} -> {memory(pid):.1f} MiB"
    )
    pages_alone = _pages(get, port, lambda: False)
    statuses = []
    exports = [
        threading.Thread(target=lambda: statuses.append(get(port, "/agreements.csv")[0]))
        for _ in range(EXPORTS)
    ]
    start = time.perf_counter()
    for export in exports:
        export.start()
    time.sleep(0.2)
    pages_beside = _pages(get, port, lambda: any(export.is_alive() for export in exports))
    for export in exports:
        export.join()
    print(
        f"{EXPORTS} exports at once: {statuses.count(200)} whole in "
        f"{time.perf_counter() - start:.0f} s, server memory {memory(pid):.1f} MiB"
    )
    for page, alone in pages_alone.items():
        beside = pages_beside[page]
        print(
            f"{page:<28}alone {statistics.median(alone) * 1000:>6.0f} ms, beside them "
            f"{statistics.median(beside) * 1000:>6.0f} ms, slowest {max(beside) * 1000:>6.0f} ms"
        )


def _pages(get, port, going_on):
    """Seconds that each page takes, ten times and on while something is going on."""
    taken = {page: [] for page in PAGES}
    for page in PAGES:
        get(port, page)
    while len(taken[PAGES[0]]) < 10 or (going_on() and len(taken[PAGES[0]]) < 40):
        for page, seconds in taken.items():
            status, _, total, _, _ = get(port, page)
            assert status == 200, page
            seconds.append(total)
    return taken
