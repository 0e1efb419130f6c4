"""The same tables as one workbook, for people without a CSV habit: one sheet a table."""

import datetime
from collections.abc import Iterable, Sequence
from typing import IO

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from .bulk import Row, table_rows
from .package import COUNTING_RULES, TITLE
from .tables import TABLES, Column, Table

#: The kind of file, as it is named on the web. Itself a ZIP archive.
WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: A workbook is made whole before it is sent, and nobody reads a longer one: the CSV is for that.
WORKBOOK_LIMIT = 5000
#: What a cell of a sheet can hold, in the units that the format counts (UTF-16).
CELL_LIMIT = 32_767
#: Ends the text of a cell that could not hold all of it.
CUT = " … [cut: the CSV has the whole text]"
_WIDTHS = {"partial date": 12, "date": 12, "number": 10, "decimal": 12, "boolean": 10, "time": 26}


def workbook(
    agreements: Sequence[int],
    day: datetime.date,
    base_url: str,
    asked: tuple[str, str],
    file: IO[bytes],
) -> None:
    """Write the tables of these agreements to ``file`` as XLSX.

    ``day`` is the day the statuses are told for, ``asked`` the question in words and the address
    at which it was asked. Text is never a formula or a link, so nothing needs an apostrophe. Only
    a few rows are in memory at a time. Raises RegisterChanged as ``table_rows`` does.
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(file, options)
    # The same content on the same day is the same file.
    book.set_properties(
        {"title": TITLE, "created": datetime.datetime(day.year, day.month, day.day)}
    )
    bold = book.add_format({"bold": True})
    about = book.add_worksheet("about")
    told = {}
    for table in TABLES.values():
        sheet = book.add_worksheet(table.name)
        _write_header(sheet, table, bold)
        told[table.name] = _write_rows(sheet, table, table_rows(table, agreements, day, base_url))
    _write_about(about, told, day, asked, bold)
    book.close()


def _write_header(sheet: Worksheet, table: Table, bold: Format) -> None:
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, _width(column))
        sheet.write_string(0, place, column.name, bold)
    sheet.freeze_panes(1, 1)


def _write_rows(sheet: Worksheet, table: Table, batches: Iterable[list[Row]]) -> tuple[int, int]:
    """How many rows there were, and how many of their cells had to be cut."""
    number = cut = 0
    for batch in batches:
        for row in batch:
            number += 1
            for place, (text, column) in enumerate(zip(row, table.columns, strict=True)):
                if column.numeric and text:
                    sheet.write_number(number, place, float(text))
                elif text:
                    whole = _fitting(text)
                    cut += whole != text
                    sheet.write_string(number, place, whole)
    sheet.autofilter(0, 0, number, len(table.columns) - 1)
    return number, cut


def _fitting(text: str) -> str:
    """The text, or as much of it as a cell can hold and a mark that it was cut."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CELL_LIMIT:
        return text
    kept = units[: 2 * (CELL_LIMIT - len(CUT))]
    # Half a character at the cut is left out.
    return kept.decode("utf-16-le", errors="ignore") + CUT


def _width(column: Column) -> int:
    """In characters: enough for the name and for what the column usually holds."""
    usual = 40 if column.kind == "text" else _WIDTHS.get(column.kind, 20)
    return max(usual, len(column.name) + 4)


def _write_about(
    sheet: Worksheet,
    told: dict[str, tuple[int, int]],
    day: datetime.date,
    asked: tuple[str, str],
    bold: Format,
) -> None:
    words, address = asked
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 12)
    sheet.set_column(2, 2, 100)
    lines: list[tuple[str | int, ...]] = [
        (TITLE,),
        ("What was asked", "", words),
        ("Address", "", address),
        ("Day of the statuses", "", day.isoformat()),
        (),
        ("Sheet", "Rows", "What it holds"),
    ]
    headings = {0, len(lines) - 1}
    lines += [(name, rows, TABLES[name].meaning) for name, (rows, _) in told.items()]
    shortened = f"Cells that a sheet cannot hold whole. Each ends with “{CUT.strip()}”."
    lines += [(name, cut, shortened) for name, (_, cut) in told.items() if cut]
    lines.append(())
    headings.add(len(lines))
    lines.append(("How to read it",))
    lines += [("", "", line) for line in (*_READING, *COUNTING_RULES)]
    for number, line in enumerate(lines):
        for place, value in enumerate(line):
            style = bold if number in headings else None
            if isinstance(value, int):
                sheet.write_number(number, place, value, style)
            else:
                sheet.write_string(number, place, value, style)


_READING = (
    "An empty cell means “not found here”. It never means “no”.",
    "A date is text, and as much of a date as the source states: 2010, 2024-05 or 2026-04-20.",
    "A list in one cell is joined with “ | ”; a bar or a backslash in a value has a backslash "
    "before it.",
    "The column agreement of a sheet is the id of the sheet agreements. The column source is the "
    "number of a row of the sheet sources that has the same agreement.",
)
