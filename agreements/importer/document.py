"""What a file says, as rows with their places: a register document, a package or one CSV."""

import csv
import datetime
import hashlib
import io
import json
import lzma
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

from django.db import models
from django.db.models import Model
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from moctracker.collector import uncollected

from ..dates import PartialDateField
from ..exports import (
    CHILDREN,
    FORMAT,
    NATURAL_KEY,
    PACKAGE_FORMAT,
    PUBLIC,
    TABLES,
    Column,
    Table,
)
from ..exports.tables import NOUNS
from ..models import Agreement, FormerSlug

#: A file that unpacks to more is refused before it is unpacked: it is no register, but a bomb.
MAX_BYTES = 512 * 2**20
#: No field of a record comes near; a spreadsheet holds 32,767 characters in a cell.
MAX_CELL = 1_000_000
#: More faults than a person reads; the first ones usually explain the others.
MAX_FAULTS = 1000
#: A cell of so many characters is likely to be a code, a key or a date.
_REPEATED = 32
_EXPLAINING = {"datapackage.json", "csv-metadata.json", "README.txt", "SHA256SUMS"}
#: How much of a file is unpacked at a time, in bytes, and the ways of packing that allow it: one
#: piece of what LZMA and bzip2 packed can unpack to gigabytes.
_PIECE = 2**16
_IN_PIECES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: What unpacking raises, depending on which byte of an archive is damaged.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)

# The csv module's own limit is below MAX_CELL and cannot say in which column it was passed.
csv.field_size_limit(MAX_BYTES)


class ImportRefused(Exception):
    """The document has faults; nothing was written. ``faults`` has a sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        if len(faults) > MAX_FAULTS:
            faults = [*faults[:MAX_FAULTS], f"... and {len(faults) - MAX_FAULTS:,} more."]
        # They repeat what the document says, and JSON can spell half a character: no page holds it.
        self.faults = [each.encode(errors="backslashreplace").decode() for each in faults]
        super().__init__("\n".join(self.faults))


@dataclass(slots=True)
class Row:
    """One row of the document and the place it stands in.

    ``data`` is None where a file says something of what belongs to a record, and nothing of the
    record itself. ``children`` has only the tables of which the document speaks. ``columns`` has
    the columns that are called otherwise than their fields.
    """

    model: type[Model]
    key: str
    data: dict[str, Any] | None
    place: str
    children: dict[str, list["Row"]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    updated_at: Any = None

    def at(self, name: str) -> str:
        """The place of one of its fields."""
        return f"{self.place}, {self.columns.get(name, name)}"


@dataclass
class Document:
    """What a file says: the rows of each table by name.

    ``ends_with`` is said of a table by itself: of what its last record is, which record, and the
    relation that its rows belong to.
    """

    name: str
    tables: dict[str, list[Row]]
    ends_with: tuple[str, str, str] | None = None


@uncollected()
def read(name: str, file: IO[bytes]) -> Document:
    """The document in ``file``, called ``name``: a register document, a package or a CSV of any
    table. Which of them is told by the content.

    Raises ImportRefused, each fault with file, line and column as far as they apply.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ImportRefused([f"{name}: has more than {MAX_BYTES:,} bytes."])
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _Tables(name).package(content)
    text = _decoded(name, content)
    if text.lstrip()[:1] in ("{", "["):
        return from_json(parse(text, name), name)
    if not text.strip():
        raise ImportRefused([f"{name}, line 1, column 1: the file is empty."])
    return _Tables(name).single(text)


def _decoded(name: str, content: bytes) -> str:
    """The text of a file. Raises ImportRefused naming what encoding it may be in."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportRefused([f"{name}: is UTF-16. Save it as UTF-8 (“CSV UTF-8” in Excel)."])
    # The positions are counted in the bytes the codec is given, without the mark.
    body = content.removeprefix(b"\xef\xbb\xbf")
    if (at := body.find(b"\0")) >= 0:
        line, column = _position(body, at)
        raise ImportRefused(
            [
                f"{name}, line {line}, column {column}: a NUL character. If every second character "
                "is one, the file is UTF-16: save it as UTF-8."
            ]
        )
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        line, column = _position(body, error.start)
        guesses = [each for each in ("Shift_JIS", "EUC-KR") if _could_be(body, each)]
        other = " or ".join([*guesses, "Latin-1 (Windows)"])
        raise ImportRefused(
            [
                f"{name}, line {line}, column {column}: not UTF-8 at byte {error.start}. It may be "
                f"{other}. Save it as UTF-8 (“CSV UTF-8” in Excel)."
            ]
        ) from error


def _could_be(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _position(content: bytes, at: int) -> tuple[int, int]:
    """The line of a byte and, counted in characters, the column."""
    begins = content.rfind(b"\n", 0, at) + 1
    return content.count(b"\n", 0, at) + 1, len(content[begins:at].decode(errors="replace")) + 1


# --- The register document: JSON ----------------------------------------------------------------


def parse(text: str, name: str = "") -> dict[str, Any]:
    """The register document in ``text``; raises ImportRefused naming the file called ``name``, line
    and column."""
    file, this = (f"{name}, ", name) if name else ("", "This")
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated
        )
    except json.JSONDecodeError as error:
        place = f"{file}line {error.lineno}, column {error.colno}"
        raise ImportRefused([f"{place}: not valid JSON: {error.msg}."]) from error
    except (ValueError, RecursionError) as error:
        raise ImportRefused([f"{this} is not a register document: {error}."]) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ImportRefused([f'{this} is not a register document: "format" must be "{FORMAT}".'])
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = _given_twice(name for name, _ in pairs)[0]
        raise ValueError(f"“{twice}” is given twice in one object")
    return found


def _given_twice(names: Iterable[str]) -> list[str]:
    """What stands more than once among the names, in their order."""
    return [name for name, times in Counter(names).items() if times > 1]


def from_json(document: dict[str, Any], name: str = "") -> Document:
    """The rows of a parsed register document; raises ImportRefused with every fault of shape."""
    reader = _Shape()
    file = f"{name}, " if name else ""
    unknown = sorted(set(document) - set(NOUNS) - {"format"})
    reader.faults += [f"{file}{table}: there is no such table." for table in unknown]
    tables = {
        table: reader.rows(noun, document.get(table, []), f"{file}{table}")
        for table, noun in NOUNS.items()
    }
    if reader.faults:
        raise ImportRefused(reader.faults)
    return Document(name, tables)


def shape(model: type[Model], item: dict[str, Any], place: str) -> Row:
    """One record by itself as a row; raises ImportRefused with every fault of shape."""
    reader = _Shape()
    row = reader.row(model, item, place)
    if row is None or reader.faults:
        raise ImportRefused(reader.faults)
    return row


class _Shape:
    """Checks the document's shape: every key known, every value of the right kind."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def rows(self, model: type[Model], value: Any, place: str) -> list[Row]:
        if not isinstance(value, list):
            self.faults.append(f"{place}: must be a list.")
            return []
        rows = [
            row
            for number, item in enumerate(value, start=1)
            if (row := self.row(model, item, f"{place}, row {number}"))
        ]
        if model in NATURAL_KEY:
            self.faults += repeated(rows)
        return rows

    def row(self, model: type[Model], item: Any, place: str) -> Row | None:
        if not isinstance(item, dict):
            self.faults.append(f"{place}: must be an object.")
            return None
        key = NATURAL_KEY.get(model, "")
        if key and item.get(key) not in (None, ""):
            place += f" ({item[key]})"
        children = CHILDREN.get(model, {})
        if item.keys() != (expected := {*PUBLIC[model], *children}):
            unknown, missing = sorted(set(item) - expected), sorted(expected - set(item))
            self.faults += [f"{place}, {name}: there is no such field." for name in unknown]
            self.faults += [f"{place}, {name}: the field is missing." for name in missing]
            return None
        row = Row(model, str(item.get(key, "")), {}, place)
        row.data = {
            name: self.checked(row, name, kind, item[name]) for name, kind in _kinds(model).items()
        }
        for name, child in children.items():
            row.children[name] = self.rows(child, item[name], f"{place}, {name}")
        return row

    def checked(self, row: Row, name: str, kind: "_Kind", value: Any) -> Any:
        """JSON's own kinds first: a number where a text belongs is a fault, not a text."""
        if kind.fits(value):
            return value
        too_long = isinstance(value, str) and len(value) > MAX_CELL
        wrong = f"has more than {MAX_CELL:,} characters" if too_long else f"must be {kind.wanted}"
        self.faults.append(f"{row.at(name)}: {wrong}.")
        return None


@dataclass(frozen=True)
class _Kind:
    fits: Callable[[Any], bool]
    wanted: str


def _kinds(model: type[Model]) -> dict[str, _Kind]:
    if model not in _KINDS:
        _KINDS[model] = {name: _kind(model._meta.get_field(name)) for name in PUBLIC[model]}
    return _KINDS[model]


_KINDS: dict[type[Model], dict[str, _Kind]] = {}


def _kind(column: Any) -> _Kind:
    if isinstance(column, models.ManyToManyField):
        return _Kind(
            lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
            "a list of codes",
        )
    if isinstance(column, models.BooleanField):
        return _Kind(lambda value: isinstance(value, bool), "true or false")
    null: bool = column.null
    if _is_number(column):
        return _Kind(lambda value: type(value) is int or (value is None and null), "a whole number")
    # Only a text column can be stated to be empty; elsewhere missing is null.
    holds_text = isinstance(column, models.CharField | models.TextField)
    holds_text = holds_text and not isinstance(column, PartialDateField)
    wanted = "text" + ("" if holds_text else " that is not empty") + (", or null" if null else "")

    def fits(value: Any) -> bool:
        if value is None:
            return null
        return _is_text(value) and (holds_text or value != "")

    return _Kind(fits, wanted)


def _is_text(value: Any) -> bool:
    """Whether this is text that a database can hold: JSON can also spell half a character."""
    if not isinstance(value, str) or "\0" in value or len(value) > MAX_CELL:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(column: Any) -> bool:
    if isinstance(column, models.ForeignKey):
        column = column.related_model._meta.get_field(NATURAL_KEY[column.related_model])
    return isinstance(column, models.IntegerField)


def repeated(rows: list[Row]) -> list[str]:
    """A fault for each row whose key another row has already."""
    faults, seen = [], dict[str, str]()
    for row in rows:
        if row.key in seen:
            name = NATURAL_KEY[row.model]
            faults.append(f"{row.at(name)}: “{row.key}” stands already in {seen[row.key]}.")
        seen.setdefault(row.key, row.place)
    return faults


# --- Tables: one CSV, or a package of them ------------------------------------------------------


class _Tables:
    """Puts the rows of tables together to records; collects faults with file, line and column."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self.records: dict[str, dict[str, Row]] = {noun: {} for noun in NOUNS}

    def single(self, text: str) -> Document:
        """One CSV, of the table that its header tells."""
        lines = self.lines(self.name, text)
        header = next(lines, (1, []))[1]
        table = self.recognised(header)
        self.table(table, self.name, header, lines)
        document = self.document()
        if table.owner and (records := document.tables[_owners(table.owner)]):
            document.ends_with = (_owners(table.owner), records[-1].key, table.relation)
        return document

    def package(self, content: bytes) -> Document:
        """A ZIP of tables."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                files = self.unpacked(archive)
        except _DAMAGED as error:
            raise ImportRefused(
                [f"{self.name}: cannot be unpacked, it is damaged or cut short: {error}."]
            ) from error
        self.verify(files)
        # Nothing is kept longer than it is needed: a register is many times its package.
        texts = {
            table: _decoded(f"{table}.csv", files.pop(f"{table}.csv"))
            for table in TABLES
            if f"{table}.csv" in files
        }
        tables = list(texts)
        for table in tables:
            lines = self.lines(f"{table}.csv", texts.pop(table))
            header = next(lines, (1, []))[1]
            if not header:
                raise ImportRefused([f"{table}.csv, line 1: the file is empty."])
            self.table(TABLES[table], f"{table}.csv", header, lines)
        # In a package a table is whole: who has no row in it has none.
        for table in tables:
            if owner := TABLES[table].owner:
                for row in self.records[_owners(owner)].values():
                    row.children.setdefault(TABLES[table].relation, [])
        return self.document()

    def unpacked(self, archive: zipfile.ZipFile) -> dict[str, bytes]:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        total = sum(info.file_size for info in infos)
        if len(infos) > 100 or total > MAX_BYTES:
            raise ImportRefused(
                [
                    f"{self.name}: has {len(infos):,} files of {total:,} bytes together, more than "
                    "a register has."
                ]
            )
        if any(info.compress_type not in _IN_PIECES for info in infos):
            told = "is packed in an unusual way. Pack the files as an ordinary ZIP (Deflate)."
            raise ImportRefused([f"{self.name}: {told}"])
        known = {f"{table}.csv" for table in TABLES} | _EXPLAINING
        # macOS adds a file of its own for each.
        names = [info.filename for info in infos if not info.filename.startswith("__MACOSX/")]
        if "[Content_Types].xml" in names:
            told = "is a workbook. Save each table as “CSV UTF-8”, and bring it by itself."
            raise ImportRefused([f"{self.name}: {told}"])
        unknown = [name for name in names if name not in known]
        if unknown and all(PurePosixPath(name).name in known for name in unknown):
            told = "the files stand in a folder. Pack the files themselves, without it."
            raise ImportRefused([f"{self.name}, {unknown[0]}: {told}"])
        self.faults += [
            f"{self.name}, {name}: no file of a package has this name." for name in unknown
        ]
        self.faults += [
            f"{self.name}, {name}: stands twice in the package."
            for name in sorted(_given_twice(names))
        ]
        if not any(name.endswith(".csv") for name in names):
            self.faults.append(f"{self.name}: holds no table.")
        self.refuse()
        return {name: self.content(archive, name) for name in names}

    @staticmethod
    def content(archive: zipfile.ZipFile, name: str) -> bytes:
        """One file, never more of it than its header says: asked for a piece, ``zipfile`` unpacks
        a piece; asked for all of it, it unpacks whatever there is and cuts it afterwards."""
        with archive.open(name) as file:
            return b"".join(iter(lambda: file.read(_PIECE), b""))

    def verify(self, files: dict[str, bytes]) -> None:
        """Hold the files against the checksums and the format, as far as the package has them."""
        sums = _decoded("SHA256SUMS", files.get("SHA256SUMS", b""))
        for number, line in enumerate(sums.splitlines(), start=1):
            digest, _, name = line.partition("  ")
            if name not in files:
                self.faults.append(f"SHA256SUMS, line {number}: {name} is missing in the package.")
            elif hashlib.sha256(files[name]).hexdigest() != digest:
                self.faults.append(
                    f"{name}: is not what SHA256SUMS says. It was damaged on the way; or, if it "
                    "was changed on purpose, take SHA256SUMS out of the package."
                )
        if described := files.get("datapackage.json"):
            try:
                found = json.loads(_decoded("datapackage.json", described))
                found = found.get("format", "") if isinstance(found, dict) else ""
            except (ValueError, RecursionError):
                found = ""
            if found != PACKAGE_FORMAT:
                self.faults.append(f'datapackage.json: "format" must be "{PACKAGE_FORMAT}".')
        self.refuse()

    def refuse(self) -> None:
        if self.faults:
            raise ImportRefused(self.faults)

    def lines(self, file: str, text: str) -> Iterator[tuple[int, list[str]]]:
        """Each row with the line it begins in. Raises ImportRefused where the text is no CSV."""
        # A StringIO would take four bytes for each character.
        encoded = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")
        reader = csv.reader(encoded, strict=True)
        begins = 1
        try:
            for cells in reader:
                # A spreadsheet may leave empty rows behind.
                if any(cells):
                    yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            ends = "unexpected end" in str(error)
            told = "the file ends inside a quoted cell: it is cut short" if ends else str(error)
            raise ImportRefused([*self.faults, f"{file}, line {begins}: {told}."]) from error
        if text and not text.endswith(("\n", "\r")):
            self.faults.append(
                f"{file}, line {begins - 1}: the last line has no end: the file is cut short. If "
                "it is whole, end that line: Google Sheets leaves the end out."
            )

    def recognised(self, header: list[str]) -> Table:
        names = set(header)
        for table in TABLES.values():
            if {column.name for column in table.read_back} <= names <= set(table.header):
                return table
        nearest = max(TABLES.values(), key=lambda t: len(names & set(t.header)) / len(t.header))
        if len(names & set(nearest.header)) < 2:
            hint = ""
            if any(mark in cell for cell in header for mark in (";", "\t")):
                hint = " Its cells must be separated by commas."
            raise ImportRefused(
                [f"{self.name}, line 1: no table of the register has this header.{hint}"]
            )
        return nearest

    def table(
        self, table: Table, file: str, header: list[str], lines: Iterator[tuple[int, list[str]]]
    ) -> None:
        """Take in the rows of one table."""
        by_name = {column.name: column for column in table.columns}
        twice = sorted(_given_twice(header))
        unknown = sorted(set(header) - set(by_name))
        missing = [c.name for c in table.read_back if c.name not in header]
        missing += [table.owner] if table.owner and table.owner not in header else []
        place = f"{file}, line 1"
        self.faults += [f"{place}: the column “{name}” is given twice." for name in twice]
        self.faults += [f"{place}: {table.name} has no column “{name}”." for name in unknown]
        self.faults += [f"{place}: the column “{name}” is missing." for name in missing]
        if twice or unknown or missing:
            raise ImportRefused(self.faults)
        taker = _Taker(self, table, file, [by_name[name] for name in header])
        for line, cells in lines:
            taker.take(line, cells)

    def document(self) -> Document:
        """Everything taken in; raises ImportRefused with every fault."""
        self.refuse()
        return Document(
            self.name, {table: list(rows.values()) for table, rows in self.records.items()}
        )


def _owners(owner: str) -> str:
    return "agreements" if owner == "agreement" else "agencies"


class _Taker:
    """Takes the rows of one table in."""

    def __init__(self, tables: _Tables, table: Table, file: str, columns: list[Column]) -> None:
        self.tables, self.table, self.file, self.columns = tables, table, file, columns
        self.names = {c.field: c.name for c in columns if c.field and c.field != c.name}
        self.read = [(at, column) for at, column in enumerate(columns) if not column.derived]
        self.owner = next((at for at, c in enumerate(columns) if c.name == table.owner), -1)
        self.changed = next((at for at, c in enumerate(columns) if c.name == "updated_at"), -1)
        self.faults = tables.faults

    def take(self, line: int, cells: list[str]) -> None:
        place = f"{self.file}, line {line}"
        if len(cells) != len(self.columns):
            self.faults.append(
                f"{place}: has {len(cells)} cell{pluralize(cells)} instead of "
                f"{len(self.columns)}; the file may be cut short here."
            )
            return
        # Codes, keys and dates repeat: each is kept once.
        cells = [sys.intern(cell) if len(cell) <= _REPEATED else cell for cell in cells]
        found = len(self.faults)
        self.faults += [
            f"{place}, {column.name}: has more than {MAX_CELL:,} characters."
            for column, cell in zip(self.columns, cells, strict=True)
            if len(cell) > MAX_CELL
        ]
        data: dict[str, Any] = {}
        for at, column in self.read:
            try:
                data[column.field] = column.value(cells[at])
            except ValueError as error:
                self.faults.append(f"{place}, {column.name}: {error}.")
        if len(self.faults) == found:
            self.add(place, data, cells)

    def add(self, place: str, data: dict[str, Any], cells: list[str]) -> None:
        records = self.tables.records
        model = self.table.noun
        key = str(data.get(NATURAL_KEY.get(model, ""), ""))
        row = Row(model, key, data, f"{place} ({key})" if key else place, columns=self.names)
        if self.table.owner:
            owner = cells[self.owner]
            noun = NOUNS[_owners(self.table.owner)]
            record = records[_owners(self.table.owner)].setdefault(
                owner, Row(noun, owner, None, place, columns={NATURAL_KEY[noun]: self.table.owner})
            )
            record.children.setdefault(self.table.relation, []).append(row)
            return
        same = records[self.table.name]
        if key in same:
            name = row.at(NATURAL_KEY[model])
            self.faults.append(f"{name}: “{key}” stands already in {same[key].place}.")
            return
        if model is Agreement:
            former = data.pop("former_slugs")
            row.children["former_slugs"] = [
                Row(FormerSlug, "", {"slug": slug}, row.at("former_slugs")) for slug in former
            ]
            if self.changed >= 0:
                row.updated_at = self.moment(row, cells[self.changed])
        same[key] = row

    def moment(self, row: Row, cell: str) -> Any:
        """When the record last changed, in UTC."""
        try:
            moment = parse_datetime(cell)
            # Some times with a zone are in no year that there is.
            moment = moment.astimezone(datetime.UTC) if moment and moment.tzinfo else None
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self.faults.append(
                f"{row.at('updated_at')}: must be a time with its zone: 2026-04-20T08:00:00+00:00."
            )
        elif moment > timezone.now():
            # Whoever keeps a copy would go on after it, and hear of no change before it.
            self.faults.append(f"{row.at('updated_at')}: lies in the future.")
        return moment
