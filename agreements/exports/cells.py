"""How one value stands in one cell of a CSV, and how it is read back."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

#: Joins the values of a list in one cell.
LIST_SEPARATOR = " | "
#: Begins every file: Excel takes a CSV without it for another encoding.
BYTE_ORDER_MARK = "\ufeff"
FORMULA = frozenset("=+-@\t\r'")


def guard(value: Any) -> str:
    """The text of a cell that no spreadsheet takes for a formula: an apostrophe goes before it.

    A text that begins with an apostrophe gets one too, so that ``unguard`` is exact.
    """
    text = str(value)
    return "'" + text if text[:1] in FORMULA else text


def unguard(text: str) -> str:
    """The inverse of ``guard``."""
    return text[1:] if text.startswith("'") else text


def joined(values: Iterable[str]) -> str:
    """A list as the text of one cell. In a value, a bar or a backslash gets a backslash before
    it, so that ``parted`` is exact."""
    values = list(values)
    if not values:
        return ""
    text = LIST_SEPARATOR.join(values)
    # Looked for in the whole first: hardly any value has one.
    if "\\" not in text and text.count("|") < len(values):
        return text
    return LIST_SEPARATOR.join(re.sub(r"([\\|])", r"\\\1", value) for value in values)


def parted(text: str) -> list[str]:
    """The inverse of ``joined``; none where the text is empty."""
    values = text.split(LIST_SEPARATOR) if text else []
    return [re.sub(r"\\([\\|])", r"\1", value) for value in values]


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_pieces(header: Iterable[str], batches: Iterable[Iterable[Iterable[str]]]) -> Iterator[str]:
    """RFC 4180 text with a byte order mark: the header, then a piece for each batch of rows."""
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(header)
    for batch in batches:
        yield "".join(map(writer.writerow, batch))
