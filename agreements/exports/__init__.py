"""The register as data: each public field named once, and thin writers over that list."""

from .bulk import RegisterChanged, row_count, table_csv, table_rows
from .cells import LIST_SEPARATOR, guard, unguard
from .flat import Names, flat_line
from .package import PACKAGE_FORMAT, package
from .partners import PARTNER_COLUMNS, PARTNERS, partner_row, partners_csv
from .records import (
    CHILDREN,
    DERIVED,
    FORMAT,
    NATURAL_KEY,
    PUBLIC,
    STAFF,
    WITHHELD,
    Record,
    address_of,
    as_snapshot,
    coverage_table,
    inverse_relation,
    is_public,
    life_of,
    plain,
    plain_value,
    record,
    register_document,
    told_record,
)
from .rows import recorded, snapshot
from .tables import COLUMN_VERSION, COLUMNS, TABLES, Column, Table
from .workbook import WORKBOOK_LIMIT, WORKBOOK_TYPE, workbook

__all__ = [
    "CHILDREN",
    "COLUMNS",
    "COLUMN_VERSION",
    "DERIVED",
    "FORMAT",
    "LIST_SEPARATOR",
    "NATURAL_KEY",
    "PACKAGE_FORMAT",
    "PARTNERS",
    "PARTNER_COLUMNS",
    "PUBLIC",
    "STAFF",
    "TABLES",
    "WITHHELD",
    "WORKBOOK_LIMIT",
    "WORKBOOK_TYPE",
    "Column",
    "Names",
    "Record",
    "RegisterChanged",
    "Table",
    "address_of",
    "as_snapshot",
    "coverage_table",
    "flat_line",
    "guard",
    "inverse_relation",
    "is_public",
    "life_of",
    "package",
    "partner_row",
    "partners_csv",
    "plain",
    "plain_value",
    "record",
    "recorded",
    "register_document",
    "row_count",
    "snapshot",
    "table_csv",
    "table_rows",
    "told_record",
    "unguard",
    "workbook",
]
