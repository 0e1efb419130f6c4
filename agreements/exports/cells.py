"""How one value stands in one cell of a CSV, and how it is read back."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

# A text of the register has no limit; the csv module's own is far below it.
csv.field_size_limit(2**29)

#: Joins the values of a list in one cell.
LIST_SEPARATOR = " | "
#: Begins every file: Excel takes a CSV without it for another encoding.
BYTE_ORDER_MARK = "\ufeff"
_FORMULA = frozenset("=+-@\t\r'")
_ANY_FORMULA = re.compile("\0[" + re.escape("".join(sorted(_FORMULA))) + "]")


def guard(value: object) -> str:
    """The text of a cell that no spreadsheet takes for a formula: an apostrophe goes before it.

    A text that begins with an apostrophe gets one too, so that ``unguard`` is exact.
    """
    text = str(value)
    return "'" + text if text[:1] in _FORMULA else text


def unguard(text: str) -> str:
    """The inverse of ``guard``."""
    return text[1:] if text.startswith("'") else text


def any_formula(texts: Iterable[str]) -> bool:
    """Whether ``guard`` may have to do with one of them; False where it has not."""
    # One search costs a quarter of a look at each.
    return bool(_ANY_FORMULA.search("\0" + "\0".join(texts)))


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


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows as RFC 4180 text."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def csv_line(cells: Iterable[str]) -> str:
    """A row, or some cells of one, as RFC 4180 text without a line end."""
    return csv_text([cells]).removesuffix("\r\n")


def csv_rows(text: str) -> Iterator[list[str]]:
    """The inverse of ``csv_text``."""
    return csv.reader(io.StringIO(text, newline=""))
