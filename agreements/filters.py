"""The one way to narrow the register, and the sentence that says how it was narrowed.

Every face of the list asks through ``AgreementFilterSet``, so all give the same answer. A value or
a name it does not know is a problem to report, never a reason to show the whole register.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import dateformat, timezone

from . import facets
from .coverage import Asked, Commitment, Depth, Stage
from .dates import PartialDateFormField
from .jurisdictions import EU, eu_members
from .models import Agency, InstrumentType
from .querysets import AgreementQuerySet
from .status import STANDING, Status

MAX_QUERY_LENGTH = 200
#: More sides than any pair or group of regulators that is asked about; each costs every other.
MAX_SIDES = 10
#: A list of choices longer than this shows the most frequent; ``expand`` shows the rest.
CHOICES_SHOWN = 12

#: The orders a list can have. Each is total, so that a page is the same tomorrow.
ORDERS = (
    ("newest", "Newest signature first"),
    ("oldest", "Oldest signature first"),
    ("changed", "Latest change first"),
)
#: How a status reads in a sentence about agreements.
_STATUS_IN_WORDS = {
    Status.UNDER_NEGOTIATION: "under negotiation",
    Status.SIGNED: "signed",
    Status.PROVISIONALLY_APPLIED: "provisionally applied",
    Status.IN_EFFECT: "in effect",
    Status.SUSPENDED: "suspended",
    Status.TERM_LAPSED: "whose term has lapsed",
    Status.EXPIRED: "expired",
    Status.TERMINATED: "terminated",
    Status.SUPERSEDED: "superseded",
    Status.NOT_KNOWN: "of unknown status",
}
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

    def to_python(self, value: Any) -> Any:
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

    def __init__(self, data: QueryDict, queryset: QuerySet, *others: str) -> None:
        """``others`` are the names that this face takes without narrowing anything by them."""
        # A form sends its empty boxes along; they ask nothing.
        self.query = QueryDict(mutable=True)
        for name, values in data.lists():
            if given := [value for value in values if value.strip()]:
                self.query.setlist(name, given)
        super().__init__(self.query, queryset=queryset)
        self.others = others
        self.today = timezone.localdate()
        self.facets = facets.current()
        for name in self.facets.choices.keys() & self.form.fields.keys():
            self.form.fields[name].choices = self.facets.choices[name]

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
    def day(self) -> datetime.date:
        """The day the register is told for: ``as_of``, or today."""
        return self.form.cleaned_data.get("as_of") or self.today

    @property
    def past_day(self) -> datetime.date | None:
        """The day asked for, None for today."""
        return self.form.cleaned_data.get("as_of")

    def _labels(self, name: str) -> list[str]:
        """The words of the chosen values, in an order that does not follow the query string's."""
        chosen = set(self.form.cleaned_data[name])
        return [label for value, label in self.form.fields[name].choices if value in chosen]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Facet -> value -> number of agreements; empty where none are counted."""
        return {}

    def choices(self, name: str) -> list[Choice]:
        """The values of one facet. Of those as many as the register has, the chosen ones and the
        most frequent; the others are never empty, so that a gap is seen."""
        chosen = set(self.query.getlist(name))
        counts = self.counts.get(name, {})
        found = [
            Choice(value, label, value in chosen, counts.get(value, 0) if counts else None)
            for value, label in self.form.fields[name].choices
        ]
        if not counts or name not in self.OPEN_FACETS:
            return found
        found = [c for c in found if c.chosen or c.count]
        found.sort(key=lambda c: (not c.chosen, -(c.count or 0), c.label.casefold()))
        shown = max(CHOICES_SHOWN, len(chosen))
        return found if self.expanded == name else found[:shown]

    def hidden(self, name: str) -> int:
        """How many values of a facet with agreements ``choices`` leaves out."""
        if name not in self.counts or name not in self.OPEN_FACETS:
            return 0
        some = sum(1 for count in self.counts[name].values() if count)
        return max(0, some - len(self.choices(name)))

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
                values = [_written(asked[name])]
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


class AgreementFilterSet(Question):
    """Which agreements, told on which day, in which order."""

    q = django_filters.CharFilter(
        label="Search",
        max_length=MAX_QUERY_LENGTH,
        help_text="Every word must be in the record. English words match by stem, any part of a "
        "Japanese, Chinese or Korean text matches.",
    )
    participant = django_filters.MultipleChoiceFilter(
        label="Participant",
        choices=[],
        help_text="Agency key; several: any of them. With as_of, those that surely took part then.",
    )
    participant_match = django_filters.ChoiceFilter(
        label="Of several participants",
        choices=[("all", "All of them")],
        empty_label="Any of them",
        help_text="all: every agency in participant takes part. Left out: any of them.",
    )
    country = django_filters.MultipleChoiceFilter(
        label="Country or union",
        choices=[],
        help_text="ISO 3166-1 code, or EU, of a participant; several: any of them.",
    )
    eu_members = django_filters.ChoiceFilter(
        label="European Union",
        choices=[("yes", "Including its members")],
        empty_label=None,
        help_text="yes: in country, EU also stands for those that were its members on the day.",
    )
    between = django_filters.MultipleChoiceFilter(
        label="Between",
        choices=[],
        help_text="Agency keys, country codes or EU: each side takes part on the day, and what is "
        "asked of provisions must reach between them. With one side, between it and anybody.",
    )
    stage = django_filters.MultipleChoiceFilter(
        label="Stage",
        choices=Stage.choices,
        help_text="Stage of a product's life; several: any of them. Stage, depth, commitment and "
        "product must meet in one provision. An exclusion never counts.",
    )
    stage_stated = django_filters.ChoiceFilter(
        label="Stage stated",
        choices=[("no", "No stage stated")],
        empty_label="Any",
        help_text="no: no provision stands in a stage, not even as an exclusion.",
    )
    product = django_filters.MultipleChoiceFilter(
        label="Product",
        choices=[],
        help_text="Product category; several: any of them. Alone, it also matches the scope of the "
        "instrument.",
    )
    depth = django_filters.MultipleChoiceFilter(
        label="Depth",
        choices=Depth.choices,
        help_text="Depth of cooperation; several: any of them.",
    )
    commitment = django_filters.MultipleChoiceFilter(
        label="Commitment",
        choices=[each for each in Commitment.choices if each[0] != Commitment.EXCLUDED],
        help_text="How firm it is; several: any of them.",
    )
    type = django_filters.MultipleChoiceFilter(
        label="Instrument",
        choices=InstrumentType.choices,
        help_text="The register's word for the kind of instrument; several: any of them.",
    )
    status = django_filters.MultipleChoiceFilter(
        label="Status",
        choices=Status.choices,
        help_text="Status on the day of as_of, or today; several: any of them.",
    )
    signed_after = PartialDateFilter(
        label="Signed from", help_text="A year, month or day: only what was surely signed from it."
    )
    signed_before = PartialDateFilter(
        label="Signed until", help_text="A year, month or day: only what was surely signed by then."
    )
    as_of = DayFilter(
        label="As the register stood on",
        help_text="A day: agreements of which something dated had happened by then, and their "
        "status that day.",
    )
    updated_since = MomentFilter(
        label="Record changed since",
        help_text="A day, from midnight in Singapore, or a moment with its offset: records that "
        "changed at or after it. Without sort, what changed first stands first.",
    )
    sort = django_filters.ChoiceFilter(
        label="Order",
        choices=ORDERS,
        empty_label=None,
        help_text="Left out: newest, in a search what has the words in its title first; with "
        "updated_since, in the order of change.",
    )

    NOT_NARROWING = ("sort",)

    def further_problems(self) -> dict[str, list[str]]:
        """Too many sides: each costs every other."""
        if len(set(self.query.getlist("between"))) > MAX_SIDES:
            return {"between": [f"Give at most {MAX_SIDES} sides."]}
        return {}

    @property
    def in_order_of_change(self) -> bool:
        """Whether the answer begins with what changed first: the order for keeping a copy."""
        asked = self.form.cleaned_data
        return bool(asked["updated_since"] and not asked["sort"])

    def filter_queryset(self, queryset: AgreementQuerySet) -> AgreementQuerySet:
        """The agreements that answer, in order. Stage, depth and product must meet in one
        provision; a product alone is also met by the scope of the instrument."""
        asked = self.form.cleaned_data
        if self.past_day:
            queryset = queryset.as_of(self.past_day)
        if asked["q"]:
            queryset = queryset.search(asked["q"])
        if asked["participant_match"]:
            for key in asked["participant"]:
                queryset = queryset.with_participant([key], self.past_day)
        elif asked["participant"]:
            queryset = queryset.with_participant(asked["participant"], self.past_day)
        if asked["country"]:
            codes = set(asked["country"])
            if asked["eu_members"] and EU in codes:
                codes |= eu_members(self.day)
            queryset = queryset.in_country(codes, self.past_day)
        between = list(dict.fromkeys(asked["between"]))
        if between:
            queryset = queryset.between(between, self.day)
        if asked["stage_stated"]:
            queryset = queryset.without_stage(between)
        if asked["stage"] or asked["depth"] or asked["commitment"]:
            conditions = {
                "area__stage__in": asked["stage"],
                "depth__in": asked["depth"],
                "commitment__in": asked["commitment"],
                "products__code__in": asked["product"],
            }
            queryset = queryset.with_provision(
                between, **{k: v for k, v in conditions.items() if v}
            )
        elif asked["product"]:
            queryset = queryset.with_product(asked["product"], between)
        if asked["type"]:
            queryset = queryset.filter(instrument_type__in=asked["type"])
        if asked["signed_after"]:
            queryset = queryset.filter(signed_on_earliest__gte=asked["signed_after"].earliest)
        if asked["signed_before"]:
            queryset = queryset.filter(signed_on_latest__lte=asked["signed_before"].latest)
        if asked["status"]:
            queryset = queryset.with_status(self.day).filter(status__in=asked["status"])
        if asked["updated_since"]:
            queryset = queryset.filter(updated_at__gte=asked["updated_since"])
        if self.in_order_of_change:
            return queryset.earliest_changed_first()
        orders = {
            "oldest": queryset.oldest_first,
            "changed": queryset.latest_changed_first,
        }
        ordered = orders.get(asked["sort"], queryset.newest_first)()
        if asked["q"] and not asked["sort"]:
            return ordered.order_by("-in_title", *ordered.query.order_by)
        return ordered

    @cached_property
    def answer(self) -> facets.Answer:
        """What ``filter_queryset`` selects, by id and in order, with the counts of every facet."""
        return self.facets.answer(self.form.cleaned_data, self.day, self.past_day)

    @property
    def sentence(self) -> str:
        """The question written back: "12 agreements in effect, with PMDA"."""
        asked = self.form.cleaned_data
        count = self.answer.count
        words = [f"{count:,} agreement" + ("" if count == 1 else "s")]
        if asked["status"]:
            words[0] += " " + _either(
                _STATUS_IN_WORDS[s] for s in Status if s.value in asked["status"]
            )
        if asked["type"]:
            words.append("of kind " + _either(self._labels("type")))
        if asked["participant"]:
            chosen = [a for a in self.facets.agencies if a.key in asked["participant"]]
            every = _every if asked["participant_match"] else _either
            words.append("with " + every(agency.acronym or agency.name for agency in chosen))
        if asked["country"]:
            places = self._labels("country")
            if asked["eu_members"] and EU in asked["country"]:
                places.append("a member of the European Union")
            words.append("with a participant from " + _either(places))
        if asked["between"]:
            words.append("between " + _every(self._labels("between")))
        if asked["stage_stated"]:
            words.append("that state no stage")
        if asked["stage"]:
            words.append("covering " + _either(label.lower() for label in self._labels("stage")))
        if asked["depth"]:
            words.append("at the depth of " + _either(s.lower() for s in self._labels("depth")))
        if asked["commitment"]:
            words.append(_either(s.lower() for s in self._labels("commitment")))
        if asked["product"]:
            words.append("for " + _either(label.lower() for label in self._labels("product")))
        if asked["signed_after"]:
            words.append(f"signed from {asked['signed_after']}")
        if asked["signed_before"]:
            words.append(f"signed until {asked['signed_before']}")
        if asked["updated_since"]:
            words.append(f"changed since {_written(asked['updated_since'])}")
        if asked["q"]:
            words.append(f"matching “{asked['q']}”")
        if asked["as_of"]:
            words.append(f"as of {dateformat.format(asked['as_of'], 'j F Y')}")
        return ", ".join(words)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Facet -> value -> number of agreements; empty where the question cannot be answered."""
        return {} if self.problems else self.answer.counts

    def canonical(self, page: int) -> list[tuple[str, str]]:
        """The address of one page of the answer, as pairs."""
        expand = [("expand", self.expanded)] if self.expanded else []
        return self.pairs + expand + ([("page", str(page))] if page > 1 else [])


class CoverageFilterSet(Question):
    """Whose coverage, told by which partners, on which day.

    Asks of one agency or one country. What a provision must meet is not a filter on agreements
    here: the table says in each cell what meets it.
    """

    # Asked and told as in the list.
    product = AgreementFilterSet.base_filters["product"]
    depth = AgreementFilterSet.base_filters["depth"]
    commitment = AgreementFilterSet.base_filters["commitment"]
    status = AgreementFilterSet.base_filters["status"]
    as_of = AgreementFilterSet.base_filters["as_of"]
    agency = django_filters.ChoiceFilter(
        label="Agency",
        choices=[],
        empty_label="Choose an agency",
        help_text="The subject: an agency key. Or give country.",
        widget=forms.Select(attrs={"class": "govuk-select", "id": "agency"}),
    )
    country = django_filters.ChoiceFilter(
        label="Country or union",
        choices=[],
        empty_label="Choose a country",
        help_text="The subject: an ISO 3166-1 code, or EU, for all its agencies. Or give agency.",
    )
    by = django_filters.ChoiceFilter(
        label="Partners",
        choices=[("agency", "By agency"), ("country", "By country")],
        empty_label=None,
        help_text="What a row stands for. Left out: an agency.",
    )

    #: Whose table it is; that stands in its heading.
    NOT_NARROWING = ("agency", "country", "by")

    def further_problems(self) -> dict[str, list[str]]:
        """Two subjects: a table has one."""
        if self.query.get("agency") and self.query.get("country"):
            return {"country": ["Choose an agency or a country, not both."]}
        return {}

    @property
    def subject(self) -> str:
        """The agency's key or the country's code; empty where neither was chosen."""
        asked = self.form.cleaned_data
        return asked["agency"] or asked["country"]

    @property
    def asked(self) -> Asked:
        """What a provision must meet to be counted."""
        names = ("product", "depth", "commitment")
        return Asked(*(frozenset(self.form.cleaned_data[name]) for name in names))

    @property
    def statuses(self) -> list[str]:
        """The statuses that count: those asked for, or all in which an agreement stands."""
        return self.form.cleaned_data["status"] or [status.value for status in STANDING]

    def standing_with(self, sides: list[str]) -> AgreementQuerySet:
        """The agreements of any of these sides that stand on the day."""
        ids = self.facets.standing_with(sides, self.statuses, self.day, self.past_day)
        return self.queryset.filter(pk__in=ids)

    def most_connected(self, most: int) -> list[tuple[str, int]]:
        """The agencies with the most partners in other countries: key and number of partners."""
        return self.facets.most_connected(most, tuple(self.statuses), self.day, self.past_day)

    @property
    def by_country(self) -> bool:
        """Whether a partner is a country; a body of no country stays a partner of its own."""
        return self.form.cleaned_data["by"] == "country"

    @property
    def subject_query(self) -> str:
        """The question without what narrows it, as a query string."""
        return urlencode([p for p in self.pairs if p[0] in self.NOT_NARROWING])

    def with_agency(self, key: str) -> str:
        """The same question asked of an agency, as a query string."""
        others = [pair for pair in self.pairs if pair[0] not in ("agency", "country")]
        return urlencode([("agency", key), *others])

    def side_of(self, agency: Agency) -> str:
        """The partner that an agency belongs to, as a side of ``between``."""
        return (self.by_country and agency.jurisdiction.code) or agency.key

    def list_query(self, *sides: str) -> str:
        """The query string of the list of agreements that count between these sides."""
        kept = {"product", "depth", "commitment", "as_of"}
        pairs = [("between", side) for side in sides]
        pairs += [pair for pair in self.pairs if pair[0] in kept]
        return urlencode(sorted(pairs + [("status", status) for status in self.statuses]))


def shown(name: str) -> str:
    """A parameter's name as it may stand in a message."""
    return name if len(name) <= 40 else name[:40] + "…"


def _written(date: Any) -> str:
    """A date as it stands in addresses. A moment at which a day begins in Singapore is that day."""
    if not isinstance(date, datetime.datetime):
        return getattr(date, "iso", None) or date.isoformat()
    local = timezone.localtime(date)
    if local.time() == datetime.time.min:
        return local.date().isoformat()
    return date.isoformat().replace("+00:00", "Z")


def _either(words: Any, joint: str = "or") -> str:
    """One phrase that offers each of the words."""
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last


def _every(words: Any) -> str:
    """One phrase that demands all of the words."""
    return _either(words, "and")
