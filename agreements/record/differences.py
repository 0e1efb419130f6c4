"""What differs between two states of a record, field by field and in words.

Two plain records go in (``exports.record``, or the JSON of a revision), differences come out. No
queries: who wants the names of agencies and terms instead of their keys brings them along.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Model
from django_countries.fields import Country

from ..dates import PartialDateField, to_partial_date
from ..exports import CHILDREN, PUBLIC, STAFF, Record
from ..models import (
    AgencyName,
    Agreement,
    Evidence,
    FormerSlug,
    Milestone,
    Outcome,
    Participation,
    Provision,
    Relation,
    Signatory,
    Source,
)
from ..models.columns import Jurisdiction

#: The names of agencies, terms and agreements by their natural key.
Names = Mapping[type[Model], Mapping[str, str]]


class DifferenceKind(StrEnum):
    """What happened to a row of the record, or to the record's own fields (always CHANGED)."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    #: The rows are the same and stand in another order.
    REORDERED = "reordered"


class Mark(NamedTuple):
    """A stretch of a text. ``differs`` where it stands in this version only."""

    text: str
    differs: bool


@dataclass(frozen=True)
class FieldDifference:
    """One field before and after, in words; empty where nothing was stated."""

    name: str
    label: str
    before: str
    after: str

    @property
    def before_marks(self) -> list[Mark]:
        """The text before, with the words that went."""
        return self._marks[0]

    @property
    def after_marks(self) -> list[Mark]:
        """The text after, with the words that came."""
        return self._marks[1]

    @cached_property
    def _marks(self) -> tuple[list[Mark], list[Mark]]:
        return marks(self.before, self.after)


@dataclass(frozen=True)
class Difference:
    """What differs in the record's own fields (``table`` is empty) or in one of its rows.

    An added row has its stated fields with an empty before, a removed one with an empty after, a
    changed one those that differ. Rows that merely changed places are one REORDERED difference of
    their table, without fields.
    """

    kind: DifferenceKind
    table: str
    #: What one row of the table is called: "provision".
    noun: str
    #: Which row it is, in words: "GMP inspection reliance".
    row: str
    fields: tuple[FieldDifference, ...]
    #: The key of the row, where rows have keys.
    row_key: str = ""

    @property
    def heading(self) -> str:
        """What differs, as a heading: "Provision added: GMP inspection reliance"."""
        if not self.table:
            return "The record"
        if self.kind is DifferenceKind.REORDERED:
            return f"Order of {self.noun} changed"
        return f"{_capital(self.noun)} {self.kind}: {self.row}"


class _Rows(NamedTuple):
    """How the rows of a table are told apart."""

    #: Fields by which a row is known again, the surest first.
    known_by: tuple[tuple[str, ...], ...]
    #: Fields that name the row to a reader.
    named_by: tuple[str, ...]


_ROWS: dict[type[Model], _Rows] = {
    Source: _Rows((("publisher", "title", "url"), ("url",), ("number",)), ("number", "publisher")),
    Participation: _Rows((("agency",),), ("agency",)),
    Signatory: _Rows((("name", "post"), ("name",), ("post", "agency")), ("name", "post")),
    Provision: _Rows(
        (("area", "statement"), ("area", "position"), ("area",), ("statement",)), ("area",)
    ),
    Milestone: _Rows((("kind", "date", "until"), ("kind", "date"), ("kind",)), ("kind", "date")),
    Relation: _Rows(
        (("kind", "target", "target_title"), ("target", "target_title")),
        ("kind", "target", "target_title"),
    ),
    Outcome: _Rows((("statement", "reported"), ("statement",), ("position",)), ("statement",)),
    Evidence: _Rows(
        (("topic", "statement"), ("topic", "source", "locator"), ("topic", "source")), ("topic",)
    ),
    FormerSlug: _Rows((("slug",),), ("slug",)),
    AgencyName: _Rows((("name",), ("kind", "language")), ("name",)),
}
#: What a reader calls a row or a field, where the model's own word is not the reader's.
_NOUNS: dict[type[Model], tuple[str, str]] = {
    Participation: ("participant", "participants"),
    Evidence: ("piece of evidence", "evidence"),
    AgencyName: ("other name", "other names"),
}
_LABELS = {"slug": "address", "signed_on": "date of signature", "file": "stored copy"}
#: Says where a row stands, not what it says.
_PLACE = "position"
#: What a row may have beside its fields: the key by which alone it is known again.
ROW_KEY = "row_key"


def differences(
    before: Record,
    after: Record,
    *,
    model: type[Model] = Agreement,
    names: Names | None = None,
) -> list[Difference]:
    """What differs between two states of one record, as ``exports.record`` tells them.

    The record's own fields come first, then its rows in the order of ``CHILDREN``. Empty if, and
    only if, the two are equal in every field that the model has now; a field that one of them
    lacks, being older, counts as not stated. ``model`` is Agreement, Agency or a vocabulary. Rows
    are known again by what they say, or by the ``ROW_KEY`` that they have in both states.
    """
    told = names or {}
    found = []
    if own := _fields(model, before, after, told):
        found.append(Difference(DifferenceKind.CHANGED, "", "record", "", own))
    for table, child in CHILDREN.get(model, {}).items():
        found += _rows(table, child, before.get(table) or [], after.get(table) or [], told)
    return found


def in_one_line(found: Iterable[Difference]) -> str:
    """The differences in a few words: "title, summary; provisions: 1 added, 2 changed"."""
    counts: dict[str, dict[DifferenceKind, int]] = defaultdict(lambda: defaultdict(int))
    parts = []
    for difference in found:
        if difference.table:
            counts[difference.table][difference.kind] += 1
        else:
            parts.append(", ".join(field.label for field in difference.fields))
    for table, kinds in counts.items():
        told = [
            kind.value if kind is DifferenceKind.REORDERED else f"{kinds[kind]} {kind.value}"
            for kind in DifferenceKind
            if kind in kinds
        ]
        parts.append(f"{_PLURALS[table]}: {', '.join(told)}")
    return "; ".join(parts)


def references(
    records: Iterable[Record], model: type[Model] = Agreement
) -> dict[type[Model], set[str]]:
    """The natural keys by which these records of one noun name other rows of the register."""
    found: dict[type[Model], set[str]] = defaultdict(set)
    for record in records:
        for noun, row in _every_row(model, record):
            for name in (*PUBLIC[noun], *STAFF.get(noun, ())):
                column = noun._meta.get_field(name)
                related = column.related_model
                if isinstance(related, type) and related is not Source and row.get(name):
                    value = row[name]
                    found[related].update(value if isinstance(value, list) else [value])
    return found


def public_part(record: Record, addresses: Mapping[str, str]) -> Record:
    """Of a revision's record of an agreement, what the public may read: the allow-list alone.

    ``addresses`` gives the present address of every record that is public now, by each address it
    has or had. A relation to any other record is left out.
    """
    shown = {name: record[name] for name in PUBLIC[Agreement] if name in record}
    for table, child in CHILDREN[Agreement].items():
        shown[table] = [
            {name: row[name] for name in PUBLIC[child] if name in row}
            for row in record.get(table) or []
        ]
    shown["relations"] = [
        row | {"target": addresses.get(row["target"])} if row.get("target") else row
        for row in shown["relations"]
        if not row.get("target") or row["target"] in addresses
    ]
    return shown


def _every_row(model: type[Model], record: Record) -> Iterator[tuple[type[Model], Record]]:
    yield model, record
    for table, child in CHILDREN.get(model, {}).items():
        for row in record.get(table) or []:
            yield child, row


# --- Rows ---------------------------------------------------------------------------------------


def _noun(model: type[Model]) -> tuple[str, str]:
    meta = model._meta
    return _NOUNS.get(model) or (str(meta.verbose_name), str(meta.verbose_name_plural))


#: What the rows of each table are called together.
_PLURALS = {
    table: _noun(child)[1] for tables in CHILDREN.values() for table, child in tables.items()
}


def _rows(
    table: str,
    model: type[Model],
    before: list[Record],
    after: list[Record],
    names: Names,
) -> list[Difference]:
    noun, plural = _noun(model)
    pairs = _matched(model, before, after)
    partner = dict(pairs)
    came_from = {new: old for old, new in pairs}
    found = []
    placed = False
    for new, row in enumerate(after):
        if new not in came_from:
            found.append(_whole(DifferenceKind.ADDED, table, model, row, names))
            continue
        changed = _fields(model, before[came_from[new]], row, names)
        if {field.name for field in changed} == {_PLACE}:
            placed = True
        elif changed:
            title = _title(model, row, names)
            key = row.get(ROW_KEY, "")
            found.append(Difference(DifferenceKind.CHANGED, table, noun, title, changed, key))
    for old, row in enumerate(before):
        if old not in partner:
            found.append(_whole(DifferenceKind.REMOVED, table, model, row, names))
    # Rows that stay may stand in another order, with or without numbers that say so.
    if placed or [new for _, new in pairs] != sorted(new for _, new in pairs):
        found.append(Difference(DifferenceKind.REORDERED, table, plural, "", ()))
    return found


def _matched(
    model: type[Model], before: list[Record], after: list[Record]
) -> list[tuple[int, int]]:
    """The pairs of places at which the same row stands, by the surest key that both share."""
    every = tuple(n for n in (*PUBLIC[model], *STAFF.get(model, ())) if n != _PLACE)
    known_by = [(True, (*every, _PLACE)), (True, every)]
    known_by += [(False, key) for key in _ROWS[model].known_by]
    if any(ROW_KEY in row for row in (*before, *after)):
        known_by = [(True, (ROW_KEY,))]
    old, new = dict(enumerate(before)), dict(enumerate(after))
    pairs = []
    for sure, key in known_by:
        there: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, row in new.items():
            there[_key(row, key)].append(place)
        for place, row in list(old.items()):
            wanted = _key(row, key)
            if (sure or any(wanted)) and there[wanted]:
                found = there[wanted].pop(0)
                pairs.append((place, found))
                del old[place], new[found]
    return sorted(pairs)


def _key(row: Record, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("" if row.get(name) in (None, "") else repr(row[name]) for name in names)


def _title(model: type[Model], row: Record, names: Names) -> str:
    words = [_in_words(model, name, row.get(name), names) for name in _ROWS[model].named_by]
    return ", ".join(filter(None, words)) or "not stated"


def _whole(
    kind: DifferenceKind, table: str, model: type[Model], row: Record, names: Names
) -> Difference:
    """An added or removed row, with everything that it states."""
    added = kind is DifferenceKind.ADDED
    fields = _fields(model, {} if added else row, row if added else {}, names)
    stated = tuple(field for field in fields if field.name != _PLACE)
    title, key = _title(model, row, names), row.get(ROW_KEY, "")
    return Difference(kind, table, _noun(model)[0], title, stated, key)


# --- Fields -------------------------------------------------------------------------------------


def _fields(
    model: type[Model], before: Record, after: Record, names: Names
) -> tuple[FieldDifference, ...]:
    found = []
    for name in (*PUBLIC[model], *STAFF.get(model, ())):
        old, new = before.get(name), after.get(name)
        if old == new or (name not in before and not new) or (name not in after and not old):
            continue
        told = [_in_words(model, name, value, names) for value in (old, new)]
        if told[0] == told[1]:
            # Two agencies may bear one name: then the keys tell them apart.
            told = [f"{words} ({value})" for words, value in zip(told, (old, new), strict=True)]
        found.append(FieldDifference(name, label(model, name), *told))
    return tuple(found)


def label(model: type[Model], name: str) -> str:
    """What a reader calls the field."""
    column: Any = model._meta.get_field(name)
    return _LABELS.get(name, str(column.verbose_name))


def _in_words(model: type[Model], name: str, value: Any, names: Names) -> str:
    column: Any = model._meta.get_field(name)
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(column, models.ManyToManyField):
        known = names.get(column.related_model, {})
        return ", ".join(known.get(code, str(code)) for code in value)
    if isinstance(column, models.ForeignKey):
        if column.related_model is Source:
            return f"[{value}]"
        return names.get(column.related_model, {}).get(value, str(value))
    if isinstance(column, Jurisdiction):
        return str(Country(value).name or value)
    if column.choices:
        return str(dict(column.flatchoices).get(value, value))
    if isinstance(column, PartialDateField | models.DateField):
        return _day_in_words(value)
    if model is Source and name == "number":
        return f"[{value}]"
    return str(value)


def _day_in_words(value: object) -> str:
    try:
        return str(to_partial_date(value))
    except ValidationError:
        return str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- Words --------------------------------------------------------------------------------------

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
#: A word, a character of a script that is written without spaces, or a sign, each with the blanks
#: before it.
_WORD = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\W{_UNSPACED}]+|.)", re.DOTALL)
#: Comparing takes up to the product of both lengths; beyond this the texts are shown whole.
_MOST_COMPARED = 1_000_000
#: A change of ``SequenceMatcher``: its tag, and where it begins and ends in either text.
_Opcode = tuple[str, int, int, int, int]


def marks(before: str, after: str) -> tuple[list[Mark], list[Mark]]:
    """Both texts in stretches, word by word; joined, the stretches give each text back exactly.

    Texts that have little in common are marked as a whole: confetti tells nobody anything.
    """
    whole = ([Mark(before, True)] if before else []), ([Mark(after, True)] if after else [])
    old, new = _WORD.findall(before), _WORD.findall(after)
    if not old or not new or len(old) * len(new) > _MOST_COMPARED:
        return whole
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.3:
        return whole
    told: tuple[list[Mark], list[Mark]] = ([], [])
    for tag, *places in _without_crumbs(matcher.get_opcodes(), old):
        for side, words, (start, end) in zip(
            told, (old, new), (places[:2], places[2:]), strict=True
        ):
            if text := "".join(words[start:end]):
                _append(side, Mark(text, tag != "equal"))
    return told


def _without_crumbs(opcodes: Sequence[_Opcode], words: list[str]) -> Iterator[_Opcode]:
    """A sign between two changes is part of the change."""
    for number, (tag, start, end, new_start, new_end) in enumerate(opcodes):
        inside = 0 < number < len(opcodes) - 1
        kept = "".join(words[start:end])
        crumb = tag == "equal" and inside and not any(char.isalnum() for char in kept)
        yield ("replace" if crumb else tag, start, end, new_start, new_end)


def _append(side: list[Mark], mark: Mark) -> None:
    """Add a stretch to its like. The blanks before a word that differs are not what differs."""
    word = mark.text.lstrip()
    if mark.differs and word and word != mark.text and not (side and side[-1].differs):
        _append(side, Mark(mark.text.removesuffix(word), False))
        mark = Mark(word, True)
    if side and side[-1].differs == mark.differs:
        side[-1] = Mark(side[-1].text + mark.text, mark.differs)
    else:
        side.append(mark)
