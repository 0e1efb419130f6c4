"""The data package: every table and what explains it, in one ZIP, the same bytes each time.

``datapackage.json`` follows Frictionless Data Package 1.0 (specs.frictionlessdata.io),
``csv-metadata.json`` the W3C's CSV on the Web (w3.org/TR/tabular-metadata).
"""

import datetime
import hashlib
import json
import tempfile
import textwrap
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

from ..models.querysets import AgreementQuerySet, batched, in_code_order
from .bulk import table_pieces
from .cells import BYTE_ORDER_MARK, LIST_SEPARATOR, csv_text
from .tables import TABLES, Column, Table

#: Stands in every package; a new number for every change an importer must know.
PACKAGE_FORMAT = "moctracker package 1"
PARTIAL_DATE = r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?"
#: What to know before counting anything.
COUNTING_RULES = (
    "One row of agreements is one instrument; an amendment or a renewal that is an instrument of "
    "its own is a row of its own. Count agreements by id, and agencies by key, never by a name.",
    "An agency that takes part in an agreement twice has one row in participations. To count who "
    "stood in an agreement on a day, heed joined_on and left_on.",
    "The status is worked out for status_day, from the dates as stated.",
    "Coverage is what provisions state. A provision with the commitment excluded is not coverage, "
    "and one that is intended is not in operation. A provision without products says nothing "
    "about which.",
    "A record whose detail_level is list_entry is known from a list only: that it has no "
    "provisions says nothing about the instrument.",
    "A figure in outcomes is expected, not achieved, until reported.",
)
TITLE = "Register of international cooperation between health-product regulators"
_FRICTIONLESS = {
    "number": "integer",
    "decimal": "number",
    "boolean": "boolean",
    "date": "date",
    "time": "datetime",
}
_CSVW = _FRICTIONLESS | {"decimal": "decimal", "time": "dateTimeStamp"}
#: Up to this many bytes of a table are kept in memory before they go to a file.
_SPOOLED = 1 << 20


_OF_AGREEMENTS = {n for n, t in TABLES.items() if n == "agreements" or t.owner == "agreement"}
#: Agreements in memory at a time.
_SEVERAL = 800
#: What describes the files, as JSON: for Frictionless or for CSV on the Web.
_Descriptor = dict[str, Any]


@dataclass
class _Written:
    """What became of one file of the package."""

    size: int
    sha256: str
    rows: int = 0


def package(
    agreements: AgreementQuerySet, day: datetime.date, base_url: str, file: IO[bytes]
) -> dict[str, int]:
    """Write the data package of these agreements to ``file`` as one ZIP, and return the number of
    rows of each table.

    ``day`` is the day the statuses are told for. The register is read once, a few hundred
    agreements in memory at a time; tables wait in temporary files. The same content gives the
    same bytes.
    """
    with ExitStack() as stack:
        spools = {
            name: stack.enter_context(
                # As UTF-8 with the line ends that the CSV writer gives.
                tempfile.SpooledTemporaryFile(_SPOOLED, "w+", encoding="utf-8", newline="")
            )
            for name in TABLES
        }
        counts = _write_tables(agreements, day, base_url, spools)
        archive = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED))
        written = {}
        for name, spool in spools.items():
            spool.seek(0)
            written[f"{name}.csv"] = _add(
                archive,
                f"{name}.csv",
                iter(lambda s=spool: s.read(1 << 16).encode(), b""),  # type: ignore[misc]
            )
            written[f"{name}.csv"].rows = counts[name]
        texts = {
            "datapackage.json": _json(_datapackage(written, day, base_url)),
            "csv-metadata.json": _json(_csv_metadata(base_url)),
            "README.txt": _readme(written, day, base_url),
        }
        for name, text in texts.items():
            written[name] = _add(archive, name, [text.encode()])
        sums = "".join(f"{each.sha256}  {name}\n" for name, each in written.items())
        _add(archive, "SHA256SUMS", [sums.encode()])
    return counts


def _write_tables(
    agreements: AgreementQuerySet, day: datetime.date, base_url: str, spools: dict[str, Any]
) -> dict[str, int]:
    counts = dict.fromkeys(TABLES, 0)
    for name, table in TABLES.items():
        spools[name].write(BYTE_ORDER_MARK + csv_text([table.header]))

    def write(name: str, agreements: Sequence[int]) -> None:
        for text, rows in table_pieces(TABLES[name], agreements, day, base_url):
            spools[name].write(text)
            counts[name] += rows

    ordered = agreements.order_by(in_code_order(agreements, "slug"))
    ids = list(ordered.values_list("pk", flat=True))
    # All tables of some agreements before the next: a change in between leaves each record whole.
    for few in batched(ids, _SEVERAL):
        for name in _OF_AGREEMENTS:
            write(name, few)
    for name in TABLES.keys() - _OF_AGREEMENTS:
        write(name, ids)
    return counts


def _add(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> _Written:
    # Without a time and an owner of its own a file is the same wherever it was made.
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system, info.external_attr = 3, 0o644 << 16
    size, digest = 0, hashlib.sha256()
    with archive.open(info, "w", force_zip64=True) as entry:
        for piece in pieces:
            entry.write(piece)
            digest.update(piece)
            size += len(piece)
    return _Written(size, digest.hexdigest())


def _json(content: _Descriptor) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _datapackage(written: dict[str, _Written], day: datetime.date, base_url: str) -> _Descriptor:
    return {
        "name": "cooperation-register",
        "format": PACKAGE_FORMAT,
        "title": TITLE,
        "description": "See README.txt for the counting rules.",
        "homepage": f"{base_url}/",
        "version": day.isoformat(),
        "created": f"{day.isoformat()}T00:00:00Z",
        "resources": [
            {
                "name": table.name.replace("_", "-"),
                "path": f"{name}.csv",
                "title": table.title,
                "description": table.meaning,
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": written[f"{name}.csv"].size,
                "hash": f"sha256:{written[f'{name}.csv'].sha256}",
                "dialect": {"lineTerminator": "\r\n", "doubleQuote": True, "header": True},
                "schema": _table_schema(table),
            }
            for name, table in TABLES.items()
        ],
    }


def _table_schema(table: Table) -> _Descriptor:
    schema: _Descriptor = {
        "fields": [_table_schema_field(column) for column in table.columns],
        "missingValues": [""],
    }
    if table.key:
        schema["primaryKey"] = list(table.key)
    if foreign := [column for column in table.columns if column.refers and not column.listed]:
        schema["foreignKeys"] = [
            {
                "fields": [column.name],
                "reference": {
                    # The empty name is the table itself.
                    "resource": "" if column.refers[0] == table.name else column.refers[0],
                    "fields": [column.refers[1]],
                },
            }
            for column in foreign
            if column.refers
        ]
    return schema


def _table_schema_field(column: Column) -> _Descriptor:
    described: _Descriptor = {
        "name": column.name,
        "type": _FRICTIONLESS.get(column.kind, "string"),
        "description": explained(column),
    }
    constraints: _Descriptor = {"required": True} if column.required else {}
    if column.kind == "partial date":
        constraints["pattern"] = PARTIAL_DATE
    if column.allowed:
        constraints["enum"] = [value for value, _ in column.allowed]
    if constraints:
        described["constraints"] = constraints
    if column.kind == "boolean":
        described |= {"trueValues": ["true"], "falseValues": ["false"]}
    return described


def explained(column: Column) -> str:
    """The meaning of a column, what its codes mean, and how a list is written."""
    parts = [column.meaning]
    if column.allowed:
        parts.append("; ".join(f"{value}: {label}" for value, label in column.allowed) + ".")
    if column.listed:
        parts.append(f"A list, joined with “{LIST_SEPARATOR}”.")
    if column.refers and column.listed:
        parts.append(f"Refers to {column.refers[0]}.{column.refers[1]}.")
    if column.derived and not column.refers:
        parts.append("The register works it out, or keeps it, by itself.")
    return " ".join(parts)


def _csv_metadata(base_url: str) -> _Descriptor:
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "dc:title": TITLE,
        "dc:source": f"{base_url}/",
        "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\r\n", "\n"]},
        "tables": [
            {
                "url": f"{name}.csv",
                "dc:title": table.title,
                "dc:description": table.meaning,
                "tableSchema": _csvw_schema(table),
            }
            for name, table in TABLES.items()
        ],
    }


def _csvw_schema(table: Table) -> _Descriptor:
    schema: _Descriptor = {"columns": [_csvw_column(column) for column in table.columns]}
    if table.key:
        schema["primaryKey"] = list(table.key)
    foreign = [
        {
            "columnReference": [column.name],
            "reference": {
                "resource": f"{column.refers[0]}.csv",
                "columnReference": [column.refers[1]],
            },
        }
        for column in table.columns
        if column.refers and not column.listed
    ]
    return schema | ({"foreignKeys": foreign} if foreign else {})


def _csvw_column(column: Column) -> _Descriptor:
    kind = _CSVW.get(column.kind, "string")
    described: _Descriptor = {
        "name": column.name,
        "titles": column.name,
        "dc:description": explained(column),
        "datatype": {"base": "string", "format": PARTIAL_DATE}
        if column.kind == "partial date"
        else kind,
    }
    if column.required:
        described["required"] = True
    if column.listed:
        described["separator"] = LIST_SEPARATOR
    return described


def _readme(written: dict[str, _Written], day: datetime.date, base_url: str) -> str:
    rows = "\n".join(
        f"  {name + '.csv':<22}{written[f'{name}.csv'].rows:>9,} rows  {table.meaning}"
        for name, table in TABLES.items()
    )
    rules = "\n".join(textwrap.fill(rule, 99) for rule in COUNTING_RULES)
    return f"""{TITLE}
Data package of {day.isoformat()}, from {base_url}/

WHAT IS IN IT
{rows}
  datapackage.json      describes every column (Frictionless Data Package)
  csv-metadata.json     the same as CSV on the Web
  SHA256SUMS            checksums; check them with: sha256sum -c SHA256SUMS

HOW TO READ IT
The tables are UTF-8 with a byte order mark; lines end with CR LF; quoting follows RFC 4180.
An empty cell means "not found here". It never means "no".
A date is as much of a date as the source states: 2010, 2024-05 or 2026-04-20.
A list in one cell is joined with "{LIST_SEPARATOR}"; a bar or a backslash in a value has a
backslash before it.
A text that begins with = + - @ TAB CR or an apostrophe has an apostrophe put before it, so that
a spreadsheet does not take it for a formula. Take one leading apostrophe away to have it back.
Columns of numbers have none.
The column "agreement" of a table is the "id" of the table agreements. The column "source" is the
"number" of a row of the table sources that has the same agreement.

COUNTING RULES
{rules}

LICENCE
No licence for the data has been settled yet. Until it is, nothing here grants rights beyond what
the law allows. Ask before you republish.

CITATION
{TITLE}, data package of {day.isoformat()}. {base_url}/
"""
