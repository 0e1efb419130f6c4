"""What the pages need to say of a record that the record does not say itself."""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django import template
from django.forms import BaseForm, BoundField
from django.template.base import Parser, Token
from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..dates import PartialDate
from ..models import (
    Agreement,
    DetailLevel,
    Evidence,
    EvidenceTopic,
    Milestone,
    Participation,
    ParticipationRole,
    Provision,
    Relation,
    RelationKind,
    Source,
    SourceKind,
    search,
)
from ..models.evidence import SourcedRow
from ..rules.coverage import NOT_COUNTED_YET, PRODUCTS_NOT_STATED, Commitment, Depth, Reach, Stage
from ..rules.lineage import Drawing, drawing
from ..rules.pairs import PairRow
from ..rules.partners import PartnerCell
from ..rules.status import MARKS, Status, counts_from

register = template.Library()

#: Beyond this number the participants are listed by role.
MANY_PARTICIPANTS = 6


class _Capture(template.Node):
    def __init__(self, nodes: template.NodeList, name: str) -> None:
        self.nodes, self.name = nodes, name

    def render(self, context: template.Context) -> SafeString:
        text = " ".join(self.nodes.render(context).split())
        # What the nodes print is escaped already; this holds inside an attribute too.
        context[self.name] = SafeString(text.replace('"', "&quot;"))
        return SafeString("")


@register.tag
def capture(parser: Parser, token: Token) -> _Capture:
    """Keep what stands up to ``endcapture`` under a name: a block is printed in one place only."""
    nodes = parser.parse(("endcapture",))
    parser.delete_first_token()
    return _Capture(nodes, token.split_contents()[1])


@register.filter
def as_json(value: object) -> SafeString:
    """A value as JSON that can stand inside a script element: it cannot end it."""
    text = json.dumps(value, ensure_ascii=False)
    return SafeString(text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&"}))


class Event(NamedTuple):
    """One line of the timeline. ``milestone`` is None for the signature; ``ends`` where the line
    is the stated end of the term that the milestone began."""

    date: PartialDate | None
    words: str
    milestone: Milestone | None
    ends: bool = False


class Life(NamedTuple):
    """The events that had begun by a day, those after it, and those without a date."""

    past: list[Event]
    to_come: list[Event]
    undated: list[Event]


def _milestones(agreement: Agreement) -> list[Milestone]:
    return list(agreement.milestones.all())


@register.filter
def timeline(agreement: Agreement, day: datetime.date) -> Life:
    """The signature, the milestones and the stated ends of terms, in the order of their days."""
    milestones = _milestones(agreement)
    events = [Event(m.date, m.get_kind_display(), m) for m in milestones]
    events += [Event(m.until, "Stated end of the term", m, True) for m in milestones if m.until]
    signed_on = agreement.signed_on
    if signed_on:
        events.insert(0, Event(signed_on, "Signed", None))
    days = [((event.date.earliest, event.date.latest), event) for event in events if event.date]
    dated = [event for _, event in sorted(days, key=itemgetter(0))]
    return Life(
        [event for event in dated if not after(event.date, day)],
        [event for event in dated if after(event.date, day)],
        [event for event in events if not event.date],
    )


@register.filter
def after(date: PartialDate | None, day: datetime.date) -> bool:
    """Whether the whole of ``date`` lies after ``day``."""
    return date is not None and date.earliest > day


@register.filter
def perhaps_after(date: PartialDate, day: datetime.date) -> bool:
    """Whether ``date`` may lie on either side of ``day``."""
    return date.earliest <= day < date.latest


@register.filter
def effects(agreement: Agreement) -> list[Milestone]:
    """The events from which the agreement counts as effective, earliest first."""
    kinds = MARKS["effective"] | MARKS["provisional"]
    found = [m for m in _milestones(agreement) if m.kind in kinds]
    signed_on = agreement.signed_on
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
def receipts_on(agreement: Agreement, topic: str) -> list[Evidence]:
    """The statements on one topic that name their source, one for each place in a source."""
    told = [row for row in agreement.evidence.all() if row.topic == topic and row.source]
    told.sort(key=lambda row: (_source_number(row), row.pk))
    return list({(_source_number(row), row.locator): row for row in reversed(told)}.values())[::-1]


@register.filter
def own_source(milestone: Milestone, topic: str) -> Source | None:
    """The source of an event, unless a statement on ``topic`` beside it already names it."""
    named = {row.source_id for row in receipts_on(milestone.agreement, topic)}
    return None if milestone.source_id in named else milestone.source


def _source_number(row: Evidence) -> int:
    """The number of a row's source; 0 where none is recorded."""
    return row.source.number if row.source else 0


@register.filter
def by_source(rows: Iterable[Evidence]) -> list[tuple[Source | None, list[Evidence]]]:
    """The statements of each source together, by its number."""
    ordered = sorted(rows, key=_source_number)
    return [(said[0].source, said) for _, g in groupby(ordered, _source_number) if (said := [*g])]


@register.filter
def supports(agreement: Agreement, source: Source) -> list[tuple[str, str]]:
    """What a source is the receipt for: words and the anchor on the page, each once, in the order
    of the page."""
    facts: list[tuple[str, str, SourcedRow]]
    facts = [(p.area.name, f"provision-{p.pk}", p) for p in agreement.provisions.all()]
    facts += [(m.get_kind_display(), "life", m) for m in _milestones(agreement)]
    facts += [("Outcomes", "outcomes", o) for o in agreement.outcomes.all()]
    facts += [("Related agreements", "lineage", r) for r in agreement.public_relations]
    facts += [
        (row.get_topic_display(), f"evidence-{row.topic}", row) for row in agreement.evidence.all()
    ]
    named = [(words, anchor) for words, anchor, row in facts if row.source_id == source.pk]
    named += [
        ("Outcomes", "outcomes")
        for outcome in agreement.outcomes.all()
        if outcome.reported_source_id == source.pk
    ]
    return list(dict.fromkeys(named))


@register.filter
def participant_groups(
    agreement: Agreement, day: datetime.date
) -> list[tuple[str, list[Participation]]]:
    """The participants under headings: many by role, and last those who had not surely joined, or
    may have left, by ``day``. A heading is empty where one list needs none."""
    every = list(agreement.participations.all())
    taking_part = agreement.participations_on(day)
    if len(every) > MANY_PARTICIPANTS:
        roles = [(r.label, [p for p in taking_part if p.role == r]) for r in ParticipationRole]
        groups = [(label, rows) for label, rows in roles if rows]
    else:
        groups = [("", taking_part)] if taking_part else []
    if others := [p for p in every if p not in taking_part]:
        groups.append((f"Not surely taking part on {day:%-d %B %Y}", others))
    return groups


@register.filter
def drawn(relations: Iterable[Relation]) -> Drawing[Agreement | str]:
    """The drawing of a lineage; an agreement outside the register stands as its title."""
    return drawing((each.target or each.target_title, each.agreement) for each in relations)


@lru_cache(maxsize=64)
def _badge(reach: Reach | str | None) -> SafeString:
    return SafeString(render_to_string("agreements/coverage/_reach.html", {"reach": reach}))


@register.simple_tag
def badge(reach: Reach | str | None) -> SafeString:
    """A reach in words and shade; "excluded" is none, None is not stated. A page shows hundreds of
    a few dozen, so each is rendered once."""
    return _badge(reach)


@lru_cache(maxsize=256)
def _partner_cell(deepest: Reach | None, excluded: bool) -> SafeString:
    if not (deepest and excluded):
        return _badge(Commitment.EXCLUDED if excluded else deepest)
    both = (_badge(deepest), _badge(Commitment.EXCLUDED))
    return format_html("<ul><li>{}</li><li>{}</li></ul>", *both)


@register.simple_tag
def partner_cell(cell: PartnerCell) -> SafeString:
    """The deepest that stands with a partner at one stage, and whether anything is excluded. A page
    has hundreds of cells, of few kinds."""
    if cell.unmatched:
        return SafeString('<span class="reach reach--not_stated">No match</span>')
    return _partner_cell(cell.whole.deepest, cell.whole.excluded)


@register.simple_tag
def partner_count(
    line: Any, agreements: Sequence[str], what: str, name: str = "", value: str = ""
) -> SafeString:
    """How many agreements with a partner count, linked to the list of exactly these; nothing where
    there are none."""
    if not agreements:
        return SafeString("")
    count = len(agreements)
    return format_html(
        '<a class="govuk-link partners__count" href="{}?{}{}">{}'
        '<span class="govuk-visually-hidden">, {}, {}</span></a>',
        reverse("agreement-list"),
        line.query,
        f"&{name}={value}" if name else "",
        f"{count} agreement{pluralize(count)}",
        line.short_name,
        what.lower(),
    )


@lru_cache(maxsize=2)
def _legend(open: bool) -> SafeString:
    told = {
        "open": open,
        "depths": [Reach(depth, Commitment.AGREED) for depth in Depth],
        "commitments": [Reach(Depth.RELIANCE, commitment) for commitment in Commitment],
    }
    return SafeString(render_to_string("agreements/coverage/_coverage_legend.html", told))


@register.simple_tag
def coverage_legend(open: bool = False) -> SafeString:
    """How to read coverage: the same on every page, so it is rendered once."""
    return _legend(open)


@lru_cache(maxsize=len(Status))
def _status_name(status: Status) -> SafeString:
    name = '<strong class="status status--{}">{}</strong>'
    return format_html(name, status.value, status.label)


@register.simple_tag
def status_name(status: Status) -> SafeString:
    """A status in words and shade."""
    return _status_name(status)


#: Of many participants a line names so many.
_NAMED_IN_A_LINE = 5


@register.simple_tag
def participants_line(participants: Sequence[Participation]) -> SafeString:
    """Who takes part, in one line; of many, the first five."""
    if not participants:
        return SafeString('<span class="absent">Participants not stated</span>')
    named = (part.agency for part in participants[:_NAMED_IN_A_LINE])
    names = format_html_join(
        ", ",
        "{}{}",
        (
            (a.short_name, f" ({a.jurisdiction.name})" if a.jurisdiction and a.acronym else "")
            for a in named
        ),
    )
    more = len(participants) - _NAMED_IN_A_LINE
    return format_html("{} and {} other{}", names, more, pluralize(more)) if more > 0 else names


@register.simple_tag
def not_counted_yet() -> str:
    """What keeps "not found here" from meaning "no"; a sentence of its own."""
    return NOT_COUNTED_YET


@lru_cache(maxsize=2048)
def _strip(badges: tuple[Reach | str | None, ...]) -> SafeString:
    stages = zip(Stage, badges, strict=True)
    return SafeString(
        render_to_string("agreements/coverage/_coverage_strip.html", {"stages": stages})
    )


@register.simple_tag
def coverage_strip(agreement: Agreement) -> SafeString:
    """The five stages of an agreement, each with its deepest reach."""
    excluded = Commitment.EXCLUDED.value
    return _strip(tuple(c.deepest or (excluded if c.excluded else None) for c in agreement.stages))


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
def marks(pieces: Iterable[tuple[str, bool]]) -> SafeString:
    """A text of which each piece comes with whether the search found it, these marked."""
    told = (("<mark>{}</mark>" if found else "{}", text) for text, found in pieces)
    return SafeString("".join(format_html(shape, text) for shape, text in told))


@register.filter
def marked(agreement: Agreement, name: str) -> SafeString:
    """A title of an agreement, or the "shortest" it has, with what the search found marked."""
    text = str(agreement) if name == "shortest" else getattr(agreement, name)
    return marks(search.marked(text, getattr(agreement, "terms", frozenset())))


@register.filter
def mentioned_only(agreement: Agreement) -> bool:
    """Whether this is a list entry without a list: only the press or others mention it."""
    kinds = {source.kind for source in agreement.sources.all()}
    listed = kinds - {SourceKind.PRESS, SourceKind.OTHER}
    return bool(agreement.detail_level == DetailLevel.LIST_ENTRY and kinds and not listed)


@register.filter
def in_language(agreement: Agreement, name: str) -> str:
    """A title of an agreement, or the "shortest" it has, marked where it is not English."""
    short = name == "shortest"
    text = str(agreement) if short else agreement.title
    language = agreement.name_language if short else agreement.title_language
    return format_html('<bdi lang="{}">{}</bdi>', language, text) if language else text
