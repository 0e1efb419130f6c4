"""The content of the test database, kept when it was filled and put back after each test that wrote
to it for good. Django's flush leaves it empty, also of what the migrations wrote."""

import sqlite3

from django.db import connection, transaction


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
