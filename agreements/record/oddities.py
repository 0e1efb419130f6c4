"""What is odd in a record but may be right: told to the person who types, never refused.

The rules read rows, stored or only typed, so that the form can ask before it saves. What they find
in a stored record is kept in its ``Digest`` for the worklists.
"""

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from types import SimpleNamespace
from typing import Any

from ..exports import Record
from ..models import Agreement, Participation, Relation, Source
from ..models.querysets import AgreementQuerySet
from ..rules import status
from ..rules.coverage import Commitment

#: Two signatures of the same parties this near may be one and the same.
NEAR = datetime.timedelta(days=31)
#: How much of two titles must be the same. "MOU 2012" and "MOU 2018" of one pair pass it.
SIMILAR = 0.9


@dataclass(frozen=True)
class Oddity:
    """One sentence, the place it is about (``signed_on``, ``milestones-2-date``) and, where it is
    about another record, that record. Two are the same if they say the same of the same."""

    sentence: str
    place: str = field(default="", compare=False)
    other: Agreement | None = None


#: Rows, each with its place: stored, as they were typed, or read from a record.
_Placed = Sequence[tuple[str, Any]]
_ROWS = ("participations", "sources", "provisions", "milestones", "relations", "outcomes")


@dataclass
class Told:
    """A record as stored or as typed: its own fields and its rows, each with its place."""

    agreement: Agreement
    participations: _Placed = ()
    sources: _Placed = ()
    provisions: _Placed = ()
    milestones: _Placed = ()
    relations: _Placed = ()
    outcomes: _Placed = ()


def oddities(told: Told, today: datetime.date) -> list[Oddity]:
    """Everything odd in the record, in the order of the form."""
    found = (
        likely_duplicates(told),
        odd_dates(told, today),
        facts_without_source(told),
    )
    return list(dict.fromkeys(oddity for rule in found for oddity in rule))


def odd_dates(told: Told, today: datetime.date) -> Iterator[Oddity]:
    """What ``status.odd_dates`` finds, each with its place."""
    signed = told.agreement.signed_on
    places = {id(row): place for place, row in told.milestones}
    for odd in status.odd_dates(today, signed, [row for _, row in told.milestones]):
        row = odd.milestone
        yield Oddity(odd.sentence, odd.field if row is None else f"{places[id(row)]}-{odd.field}")


def facts_without_source(told: Told) -> Iterator[Oddity]:
    """Provisions, milestones and outcomes that rest on no source. An intention is easily
    overstated: it needs the words as well as the source they are from."""
    for place, row in told.provisions:
        if row.commitment == Commitment.INTENDED and not (row.source and row.statement):
            yield Oddity(f"“{row}” is only intended and has no evidence.", f"{place}-source")
        elif not row.source:
            yield Oddity(f"“{row}” rests on no source.", f"{place}-source")
    for place, row in told.milestones:
        if not row.source:
            yield Oddity(f"“{row}” rests on no source.", f"{place}-source")
    for place, row in told.outcomes:
        if row.statement and not row.source:
            yield Oddity(
                f"The expected “{_short(row.statement)}” has no source.", f"{place}-source"
            )
        if row.reported and not row.reported_source:
            yield Oddity(
                f"The reported “{_short(row.reported)}” has no source.", f"{place}-reported_source"
            )


def unsourced(record: Record) -> bool:
    """Whether a record, as ``exports.recorded`` gives it, names no source at all or has one of the
    ``facts_without_source``."""
    rows = {name: [("", SimpleNamespace(**row)) for row in record[name]] for name in _ROWS}
    return not record["sources"] or any(facts_without_source(Told(Agreement(), **rows)))


def likely_duplicates(told: Told) -> Iterator[Oddity]:
    """Another record of the same parties, signed within a month or under a similar title; or one
    with the same source. Not one that this record is related to."""
    related: set[int] = {row.target_id for _, row in told.relations if row.target_id}
    own: set[int] = {pk for pk in (told.agreement.pk, told.agreement.revises_id) if pk}
    others = Agreement.objects.exclude(pk__in=own | related).exclude(revises__in=own)
    if told.agreement.pk:
        # Whichever of the two states the relation.
        others = others.exclude(pk__in=Relation.objects.filter(target__in=own).values("agreement"))
    agencies = {row.agency_id for _, row in told.participations}
    for other in _of_the_same_parties(others, agencies):
        if _near(told.agreement, other):
            yield Oddity("The same participants signed this about then:", "signed_on", other)
        elif _similar(told.agreement.title, other.title):
            yield Oddity("The same participants, a similar title:", "title", other)
    places = {spelling: place for place, row in told.sources for spelling in _spellings(row.url)}
    shared = Source.objects.filter(url__in=places, agreement__in=others).order_by("pk")
    for source in shared.select_related("agreement"):
        yield Oddity(
            "The same source, the same address:", f"{places[source.url]}-url", source.agreement
        )


def digest(found: Iterable[Oddity]) -> str:
    """What a person confirms: exactly these points and no others."""
    told = sorted(f"{each.sentence}|{each.other and each.other.pk}" for each in found)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _of_the_same_parties(others: AgreementQuerySet, agencies: set[int]) -> list[Agreement]:
    if len(agencies) < 2:
        return []
    sharing = Participation.objects.filter(agency=min(agencies)).values("agreement")
    parties: dict[int, set[int]] = {}
    taking_part = Participation.objects.filter(agreement__in=sharing).order_by()
    for agreement, agency in taking_part.values_list("agreement", "agency"):
        parties.setdefault(agreement, set()).add(agency)
    same = [agreement for agreement, members in parties.items() if members == agencies]
    return list(others.filter(pk__in=same).order_by("pk"))


def _near(one: Agreement, other: Agreement) -> bool:
    first, second = one.signed_on, other.signed_on
    if not first or not second:
        return False
    return first.earliest <= second.latest + NEAR and second.earliest <= first.latest + NEAR


def _similar(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= SIMILAR


def _spellings(url: str) -> set[str]:
    """The ways in which one address is written."""
    bare = url.partition("#")[0].rstrip("/").removeprefix("https://").removeprefix("http://")
    schemes, ends = ("https://", "http://"), ("", "/")
    return {f"{scheme}{bare}{end}" for scheme in schemes for end in ends} if bare else set()


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
