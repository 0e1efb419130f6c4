"""What the models demand of a row, checked in memory: fields, conditions, uniqueness.

The rules stay where they are, in the models; here they are only asked of many rows at once.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models import F, Model, Q

from ..dates import PartialDateField
from ..exports import PUBLIC

#: Of one field, this many values are remembered as good; codes and dates repeat.
_REMEMBERED = 50_000
#: A longer list of codes would hide what is wrong.
_FEW_CODES = 40
#: What the fields themselves take in more forms than one, and so could take for something else.
_FORMS: "dict[type[models.Field[Any, Any]], tuple[re.Pattern[str], str]]" = {
    models.DecimalField: (
        re.compile(r"-?[0-9]+(\.[0-9]+)?"),
        "must be a number like 12 or 0.5.",
    ),
    models.DateField: (
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        "must be a day like 2026-04-20.",
    ),
}


class FieldCheck:
    """One field's own rule, remembering what it found good."""

    def __init__(self, field: Any) -> None:
        self.field = field
        self.known: dict[Any, Any] = {}
        # Most text needs no more than a look at its length; its kind has been checked.
        plain = {MaxLengthValidator, ProhibitNullCharactersValidator}
        text = isinstance(field, models.CharField | models.TextField) and not field.choices
        text = text and {type(each) for each in field.validators} <= plain
        self.any_text = text and not isinstance(field, PartialDateField)
        self.longest = field.max_length or float("inf")
        # The field's own message does not say which codes there are.
        self.codes = [code for code, _ in field.flatchoices if code]
        self.form: tuple[re.Pattern[str], str] | None = next(
            (form for kind, form in _FORMS.items() if isinstance(field, kind)), None
        )

    def __call__(self, value: Any) -> Any:
        """The value as an instance holds it; raises ValidationError."""
        if self.field.blank and (value is None or value == ""):
            return value
        if self.any_text and value and len(value) <= self.longest:
            # A form takes blanks away at either end; of nothing else it leaves nothing.
            if not self.field.blank and not value.strip():
                raise ValidationError(self.field.error_messages["blank"])
            return value
        if value in self.known:
            return self.known[value]
        if self.codes and value not in self.codes:
            listed = len(self.codes) <= _FEW_CODES
            known = ", ".join(self.codes) if listed else "the codes of the data dictionary"
            raise ValidationError(f"“{value}” must be one of: {known}.")
        if self.form and not self.form[0].fullmatch(str(value)):
            raise ValidationError(self.form[1])
        cleaned = self.field.clean(value, None)
        if len(self.known) < _REMEMBERED:
            self.known[value] = cleaned
        return cleaned


class Checks:
    """The rules of one model. ``fields`` are those with a value of their own, ``references`` the
    others, ``one`` and ``many``."""

    def __init__(self, model: type[Model]) -> None:
        found: dict[str, Any] = {name: model._meta.get_field(name) for name in PUBLIC[model]}
        self.many = {n: f for n, f in found.items() if f.many_to_many}
        self.one = {n: f for n, f in found.items() if f.is_relation and not f.many_to_many}
        own = {n: f for n, f in found.items() if not f.is_relation}
        self.fields = {name: FieldCheck(field) for name, field in own.items()}
        self.dates = {n: f for n, f in own.items() if isinstance(f, PartialDateField)}
        self.conditions = [
            (condition(each.condition), each)
            for each in model._meta.constraints
            if isinstance(each, models.CheckConstraint) and isinstance(each.condition, Q)
        ]
        self.unique = [
            (condition(each.condition) if each.condition else None, each)
            for each in model._meta.constraints
            if isinstance(each, models.UniqueConstraint)
        ]

    def violated(self, instance: Model) -> list[str]:
        """What the conditions of the table say against this row."""
        return [
            str(constraint.get_violation_error_message())
            for holds, constraint in self.conditions
            if holds(instance) is False
        ]

    def repeated(self, instances: Iterable[Model]) -> Iterable[tuple[Model, str]]:
        """Each of these rows of one record that repeats an earlier one, and what is said of it."""
        seen: set[tuple[Any, ...]] = set()
        rows = list(instances)
        for holds, constraint in self.unique:
            for instance in rows:
                if holds and holds(instance) is not True:
                    continue
                key = (constraint.name, *(value_of(instance, name) for name in constraint.fields))
                # To a database, what is missing is never the same.
                if None in key:
                    continue
                if key in seen:
                    yield instance, str(constraint.get_violation_error_message())
                seen.add(key)


@cache
def checks_of(model: type[Model]) -> Checks:
    """The rules of one model, looked up once."""
    return Checks(model)


def value_of(instance: Any, name: str) -> Any:
    """What stands in a field. A reference is told by the row it leads to: a new one has no number
    yet."""
    field = instance._meta.get_field(name)
    if not field.is_relation:
        return getattr(instance, name)
    target = instance._state.fields_cache.get(name)
    return getattr(instance, field.attname) if target is None else id(target)


Truth = Callable[[Any], bool | None]


def condition(wanted: Q) -> Truth:
    """A condition of a table as a function of a row, with SQL's third answer, not known, as None.

    Raises ValueError for a comparison that no table of the register uses so far.
    """
    parts: list[Truth] = [
        condition(part) if isinstance(part, Q) else _comparison(*part)  # type: ignore[misc]
        for part in wanted.children
    ]
    if wanted.connector not in (Q.AND, Q.OR):
        raise ValueError(f"{wanted.connector} is not known here.")
    # One that decides, one that leaves it open: what AND is for False, OR is for True.
    decides = wanted.connector == Q.OR
    negated = wanted.negated

    def holds(instance: Any) -> bool | None:
        answer: bool | None = not decides
        for part in parts:
            found = part(instance)
            if found is decides:
                answer = decides
                break
            if found is None:
                answer = None
        return answer if answer is None or not negated else not answer

    return holds


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda value, other: bool(value == other),
    "gte": lambda value, other: bool(value >= other),
    "in": lambda value, other: value in other,
}


def _comparison(expression: str, other: Any) -> Truth:
    name, _, lookup = expression.partition("__")
    lookup = lookup or "exact"
    if lookup == "isnull":
        return lambda instance: (value_of(instance, name) is None) is bool(other)
    if lookup not in _COMPARED:
        raise ValueError(f"{lookup} is not known here.")
    compare = _COMPARED[lookup]
    beside: str = other.name if isinstance(other, F) else ""  # type: ignore[attr-defined]

    def holds(instance: Any) -> bool | None:
        value = value_of(instance, name)
        wanted = value_of(instance, beside) if beside else other
        return None if value is None or wanted is None else compare(value, wanted)

    return holds


def messages(error: ValidationError) -> Iterable[tuple[str, str]]:
    """Each message with the field it speaks of."""
    told = ValidationError(error.update_error_dict({})).message_dict
    return ((name, message) for name, found in told.items() for message in found)
