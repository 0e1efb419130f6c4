"""What can be typed into a question: days, moments, partial dates."""

import datetime
import re
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from ..dates import PartialDate, PartialDateFormField

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)
#: A day inside what a clock of any zone can show; no record changed before or after.
_FIRST = datetime.datetime(1, 1, 2, tzinfo=datetime.UTC)
_LAST = datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC)


class PartialDateFilter(django_filters.Filter):
    """Takes a year, a month or a day."""

    field_class = PartialDateFormField


class DayFilter(django_filters.Filter):
    """Takes a day."""

    field_class = forms.DateField

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {
            "input_formats": ["%Y-%m-%d"],
            "error_messages": {"invalid": "Type a day like 2011-01-31."},
        }
        super().__init__(**kwargs)


class MomentField(forms.CharField):
    """Takes a day, which begins at midnight in Singapore, or a moment with its offset."""

    def to_python(self, value: object) -> datetime.datetime | None:  # type: ignore[override]
        """The moment, in UTC; None if nothing was typed. Raises ValidationError."""
        text = (super().to_python(value) or "").upper()
        if not text:
            return None
        try:
            moment = datetime.datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
        except ValueError:
            moment = None
        if moment is None:
            raise ValidationError(
                "Type a day like 2026-04-20 or a moment with its offset like 2026-04-20T01:30:00Z. "
                "In an address, the plus of an offset is written %2B."
            )
        if moment.tzinfo is None:
            moment = timezone.make_aware(moment)
        return min(max(moment, _FIRST), _LAST).astimezone(datetime.UTC)


class MomentFilter(django_filters.Filter):
    """Takes a day or a moment."""

    field_class = MomentField


def written(date: datetime.date | PartialDate) -> str:
    """A date as it stands in addresses. A moment at which a day begins in Singapore is that day."""
    if not isinstance(date, datetime.datetime):
        return date.iso if isinstance(date, PartialDate) else date.isoformat()
    local = timezone.localtime(date)
    if local.time() == datetime.time.min:
        return local.date().isoformat()
    return date.isoformat().replace("+00:00", "Z")
