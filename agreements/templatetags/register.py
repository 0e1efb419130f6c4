"""What the pages need to say of a record that the record does not say itself."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from django import template
from django.forms import BaseForm, BoundField

from ..coverage import PRODUCTS_NOT_STATED, Commitment, Depth, PairRow, Reach
from ..dates import PartialDate
from ..models import Agreement, Evidence, EvidenceTopic, Milestone, Provision, RelationKind, Source
from ..status import MARKS, counts_from

register = template.Library()


class Event(NamedTuple):
    """One line of the timeline. ``milestone`` is None for the signature."""

    date: PartialDate | None
    words: str
    milestone: Milestone | None


def _milestones(agreement: Agreement) -> list[Any]:
    # Any: the stubs take a PartialDateField for the CharField it stores.
    return list(agreement.milestones.all())


@register.filter
def timeline(agreement: Agreement) -> list[Event]:
    """The signature and the milestones in the order of their days; an undated one comes last."""
    events = [Event(m.date, m.get_kind_display(), m) for m in _milestones(agreement)]
    signed_on: Any = agreement.signed_on
    if signed_on:
        events.insert(0, Event(signed_on, "Signed", None))
    return sorted(
        events, key=lambda e: (e.date is None, e.date and (e.date.earliest, e.date.latest))
    )


@register.filter
def after(date: PartialDate | None, day: Any) -> bool:
    """Whether the whole of ``date`` lies after ``day``."""
    return date is not None and date.earliest > day


@register.filter
def effects(agreement: Agreement) -> list[Milestone]:
    """The events from which the agreement counts as effective, earliest first."""
    kinds = MARKS["effective"] | MARKS["provisional"]
    found = [m for m in _milestones(agreement) if m.kind in kinds]
    signed_on: Any = agreement.signed_on
    return sorted(found, key=lambda m: counts_from(m, signed_on))


@register.filter
def terms(agreement: Agreement) -> list[Milestone]:
    """The events that say until when the agreement runs."""
    return [m for m in _milestones(agreement) if m.until]


@register.filter
def evidence_by_topic(agreement: Agreement) -> list[tuple[EvidenceTopic, list[Evidence]]]:
    """What the sources say, point by point in the order of the topics."""

    def place(row: Evidence) -> int:
        return EvidenceTopic.values.index(row.topic)

    ordered = sorted(agreement.evidence.all(), key=place)
    return [
        (EvidenceTopic(rows[0].topic), rows) for _, g in groupby(ordered, place) if (rows := [*g])
    ]


@register.filter
def sources_on(agreement: Agreement, topic: str) -> list[Source]:
    """The sources that speak on one topic, each once, by number."""
    found = {row.source for row in agreement.evidence.all() if row.topic == topic and row.source}
    return sorted(found, key=lambda source: source.number)


@register.filter
def reach(provision: Provision) -> Reach:
    """The depth and commitment of one provision."""
    return Reach(Depth(provision.depth), Commitment(provision.commitment))


@register.filter
def reach_words(reach: Reach) -> str:
    """A reach in the middle of a sentence; an exclusion is no depth."""
    return "excluded" if reach.commitment == Commitment.EXCLUDED else str(reach).lower()


@register.filter
def agreements_of(provisions: Iterable[Provision]) -> list[Agreement]:
    """The agreements that hold these provisions, each once."""
    return list(dict.fromkeys(provision.agreement for provision in provisions))


@register.filter
def line_count(rows: Iterable[PairRow]) -> int:
    """How many lines of the table of a pair these rows take."""
    return sum(row.lines for row in rows)


@register.filter
def product_name(names: Mapping[str, str], code: str) -> str:
    """A product's name by its code; the column without products says so."""
    return "Products not stated" if code == PRODUCTS_NOT_STATED else names.get(code, code)


@register.filter
def named(names: Mapping[str, str], codes: Iterable[str]) -> str:
    """The products of some codes in the middle of a sentence; CTGTP keeps its capitals."""
    found = [product_name(names, code) for code in codes]
    return ", ".join(n if n[1:2].isupper() else n[:1].lower() + n[1:] for n in found)


@register.filter
def inverse_kind(kind: str) -> str:
    """A relation's words from the other side."""
    return RelationKind(kind).inverse


@register.filter
def lines(text: str) -> list[str]:
    """The lines of a text that hold anything."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@register.filter
def figure(number: Decimal) -> str:
    """A figure without the zeros the column adds: 3.000 is 3."""
    return f"{number:,f}".rstrip("0").rstrip(".") if number % 1 else f"{number:,.0f}"


@register.filter
def field(form: BaseForm, name: str) -> BoundField | None:
    """The form's field of that name, if it has one."""
    return form[name] if name in form.fields else None


@register.filter
def chosen(bound: BoundField) -> bool:
    """Whether anything was typed or ticked in this field."""
    value = bound.value()
    return any(value) if isinstance(value, Iterable) else bool(value)


@register.filter
def ticked_first(bound: BoundField) -> list[Any]:
    """The boxes of a field; in a list too long to see at once, the ticked ones first."""
    options = list(bound)
    if len(options) > 8:
        options.sort(key=lambda option: not option.data["selected"])
    return options


@register.filter
def with_commitment(depth: Depth, commitment: Commitment) -> Reach:
    """An example of a reach, for the legend."""
    return Reach(depth, commitment)
