"""How fast moctracker is on made-up registers, beside what is aimed at: ``make bench``.

    make bench                                    the pages at 20,000 agreements on SQLite
    make bench ARGS="--size 2000,20000,100000"    and how they grow from size to size
    make bench ARGS="--edits"                     what an edit costs readers
    make bench ARGS="--desk"                      the desk, and the deriving of one record
    make bench ARGS="--csv"                       the flat CSV against its limit
    make bench ARGS="--import"                    the data package and its importer
    make bench ARGS="--all --keep FOLDER"         everything, on a register filled once
    DATABASE_URL=postgres://... make bench        on databases of their own on that server

Starts the production server on a database that is thrown away, and asks it over HTTP, one client,
one request after another. Beside the clock stands the processor's time, of the server's processes
and of its database connections, and that as a multiple of the empty page's in the same run.
Nothing here is a test: it reports, it does not judge.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

SECTIONS = {
    "edits": "first page after an edit, and readers while staff save",
    "desk": "front page, saving a draft, deriving one record",
    "csv": "the flat CSV, its limit, and the pages beside ten exports",
    "import": "the data package and its importer",
}


def main() -> None:
    options = _options()
    folder = tempfile.mkdtemp(prefix="moctracker-bench-")
    os.environ["MOCTRACKER_VAR"] = folder
    given = os.environ.get("DATABASE_URL")

    from moctracker import environment

    environment.begin()
    import django

    django.setup()
    from django.core.management import call_command

    from . import database, desk, edits, importing, pages, tables
    from .server import served

    databases: database.Databases
    databases = database.OnServer(given) if given else database.Files(options.keep or Path(folder))
    by_size = {}
    try:
        call_command("collectstatic", verbosity=0, interactive=False)
        for size in options.sizes:
            with database.filled(databases, size, keep=bool(options.keep)):
                with served() as server:
                    if "pages" in options.sections:
                        by_size[size] = pages.measure(server, size, options.repeats)
                    if "edits" in options.sections:
                        edits.first_pages(server, options.repeats)
                        edits.readers(server, options.seconds)
                    if "desk" in options.sections:
                        desk.measure(server, options.repeats)
                    if "csv" in options.sections:
                        tables.measure(server)
                if "import" in options.sections:
                    importing.measure(databases, folder)
        if len(by_size) > 1:
            pages.tell_growth(by_size)
    finally:
        shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure speed on made-up registers, beside what is aimed at."
    )
    parser.add_argument(
        "--size",
        "--sizes",
        dest="sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        default=[20_000],
        metavar="N[,N...]",
        help="agreements (20000)",
    )
    for section, told in SECTIONS.items():
        parser.add_argument(
            f"--{section}",
            dest="sections",
            action="append_const",
            const=section,
            help=f"{told}, instead of the pages",
        )
    parser.add_argument(
        "--all",
        dest="sections",
        action="store_const",
        const=["pages", *SECTIONS],
        help="these and the pages",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=15,
        metavar="N",
        help="editions in which each page is asked twice; edits of each kind (15)",
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=20,
        metavar="N",
        help="readers read without and with saves (20)",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep filled databases there, and use what is there; PostgreSQL keeps them itself",
    )
    options = parser.parse_args()
    options.sections = options.sections or ["pages"]
    return options


if __name__ == "__main__":
    main()
