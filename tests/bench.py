"""How fast the pages and the CSV are on a made-up register: ``make bench``.

    make bench                      20,000 agreements on SQLite
    make bench ARGS="--size 100000"
    make bench ARGS="--csv"         the CSV against its limit, and the pages beside ten exports
    make bench ARGS="--import"      the data package and its importer instead of the pages
    DATABASE_URL=postgres://... make bench    on a database of its own on that server

Starts the production server on a database that is thrown away, and asks it over HTTP, one client,
one request after another. Each page is asked twice in each edition: cold is the first time, warm
the second, which the response cache answers. Beside the clock stands the processor's time, of the
server's processes and of its database connections, and that as a multiple of the empty page's.
Nothing here is a test: it reports, it does not judge.
"""

import argparse
import glob
import http.client
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

WORDS = [
    "inspection",
    "reliance",
    "exchange",
    "safety",
    "device",
    "vaccine",
    "training",
    "assessment",
    "quality",
    "dossier",
    "recall",
    "surveillance",
    "pilot",
    "regional",
    "programme",
    "trial",
    "herbal",
    "digital",
    "laboratory",
    "standard",
]
PAGES = {
    "empty page (404)": "/nowhere/",
    "home": "/",
    "list": "/agreements/",
    "list, last page": "/agreements/?page={last}",
    "filtered list": "/agreements/?depth=recognition&product=medicines&stage=manufacturing",
    "filtered by status": "/agreements/?status=in_effect",
    "as of a day": "/agreements/?as_of=2011-01-01",
    "search, common word": "/agreements/?q=inspection",
    "search, rare word": "/agreements/?q=uniqueword7",
    "search, Japanese": "/agreements/?q=%E5%8E%9A%E7%94%9F",
    "detail": "/agreements/bench-7/",
    "agency": "/agencies/bench-7/",
    "coverage, overview": "/coverage/",
    "coverage, one agency": "/coverage/?agency=bench-7",
    "coverage, one country": "/coverage/?country=SG&by=country",
    "coverage, a pair": "/coverage/bench-7/bench-8/",
}


def fill(size, seed=1):
    """A made-up register: agencies, agreements, rows and search terms."""
    from agreements.coverage import Commitment, Depth
    from agreements.models import (
        Agency,
        Agreement,
        CooperationArea,
        FormerSlug,
        Milestone,
        Participation,
        ProductCategory,
        Provision,
        Relation,
        Source,
    )
    from agreements.record.derive import derive_all

    draw = random.Random(seed)  # noqa: S311
    areas = list(CooperationArea.objects.all())
    products = list(ProductCategory.objects.all())
    countries = ["SG", "JP", "KR", "US", "GB", "CH", "AU", "CA", "BR", "IN", "EU", "ZA"]
    agencies = Agency.objects.bulk_create(
        Agency(
            key=f"bench-{n}",
            name=f"Made-up Agency {n}",
            acronym=f"MUA{n}",
            native_name="厚生局" if n % 5 == 0 else "",
            native_language="ja" if n % 5 == 0 else "",
            jurisdiction=draw.choice(countries),
            kind="regulator",
        )
        for n in range(500)
    )
    for start in range(0, size, 2000):
        numbers = range(start, min(start + 2000, size))
        agreements = Agreement.objects.bulk_create(
            Agreement(
                slug=f"bench-{n}",
                title=f"Made-up memorandum {n} on {' '.join(draw.sample(WORDS, 3))}",
                short_title=f"Bench {n} uniqueword{n}",
                instrument_type=draw.choice(["moc", "mou", "mra"]),
                summary=" ".join(draw.choices(WORDS, k=30)),
                signed_on=f"{draw.randint(1990, 2026)}-{draw.randint(1, 12):02}",
                state="published",
            )
            for n in numbers
        )
        Source.objects.bulk_create(
            Source(
                agreement=a,
                number=number,
                publisher="Made-up publisher",
                title="Made up",
                url=f"https://example.org/{a.slug}/{number}" if number < 3 else "",
            )
            for a in agreements
            for number in range(1, draw.randint(2, 4))
        )
        of_agreements = Agreement.products.through
        of_agreements.objects.bulk_create(
            of_agreements(agreement=a, productcategory=product)
            for a in agreements
            for product in draw.sample(products, draw.randint(0, 3))
        )
        Relation.objects.bulk_create(
            Relation(agreement=later, kind="builds_on", target=earlier)
            for earlier, later in zip(agreements[::2], agreements[1::2], strict=False)
        )
        FormerSlug.objects.bulk_create(
            FormerSlug(agreement=a, slug=f"former-{a.slug}") for a in agreements[::20]
        )
        Participation.objects.bulk_create(
            Participation(agreement=a, agency=agency, position=position)
            for a in agreements
            for position, agency in enumerate(draw.sample(agencies, draw.randint(2, 4)), start=1)
        )
        provisions = Provision.objects.bulk_create(
            Provision(
                agreement=a,
                position=position,
                area=draw.choice(areas),
                depth=draw.choice(Depth.values),
                commitment=draw.choice(Commitment.values),
                statement=" ".join(draw.choices(WORDS, k=12)),
            )
            for a in agreements
            for position in range(draw.randint(1, 5))
        )
        through = Provision.products.through
        through.objects.bulk_create(
            through(provision=p, productcategory=product)
            for p in provisions
            for product in draw.sample(products, 2)
        )
        Milestone.objects.bulk_create(
            Milestone(agreement=a, kind=kind, date=f"{draw.randint(1995, 2026)}")
            for a in agreements
            for kind in draw.sample(["announced", "entered_into_force", "suspended", "renewed"], 2)
        )
        ids = [a.pk for a in agreements]
        derive_all(Agreement.objects.filter(pk__in=ids))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    """Status, seconds to the first byte, seconds in all, and the body's bytes and lines."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    start = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    size = len(response.read(1))
    first = time.perf_counter() - start
    lines = 0
    while chunk := response.read(65536):
        size += len(chunk)
        lines += chunk.count(b"\n")
    total = time.perf_counter() - start
    connection.close()
    return response.status, first, total, size, lines


def memory(pid):
    """Memory of the server's worker in MiB, without the files that it maps: the system keeps those
    anyway and takes them back when it likes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{(children or [pid])[0]}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def processor(pids):
    """Seconds that the threads of these processes have had of the processors."""
    threads = [Path(file) for pid in pids for file in glob.glob(f"/proc/{pid}/task/*/schedstat")]
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def processes(pid):
    """The server's processes, and on PostgreSQL those that answer it, if they are on this
    machine."""
    from django.db import connection

    found = [pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
            found += [row[0] for row in cursor]
    return found


@contextmanager
def served():
    """The production server: its process and its port."""
    port = free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "moctracker.wsgi", "--log-level", "error"]
    server = subprocess.Popen([*gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "16"])
    try:
        for _ in range(100):
            try:
                get(port, "/nowhere/")
                break
            except OSError:
                time.sleep(0.1)
        yield server.pid, port
    finally:
        server.terminate()
        server.wait()


class Request(NamedTuple):
    """What one request took, in milliseconds."""

    clock: float
    processor: float
    bytes: int


def request(pid, port, path, wanted):
    measured = processes(pid)
    before = processor(measured)
    status, _, total, size, _ = get(port, path)
    assert status == wanted, (path, status)
    return Request(total * 1000, (processor(measured) - before) * 1000, size)


def measure(size, repeats):
    from agreements.models import Edition

    paths = {name: path.format(last=-(-size // 25)) for name, path in PAGES.items()}
    cold, warm = ({name: [] for name in paths} for _ in range(2))
    with served() as (pid, port):
        for _ in range(repeats):
            Edition.renew()
            for taken in (cold, warm):
                # The register in memory is built once an edition, by a page that is not measured.
                get(port, "/agreements/?page=2")
                for name, path in paths.items():
                    wanted = 404 if "404" in name else 200
                    taken[name].append(request(pid, port, path, wanted))
    empty_page = cold["empty page (404)"] + warm["empty page (404)"]
    empty = statistics.median(taken.processor for taken in empty_page)
    print(f"{'':<24}{'cold ms':>10}{'processor':>11}{'':>9}{'warm ms':>10}{'processor':>11}")
    for name in paths:
        print(f"{name:<24}", end="")
        for taken in (cold[name], warm[name]):
            clock = statistics.median(each.clock for each in taken)
            used = statistics.median(each.processor for each in taken)
            print(f"{clock:>10.1f}{used:>11.1f}{used / empty:>7.1f} x", end="")
        print(f"{taken[0].bytes:>10,} bytes")


def measure_csv(size):
    from tests.bench_tables import measure_in_process, measure_served

    limit = measure_in_process(size)
    with served() as (pid, port):
        measure_served(get, memory, pid, port, size, limit)


class Timed:
    """Says how long a step took, in seconds by the clock and of the processor, and the most memory
    the process has had so far."""

    def __init__(self, step):
        self.step = step

    def __enter__(self):
        self.clock, self.processor = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        clock, processor = time.perf_counter() - self.clock, time.process_time() - self.processor
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{self.step:<44}{clock:>8.1f} s{processor:>8.1f} s processor{most:>8,.0f} MiB")


def measure_import(size, folder):
    """The package of the register, and its way into an empty, a full and a changed one."""
    from django.core.management import call_command
    from django.utils import timezone

    from agreements.exports import package
    from agreements.importer import plan, read
    from agreements.models import Agreement

    path = Path(folder) / "package.zip"
    day = timezone.localdate()
    with Timed(f"package of {size:,} agreements"), path.open("wb") as file:
        package(Agreement.objects.register(), day, "https://example.org", file)
    print(f"{path.stat().st_size / 2**20:.1f} MiB")
    call_command("flush", interactive=False, verbosity=0)
    for case in ("an empty register", "an unchanged register", "a register changed throughout"):
        with Timed(f"{case}: read"), path.open("rb") as file:
            document = read(path.name, file)
        with Timed(f"{case}: plan"):
            planned = plan(document)
        with Timed(f"{case}: apply"):
            result = planned.apply(reason="bench", name="bench")
        print(result)
        if case == "an unchanged register":
            Agreement.objects.update(summary="Changed.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=20_000, help="agreements (20000)")
    parser.add_argument(
        "--import", action="store_true", dest="importing", help="measure package and importer"
    )
    parser.add_argument("--csv", action="store_true", help="measure the tables and their limit")
    parser.add_argument(
        "--repeats",
        type=int,
        default=15,
        help="editions, in each of which each page is asked twice (15)",
    )
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moctracker.settings")
    given = os.environ.get("DATABASE_URL")
    folder = tempfile.mkdtemp(prefix="moctracker-bench-")
    os.environ["MOCTRACKER_VAR"] = folder
    name = f"moctracker_bench_{os.getpid()}"
    if given:
        import psycopg

        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
    try:
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        start = time.perf_counter()
        fill(options.size)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        print(
            f"{options.size:,} made-up agreements on {connection.vendor}, "
            f"filled in {time.perf_counter() - start:.0f} s"
        )
        if options.importing:
            measure_import(options.size, folder)
        elif options.csv:
            measure_csv(options.size)
        else:
            measure(options.size, options.repeats)
    finally:
        shutil.rmtree(folder)
        if given:
            if pool := getattr(connection, "pool", None):
                pool.close()
            with psycopg.connect(given, autocommit=True) as admin:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
