"""The partial date: a year, a month or a day, exactly as a source states it.

Real sources give ``2010``, ``2024-05`` or ``2026-04-20``. The text is stored as given. It is
sorted and filtered by the first and the last day it can mean, which a model may keep beside it.
"""

import calendar
import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    CharField = models.CharField["PartialDate | datetime.date | str | None", "PartialDate | None"]
else:
    # Django's own class takes no type arguments at run time.
    from django.db.models import CharField

_ISO = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_WORDS = re.compile(r"(?:(\d{1,2})\s+)?([^\W\d_]+)\.?,?\s+(\d{4})")
_MONTHS = {
    form: number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
    for form in [name.casefold()]
} | {"sept": 9}
# Nothing the register records is older: it refuses a slip of the keyboard, not history.
FIRST_YEAR = 1850
LAST_YEAR = 2199


@dataclass(frozen=True)
class PartialDate:
    """A date known to the year, the month or the day.

    ``month`` and ``day`` are None where the source does not state them. Raises ValueError, with a
    sentence for the person who typed it, when no such day exists.
    """

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise ValueError(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}.")
        if self.month is None:
            if self.day is not None:
                raise ValueError("A day needs a month.")
            return
        if not 1 <= self.month <= 12:
            raise ValueError(f"There is no month {self.month}.")
        if self.day is not None and not 1 <= self.day <= self._month_length():
            raise ValueError(f"There is no day {self.day} in {self:month} {self.year}.")

    # Dates repeat, and one that was read cannot change.
    @classmethod
    @lru_cache(maxsize=65_536)
    def parse(cls, text: str) -> "PartialDate":
        """Read ``2010``, ``2010-05``, ``2010-05-13``, ``May 2010`` or ``13 May 2010``.

        Raises ValueError with a sentence for the person who typed it.
        """
        text = text.strip()
        if match := _ISO.fullmatch(text):
            year, month, day = (int(part) if part else None for part in match.groups())
            return cls(year or 0, month, day)
        if match := _WORDS.fullmatch(text):
            number = _MONTHS.get(match[2].casefold())
            if number:
                return cls(int(match[3]), number, int(match[1]) if match[1] else None)
        raise ValueError(
            "Type the date as the source gives it: 2010, 2010-05, 2010-05-13, "
            "May 2010 or 13 May 2010."
        )

    def _month_length(self) -> int:
        return calendar.monthrange(self.year, self.month or 12)[1]

    @cached_property
    def earliest(self) -> datetime.date:
        """The first day this can mean."""
        return datetime.date(self.year, self.month or 1, self.day or 1)

    @cached_property
    def latest(self) -> datetime.date:
        """The last day this can mean."""
        return datetime.date(self.year, self.month or 12, self.day or self._month_length())

    @property
    def precision(self) -> str:
        """``year``, ``month`` or ``day``."""
        return "day" if self.day else "month" if self.month else "year"

    @cached_property
    def iso(self) -> str:
        """The stored form: as much of ISO 8601 as the source states."""
        parts = [f"{self.year:04}"]
        parts += [f"{part:02}" for part in (self.month, self.day) if part is not None]
        return "-".join(parts)

    def __str__(self) -> str:
        """The printed form: ``20 April 2026``, ``May 2024``, ``2010``."""
        return self._printed

    @cached_property
    def _printed(self) -> str:
        words = [str(self.day)] if self.day else []
        if self.month:
            words.append(f"{self:month}")
        return " ".join([*words, str(self.year)])

    def __format__(self, spec: str) -> str:
        if spec == "month":
            return calendar.month_name[self.month or 0]
        return format(str(self), spec)

    def __lt__(self, other: "PartialDate") -> bool:
        return (self.earliest, self.latest) < (other.earliest, other.latest)

    def __len__(self) -> int:
        """The length of the stored form, for the column's length check."""
        return len(self.iso)


def to_partial_date(value: object) -> PartialDate | None:
    """A PartialDate from what a form, a file or the database holds; None where nothing is stated.

    Raises ValidationError with a message for the person who typed it.
    """
    if value is None or value == "":
        return None
    if isinstance(value, PartialDate):
        return value
    if isinstance(value, datetime.date):
        return PartialDate(value.year, value.month, value.day)
    try:
        return PartialDate.parse(str(value))
    except ValueError as error:
        raise ValidationError(str(error), code="invalid") from error


class PartialDateFormField(forms.CharField):
    """Takes a partial date as people write it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["max_length"] = 30
        super().__init__(**kwargs)

    def to_python(self, value: object) -> PartialDate | None:  # type: ignore[override]
        """The date, or None for an empty box; raises ValidationError."""
        return to_partial_date(super().to_python(value))

    def prepare_value(self, value: object) -> object:
        """What stands in the box: the stored form, or what was typed."""
        return value.iso if isinstance(value, PartialDate) else value

    def run_validators(self, value: object) -> None:
        """The length was a matter of the text, which to_python has already read."""

    def has_changed(self, initial: object, data: object) -> bool:
        """Whether another date was typed, however it is written."""
        try:
            return to_partial_date(initial) != self.to_python(data)
        except ValidationError:
            return True


class PartialDateField(CharField):
    """Stores a PartialDate as its text; null where the source states none.

    ``earliest_field`` and ``latest_field`` name two DateFields of the same model that are kept to
    the first and last day the text can mean, as ImageField does with its ``width_field``.
    """

    def __init__(
        self, *args: Any, earliest_field: str = "", latest_field: str = "", **kwargs: Any
    ) -> None:
        self.companions: dict[str, Callable[[PartialDate], datetime.date]] = {}
        if earliest_field:
            self.companions[earliest_field] = lambda value: value.earliest
        if latest_field:
            self.companions[latest_field] = lambda value: value.latest
        self.earliest_field, self.latest_field = earliest_field, latest_field
        kwargs |= {"max_length": 10, "null": True}
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"], kwargs["null"]
        if kwargs.get("blank"):
            del kwargs["blank"]
        for option in ("earliest_field", "latest_field"):
            if getattr(self, option):
                kwargs[option] = getattr(self, option)
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, *_: object) -> PartialDate | None:
        """The stored text as a PartialDate."""
        return None if value is None else PartialDate.parse(value)

    def to_python(self, value: object) -> PartialDate | None:
        """The date; raises ValidationError with a message for the person who typed it."""
        return to_partial_date(value)

    def get_prep_value(self, value: object) -> str | None:
        """The text the column holds."""
        date = to_partial_date(value)
        return date.iso if date else None

    def clean(self, value: object, model_instance: models.Model | None) -> PartialDate | None:
        """Check, and set the companions so that the constraints that follow can see them."""
        cleaned: PartialDate | None = super().clean(value, model_instance)
        if model_instance is not None:
            self.set_companions(model_instance, cleaned)
        return cleaned

    def pre_save(self, model_instance: models.Model, add: bool) -> PartialDate | None:
        """Keep the companions true on every save."""
        value = to_partial_date(getattr(model_instance, self.attname))
        self.set_companions(model_instance, value)
        return value

    def set_companions(self, instance: models.Model, value: PartialDate | None) -> None:
        """Set the fields that hold the first and the last day of ``value``."""
        for name, bound in self.companions.items():
            setattr(instance, name, bound(value) if value else None)

    def value_to_string(self, obj: models.Model) -> str:
        """For Django's own serialisers."""
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        """The form field that takes dates as people write them."""
        return models.Field.formfield(self, form_class=PartialDateFormField, **kwargs)
