"""A question to the register: a query string that is checked, never ignored.

A value or a name that it does not know is a problem to report, never a reason to show the whole
register.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import django_filters
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from .fields import written
from .present import current

#: More sides than any pair or group of regulators that is asked about; each costs every other.
MAX_SIDES = 10
#: A list of choices longer than this shows the most frequent; ``expand`` shows the rest.
CHOICES_SHOWN = 12


@dataclass(frozen=True)
class Choice:
    """A value that can be chosen. ``count`` is None where the question cannot be answered."""

    value: str
    label: str
    chosen: bool
    count: int | None


class Question(django_filters.FilterSet):
    """A query string that is checked, never ignored, and has one written form.

    What may be asked, each kind of question declares itself: a filter that one of them takes is
    unknown to the others.
    """

    #: What is asked with these leaves no agreement out.
    NOT_NARROWING: tuple[str, ...] = ()
    DATES = ("as_of", "signed_after", "signed_before", "updated_since")
    #: Those whose values are as many as the register has: ``expand`` takes one of these names.
    OPEN_FACETS = ("product", "participant", "country")

    def __init__(self, data: QueryDict, queryset: QuerySet[Any], *others: str) -> None:
        """``others`` are the names that this face takes without narrowing anything by them."""
        # A form sends its empty boxes along; they ask nothing.
        self.query = QueryDict(mutable=True)
        for name, values in data.lists():
            if given := [value for value in values if value.strip()]:
                self.query.setlist(name, given)
        super().__init__(self.query, queryset=queryset)
        self.others = others
        self.today = timezone.localdate()
        self.register = current()
        self._facets: dict[str, tuple[list[Choice], int]] = {}
        for name in self.register.choices.keys() & self.form.fields.keys():
            self.form.fields[name].choices = self.register.choices[name]

    @property
    def _several(self) -> set[str]:
        """The parameters that take several values."""
        many = django_filters.MultipleChoiceFilter
        return {name for name, declared in self.filters.items() if isinstance(declared, many)}

    @cached_property
    def problems(self) -> dict[str, list[str]]:
        """What is wrong with the question, by parameter; empty when it can be answered."""
        found: dict[str, list[str]] = {}
        for name in self.query:
            if name not in self.filters and name not in self.others:
                found[shown(name)] = ["There is no such filter."]
            elif len(self.query.getlist(name)) > 1 and name not in self._several:
                found[name] = ["Give it once."]
        if self.expanded and self.expanded not in self.OPEN_FACETS:
            found["expand"] = [f"Choose one of: {', '.join(self.OPEN_FACETS)}."]
        found |= self.further_problems()
        # So that the form, too, says so where the field stands.
        for name in found.keys() & self.form.fields.keys():
            self.form.add_error(name, found[name])
        return found | {name: list(errors) for name, errors in self.form.errors.items()}

    def further_problems(self) -> dict[str, list[str]]:
        """What is wrong that neither a name nor a field by itself can tell, by parameter."""
        return {}

    @property
    def expanded(self) -> str:
        """The facet of which all values are to be shown."""
        return self.query.get("expand", "")

    @property
    def asked(self) -> dict[str, Any]:
        """What was chosen, by filter; of what is asked rightly."""
        cleaned: dict[str, Any] = self.form.cleaned_data
        return cleaned

    @property
    def day(self) -> datetime.date:
        """The day the register is told for: ``as_of``, or today."""
        return self.past_day or self.today

    @property
    def past_day(self) -> datetime.date | None:
        """The day asked for, None for today."""
        return self.asked.get("as_of")

    def labels(self, name: str) -> list[str]:
        """The words of the chosen values, in an order that does not follow the query string's."""
        chosen = set(self.asked[name])
        return [label for value, label in self.form.fields[name].choices if value in chosen]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Facet -> value -> number of agreements; empty where none are counted."""
        return {}

    def choices(self, name: str) -> list[Choice]:
        """The values of one facet. Of those as many as the register has, the chosen ones and the
        most frequent; the others are never empty, so that a gap is seen."""
        return self._facet(name)[0]

    def hidden(self, name: str) -> int:
        """How many values of a facet with agreements ``choices`` leaves out."""
        return self._facet(name)[1]

    def _facet(self, name: str) -> tuple[list[Choice], int]:
        if name not in self._facets:
            self._facets[name] = self._make_facet(name)
        return self._facets[name]

    def _make_facet(self, name: str) -> tuple[list[Choice], int]:
        chosen = set(self.query.getlist(name))
        counts = self.counts.get(name, {})
        found = [
            Choice(value, label, value in chosen, counts.get(value, 0) if counts else None)
            for value, label in self.form.fields[name].choices
            if not counts or name not in self.OPEN_FACETS or value in chosen or counts.get(value)
        ]
        if not counts or name not in self.OPEN_FACETS:
            return found, 0
        found.sort(key=lambda c: (not c.chosen, -(c.count or 0), c.label.casefold()))
        most = len(found) if self.expanded == name else max(CHOICES_SHOWN, len(chosen))
        return found[:most], len(found[most:])

    def applied(self) -> Iterator[dict[str, str]]:
        """Each chosen value: its words, and the query string without it."""
        for name, value in self.pairs:
            if name in self.NOT_NARROWING:
                continue
            field = self.form.fields[name]
            shown = dict(getattr(field, "choices", ())).get(value, value)
            others = [pair for pair in self.pairs if pair != (name, value)]
            yield {"words": f"{field.label}: {shown}", "query": urlencode(others)}

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The question in its one written form: sorted, each value once, dates as they are stored,
        no empty boxes, no page."""
        asked = getattr(self.form, "cleaned_data", {})
        found = set()
        for name, values in self.query.lists():
            if name in self.others:
                continue
            if name in self.DATES and asked.get(name):
                values = [written(asked[name])]
            found |= {(name, value.strip()) for value in values}
        return sorted(found)

    @property
    def narrowed(self) -> bool:
        """Whether anything is asked that leaves something out."""
        return any(name not in self.NOT_NARROWING for name, _ in self.pairs)

    @property
    def query_string(self) -> str:
        """The question as a query string, without the page."""
        return urlencode(self.pairs)


def shown(name: str) -> str:
    """A parameter's name as it may stand in a message."""
    return name if len(name) <= 40 else name[:40] + "…"
