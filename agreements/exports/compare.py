"""What differs between two states of one record, in words a person can read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from ..dates import PartialDate, PartialDateField
from .records import CHILDREN, PUBLIC, STAFF

#: The fields by which a reader tells the rows of a record apart; without one, their order does.
_TOLD_APART = {
    "names": ("name",),
    "sources": ("number",),
    "participations": ("agency",),
    "former_slugs": ("slug",),
    "relations": ("kind", "target", "target_title"),
}


@dataclass(frozen=True)
class Difference:
    """One point in which the two states differ. ``path`` leads to it: ``participations, hsa,
    role``. What a state does not have is empty there."""

    path: str
    before: str
    after: str


def differences(
    noun: type[Model], before: dict[str, Any], after: dict[str, Any]
) -> list[Difference]:
    """What differs between two records as ``records.record`` gives them, in the order of fields."""
    found = _of_fields(noun, "", before, after)
    for name, child in CHILDREN.get(noun, {}).items():
        label = name.replace("_", " ")
        for row, old, new in _paired(name, before.get(name, []), after.get(name, [])):
            path = f"{label}, {row}"
            if old is None or new is None:
                found.append(Difference(path, _whole(child, old), _whole(child, new)))
            else:
                found += _of_fields(child, f"{path}, ", old, new)
    return found


def _of_fields(
    noun: type[Model], path: str, before: dict[str, Any], after: dict[str, Any]
) -> list[Difference]:
    return [
        Difference(
            path + _label(noun, name),
            _told(noun, name, before.get(name)),
            _told(noun, name, after.get(name)),
        )
        for name in (*PUBLIC[noun], *STAFF.get(noun, ()))
        if before.get(name) != after.get(name)
    ]


def _paired(
    name: str, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Iterable[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
    """The rows that differ, each with what tells it apart and its other state."""
    if apart := _TOLD_APART.get(name):
        old, new = ({_words(row, apart): row for row in rows} for rows in (before, after))
        for words in dict.fromkeys([*old, *new]):
            if old.get(words) != new.get(words):
                yield words, old.get(words), new.get(words)
        return
    # Rows that stand in both say nothing; the rest are set side by side in their order.
    left = [row for row in before if row not in after]
    right = [row for row in after if row not in before]
    for at in range(max(len(left), len(right))):
        was, now = (rows[at] if at < len(rows) else None for rows in (left, right))
        place = after.index(now) if now is not None else before.index(was or {})
        yield f"row {place + 1}", was, now
    if before != after and not left and not right:
        yield "order", {}, {}


def _words(row: dict[str, Any], names: Iterable[str]) -> str:
    return " ".join(str(row[name]) for name in names if row[name] not in (None, ""))


def _whole(noun: type[Model], row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    told = ((_label(noun, name), _told(noun, name, row.get(name))) for name in PUBLIC[noun])
    return "; ".join(f"{label}: {value}" for label, value in told if value)


def _label(noun: type[Model], name: str) -> str:
    return str(getattr(noun._meta.get_field(name), "verbose_name", name))


def _told(noun: type[Model], name: str, value: Any) -> str:
    field: Any = noun._meta.get_field(name)
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(field, PartialDateField):
        return str(PartialDate.parse(value))
    return str(dict(field.flatchoices).get(value, value)) if field.choices else str(value)
