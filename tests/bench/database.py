"""The databases of the benchmark: a filled one may be kept, and what is measured is its copy."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.core.management import call_command
from django.db import connection

from agreements.models import Agreement

from . import register
from .server import own_processor


class Files:
    """SQLite databases in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def name(self, database: str) -> str:
        """What Django calls it."""
        return str(self.folder / f"{database}.sqlite3")

    def address(self, database: str) -> str:
        """What ``DATABASE_URL`` calls it."""
        return f"sqlite:///{self.name(database)}"

    def exists(self, database: str) -> bool:
        return Path(self.name(database)).exists()

    def create(self, database: str) -> None:
        """Django does."""

    def copy(self, database: str, other: str) -> None:
        # Under its name it is always a whole one.
        half = shutil.copy(self.name(database), self.name(f"{other}-half"))
        os.replace(half, self.name(other))

    def drop(self, database: str) -> None:
        for file in self.folder.glob(f"{database}.sqlite3*"):
            file.unlink()


class OnServer:
    """Databases on a PostgreSQL server, of which the address of one is given."""

    def __init__(self, given: str) -> None:
        self.given = given

    def name(self, database: str) -> str:
        """What Django calls it."""
        return database

    def address(self, database: str) -> str:
        """What ``DATABASE_URL`` calls it."""
        return urlunsplit(urlsplit(self.given)._replace(path=f"/{database}"))

    def _ask(self, statement: str) -> list[tuple]:
        with closing(psycopg.connect(self.given, autocommit=True)) as server:
            cursor = server.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def exists(self, database: str) -> bool:
        return bool(self._ask(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))

    def create(self, database: str) -> None:
        self._ask(f"CREATE DATABASE {database}")

    def copy(self, database: str, other: str) -> None:
        self._ask(f"CREATE DATABASE {other} TEMPLATE {database}")

    def drop(self, database: str) -> None:
        self._ask(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


Databases = Files | OnServer


@contextmanager
def filled(databases: Databases, size: int, *, keep: bool) -> Iterator[None]:
    """A database with the shipped and a made-up register, which is thrown away afterwards: with
    ``keep`` a copy of one that is there already, or is from now on. The rules of deriving may have
    changed since."""
    # Another filling, other registers.
    version = sha256(Path(register.__file__).read_bytes()).hexdigest()[:8]
    kept, own = f"moctracker_bench_{size}_{version}", f"moctracker_bench_{os.getpid()}"
    there = databases.exists(kept)
    if there:
        databases.copy(kept, own)
    with _migrated(databases, own, create=not there):
        start = time.perf_counter()
        if not there:
            call_command("import_register", stdout=StringIO())
            register.fill(size)
        spent, told = own_processor(), StringIO()
        call_command("derive", stdout=told)
        spent = own_processor() - spent
        derived = int(re.findall(r"(\d+) agreements? derived", told.getvalue())[0])
        if not there:
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        seconds = time.perf_counter() - start
        records = Agreement.objects.count()
        print(f"\n{records:,} agreements on {connection.vendor}, in {seconds:.0f} s")
        if derived:
            told_cost = f"{spent * 1000 / derived:>8.2f} ms of processor time a record"
            print(f"{'derive':<28}{told_cost:<52}aim <= 1")
        if keep and derived:
            _leave()
            databases.drop(kept)
            databases.copy(own, kept)
        yield


@contextmanager
def empty(databases: Databases) -> Iterator[None]:
    """A database with the vocabularies and no record, which is thrown away afterwards."""
    with _migrated(databases, f"moctracker_bench_{os.getpid()}_empty", create=True):
        yield


@contextmanager
def _migrated(databases: Databases, name: str, *, create: bool) -> Iterator[None]:
    """Use this database, here and in the processes that are started from here; drop it at last."""
    _leave()
    try:
        if create:
            databases.create(name)
        os.environ["DATABASE_URL"] = databases.address(name)
        connection.settings_dict["NAME"] = databases.name(name)
        call_command("migrate", verbosity=0)
        yield
    finally:
        _leave()
        databases.drop(name)


def _leave() -> None:
    """Close every connection of this process."""
    connection.close()
    if getattr(connection, "pool", None):
        connection.close_pool()
