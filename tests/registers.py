"""The registers that the test database can hold: a small one by default, or the shipped one.

The small one is cut from the shipped document by address, so a field that is added to the document
needs no second copy here, and an agreement that is added to the shipped register changes no test.
"""

import json
import sqlite3
from collections.abc import Collection
from typing import Any

from django.db import connection, transaction

from agreements.importer import plan
from agreements.importer.document import from_json
from agreements.management.commands.import_register import SHIPPED

#: One of each kind that the tests tell of; a relation leads only to another one of these.
SMALL = (
    "hsa-mhlw-moc-2026",  # the reference record
    "hsa-mhlw-pmda-information-exchange-2010",  # what it builds on; three parties
    "jsepa-2002",  # a treaty between governments, known to the year, no provision
    "fda-swissmedic-mra-2023",  # an MRA with one-way provisions and six participants
    "hsa-mfds-gmp-mra-2024",  # an MRA in effect since a month
    "mfds-bfarm-2021",  # a list entry
    "thai-fda-tga-mou-2021",  # names in Thai
    "ec-emea-mhlw-pmda-ca-2007",  # expired, then renewed twice
    "ec-ema-mhlw-pmda-ca-2012",
    "ec-ema-mhlw-pmda-ca-2013",  # a term that is set
    "eu-canada-mra",  # suspended, then superseded
    "ceta-gmp-protocol",  # provisionally applied
    "access-consortium",  # a scheme without signature, joined later, renamed
    "asean-gmp-mra-2009",  # ten parties
    "project-orbis",  # one-way provisions among eight members who joined on different days
    "aemps-cofepris-framework-2016",  # undated, titled in Spanish
    "mhlw-thai-fda-moc-2018",  # titled in Japanese
)

#: Where a record names agencies.
_AGENCIES = {
    "participations": ["agency"],
    "signatories": ["agency"],
    "provisions": ["relying", "reference"],
}


def cut(slugs: Collection[str]) -> dict[str, Any]:
    """The shipped register document with these agreements only, and the agencies they name."""
    document = json.loads(SHIPPED.read_text())
    kept = [record for record in document["agreements"] if record["slug"] in slugs]
    for record in kept:
        record["relations"] = [
            row for row in record["relations"] if row["target"] is None or row["target"] in slugs
        ]
    agencies = {agency["key"]: agency for agency in document["agencies"]}
    named = {
        row[field]
        for record in kept
        for rows, fields in _AGENCIES.items()
        for row in record[rows]
        for field in fields
    } - {None}
    while above := {agencies[key]["parent"] for key in named} - named - {None}:
        named |= above
    return document | {
        "agencies": [agency for key, agency in agencies.items() if key in named],
        "agreements": kept,
    }


class Registers:
    """What the test database can hold. Django's flush would leave it empty, also of what the
    migrations wrote: so each content is kept when it is first made, and put back from there."""

    def __init__(self, name: str) -> None:
        """The database has been migrated and is empty."""
        self.kept = {"": Kept()}
        self.shown = ""
        self.show(name)

    def show(self, name: str) -> None:
        """Make the database hold the register ``small`` or ``shipped``."""
        if name == self.shown:
            return
        self.shown = name if name in self.kept else ""
        self.put_back()
        if name not in self.kept:
            document = cut(SMALL) if name == "small" else json.loads(SHIPPED.read_text())
            planned = plan(from_json(document))
            planned.apply(reason="Imported for the tests", name="import_register")
            self.kept[name] = Kept()
            self.shown = name

    def put_back(self) -> None:
        """Undo whatever has been written since."""
        self.kept[self.shown].put_back()


class Kept:
    """What the database holds now. ``put_back`` makes it hold just that again."""

    def __init__(self):
        self.database = connection.settings_dict["NAME"]
        with connection.cursor() as cursor:
            self.tables = connection.introspection.table_names(cursor)
        if connection.vendor == "sqlite":
            self.copy = sqlite3.connect(":memory:", check_same_thread=False)
            connection.connection.backup(self.copy)
        else:
            self.copy = {table: _rows(table) for table in self.tables}

    def put_back(self):
        # Never into a database that is not the tests' own.
        assert connection.settings_dict["NAME"] == self.database
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            self.copy.backup(connection.connection)
            return
        names = ", ".join(connection.ops.quote_name(table) for table in self.tables)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {names}")
            for table, rows in self.copy.items():
                if rows:
                    with cursor.copy(f"COPY {connection.ops.quote_name(table)} FROM STDIN") as into:
                        into.write(rows)


def _rows(table):
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {connection.ops.quote_name(table)} TO STDOUT") as rows,
    ):
        return b"".join(rows)
