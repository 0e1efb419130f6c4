"""The register as data: each public field named once, and thin writers over that list."""

from .cells import LIST_SEPARATOR, guard, unguard
from .compare import Difference, differences
from .package import PACKAGE_FORMAT, package
from .partners import PARTNER_COLUMNS, partner_row, partners_csv
from .records import (
    CHILDREN,
    DERIVED,
    FORMAT,
    NATURAL_KEY,
    PUBLIC,
    STAFF,
    WITHHELD,
    as_snapshot,
    coverage_table,
    inverse_relation,
    plain,
    plain_value,
    record,
    recorded,
    register_document,
    snapshot,
    told_record,
)
from .tables import COLUMNS, TABLES, Column, Table, agreements_csv, flat_row, table_csv
from .versions import COLUMN_VERSIONS, since

__all__ = [
    "CHILDREN",
    "COLUMNS",
    "COLUMN_VERSIONS",
    "DERIVED",
    "FORMAT",
    "LIST_SEPARATOR",
    "NATURAL_KEY",
    "PACKAGE_FORMAT",
    "PARTNER_COLUMNS",
    "PUBLIC",
    "STAFF",
    "TABLES",
    "WITHHELD",
    "Column",
    "Difference",
    "Table",
    "agreements_csv",
    "as_snapshot",
    "coverage_table",
    "differences",
    "flat_row",
    "guard",
    "inverse_relation",
    "package",
    "partner_row",
    "partners_csv",
    "plain",
    "plain_value",
    "record",
    "recorded",
    "register_document",
    "since",
    "snapshot",
    "table_csv",
    "told_record",
    "unguard",
]
