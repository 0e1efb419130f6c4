"""Status follows from dates; Python and SQL tell the same for every arrangement of them."""

import datetime
from dataclasses import dataclass
from itertools import combinations

import pytest

from agreements.dates import PartialDate, to_partial_date
from agreements.models import Agreement, Milestone
from agreements.status import (
    MARKS,
    UNDATED_ALLOWED,
    WORKING,
    MilestoneKind,
    Status,
    status_on,
)

TODAY = datetime.date(2026, 11, 24)


@dataclass(frozen=True)
class Event:
    kind: str
    date: PartialDate | None = None
    until: PartialDate | None = None


def event(kind, date=None, until=None):
    return Event(kind, to_partial_date(date), to_partial_date(until))


def told(day, signed_on=None, *events):
    return status_on(day, to_partial_date(signed_on), events)


def on(text):
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("signed_on", "events", "day", "status"),
    [
        (None, [], "2026-01-01", Status.NOT_KNOWN),
        (None, [("announced", "2003-06-18")], "2026-01-01", Status.NOT_KNOWN),
        ("2026-04-20", [("announced", "2026-04-21")], "2026-11-24", Status.SIGNED),
        ("2026-04-20", [], "2026-04-19", Status.NOT_KNOWN),
        (None, [("proposed", "2008-04-16")], "2026-01-01", Status.UNDER_NEGOTIATION),
        ("2024-02-26", [("entered_into_force", "2024-05")], "2024-05-15", Status.SIGNED),
        ("2024-02-26", [("entered_into_force", "2024-05")], "2024-05-31", Status.IN_EFFECT),
        (None, [("provisionally_applied", "2017-09")], "2020-01-01", Status.PROVISIONALLY_APPLIED),
        (
            None,
            [("provisionally_applied", "2017"), ("entered_into_force", "2021")],
            "2022-01-01",
            Status.IN_EFFECT,
        ),
        (None, [("in_operation", "2003"), ("suspended", "2017")], "2017-01-01", Status.SUSPENDED),
        (
            "2003-12-10",
            [("suspended", "2007-07-16"), ("resumed", "2011-06-20")],
            "2012-01-01",
            Status.SIGNED,
        ),
        (
            "2003-12-10",
            [("suspended", "2007-07-16"), ("resumed", "2011"), ("abandoned", "2014-11-20")],
            "2014-11-20",
            Status.TERMINATED,
        ),
        ("2013-02-02", [("term_set", None, "2018-02")], "2018-02-01", Status.SIGNED),
        ("2013-02-02", [("term_set", None, "2018-02")], "2018-02-02", Status.TERM_LAPSED),
        (
            "2013-02-02",
            [("term_set", None, "2018-02"), ("renewed", "2018-01", "2023-01")],
            "2020-01-01",
            Status.SIGNED,
        ),
        (
            "2003",
            [("in_operation", "2003", "2010"), ("renewed", "2010")],
            "2026-01-01",
            Status.IN_EFFECT,
        ),
        ("2007-02-02", [("expired", None)], "2026-01-01", Status.EXPIRED),
        ("2007-02-02", [("expired", None)], "2007-02-01", Status.NOT_KNOWN),
        (
            "2012-03-28",
            [("expired", "2022-03-28"), ("renewed", "2024-05")],
            "2025-01-01",
            Status.SIGNED,
        ),
        (
            None,
            [("entered_into_force", "2003"), ("superseded", "2017")],
            "2020-01-01",
            Status.SUPERSEDED,
        ),
    ],
)
def test_the_rule(signed_on, events, day, status):
    ruling = told(on(day), signed_on, *(event(*e) for e in events))
    assert ruling.status == status
    assert ruling.because.endswith(".")


def test_the_working_names_the_fact_that_decided():
    in_force = event("entered_into_force", "2023-07-27")
    ruling = told(TODAY, "2023-01-12", in_force, event("announced", "2023-01-20"))
    assert ruling.milestone is in_force
    assert ruling.because == "In effect because it entered into force on 27 July 2023."
    assert "No date of effect is stated" in told(TODAY, "2026-04-20").because


PRECISIONS = [
    ("2010-05-13", "on 13 May 2010", False),
    ("2010-05", "in May 2010", True),
    ("2010", "in 2010", True),
    (None, "on a day that is not stated", False),
]


@pytest.mark.parametrize(
    ("kind", "date", "when", "caveat"),
    [
        (kind, *precision)
        for kind in WORKING
        for precision in PRECISIONS
        if precision[0] or kind in UNDATED_ALLOWED
    ],
)
def test_the_working_is_a_sentence_for_every_deciding_kind_and_precision(kind, date, when, caveat):
    ruling = told(TODAY, None, event(kind, date))
    label = ruling.status.label
    working, _, rest = ruling.because.partition(".")
    assert working in {f"{label} {words.format(when=when)}" for words in WORKING.values()}
    assert when in working
    assert bool(rest) is caveat
    assert rest.startswith(" The day is not stated") or not rest


def test_the_working_of_each_way_a_record_can_stand():
    def because(signed_on, *events, day=TODAY):
        return told(day, signed_on, *(event(*e) for e in events)).because

    assert because("2003", ("suspended", "2007-07-16")) == "Suspended on 16 July 2007."
    assert because("2003", ("expired", None)) == "Expired on a day that is not stated."
    assert because(None, ("proposed", "2008-04-16")) == (
        "Under negotiation because it was proposed on 16 April 2008."
    )
    assert because("2003-12-10", ("abandoned", "2014-11-20")) == (
        "Terminated because it was abandoned on 20 November 2014, before it took effect."
    )
    assert because("2013-02-02", ("term_set", None, "2018-02-02")) == (
        "Term lapsed – renewal not confirmed because no renewal is recorded after the stated term, "
        "which ended on 2 February 2018."
    )
    assert because("2026-04-20") == "Signed on 20 April 2026. No date of effect is stated."
    assert because(None).startswith("Not known because no date of signature or of effect")


def test_before_its_effect_counts_a_signed_agreement_does_not_say_that_no_date_is_stated():
    ruling = told(on("2024-05-15"), "2024-02-26", event("entered_into_force", "2024-05"))
    assert ruling.because == "Signed on 26 February 2024. Its effect counts from a later day."


def test_every_kind_that_can_decide_has_its_words():
    undoing = MARKS["renewed"] | MARKS["resumed"]
    assert set(WORKING) == set().union(*MARKS.values()) - undoing


def test_effect_before_signature_is_odd_and_is_told_as_it_is():
    assert told(
        on("2001-01-01"), "2001-04-04", event("entered_into_force", "2001-01-01")
    ).status == (Status.IN_EFFECT)


def test_every_status_and_every_deciding_kind_is_reached_by_some_arrangement():
    reached = {told(day, signed, *events).status for signed, events in ARRANGEMENTS for day in DAYS}
    assert reached == set(Status)
    assert {e.kind for e in PALETTE} >= set().union(*MARKS.values()) | {MilestoneKind.TERM_SET}


PALETTE = [
    event("proposed", "2008"),
    event("negotiation_opened", "2009-03"),
    event("announced", "2010-01"),
    event("provisionally_applied", "2010-02"),
    event("provisionally_applied", "2010-02", "2011"),
    event("entered_into_force", "2010"),
    event("entered_into_force", "2010-06-15", "2012-06-15"),
    event("in_operation", "2009-12-31", "2010-06"),
    event("reported_in_effect", "2012-02"),
    event("term_set", None, "2011"),
    event("term_set", "2010-03", "2012-06"),
    event("renewed", "2012"),
    event("renewed", "2011-06", "2012-12"),
    event("suspended", "2010"),
    event("suspended", None),
    event("resumed", "2010"),
    event("resumed", "2012-06-15"),
    event("expired", "2012-06"),
    event("expired", None),
    event("superseded", "2012-06-15"),
    event("superseded", None),
    event("terminated", "2012"),
    event("abandoned", "2010-12"),
]
SIGNATURES = [None, "2010", "2010-06-15"]
ARRANGEMENTS = [
    (signed, chosen)
    for signed in SIGNATURES
    for size in range(4)
    for chosen in combinations(PALETTE, size)
]
DAYS = [
    on("2007-12-31"),
    on("2010-01-01"),
    on("2010-06-15"),
    on("2010-12-31"),
    on("2012-06-15"),
    on("2013-01-01"),
]


@pytest.mark.slow
@pytest.mark.database
@pytest.mark.django_db
def test_python_and_sql_tell_the_same_for_every_arrangement(empty_register):
    agreements = Agreement.objects.bulk_create(
        Agreement(slug=f"made-up-{n}", title="Made up", instrument_type="moc", signed_on=signed)
        for n, (signed, _) in enumerate(ARRANGEMENTS)
    )
    Milestone.objects.bulk_create(
        Milestone(agreement=agreement, kind=e.kind, date=e.date, until=e.until)
        for agreement, (_, events) in zip(agreements, ARRANGEMENTS, strict=True)
        for e in events
    )
    for day in DAYS:
        by_sql = dict(Agreement.objects.with_status(day).values_list("pk", "status"))
        by_python = {
            agreement.pk: told(day, signed, *events).status.value
            for agreement, (signed, events) in zip(agreements, ARRANGEMENTS, strict=True)
        }
        assert by_sql == by_python


@pytest.mark.shipped
@pytest.mark.database
@pytest.mark.django_db
def test_python_and_sql_tell_the_same_for_the_real_register():
    for day in (on("2005-06-01"), on("2018-02-01"), TODAY):
        by_sql = dict(Agreement.objects.with_status(day).values_list("slug", "status"))
        by_python = {
            a.slug: a.ruling_on(day).status.value
            for a in Agreement.objects.prefetch_related("milestones")
        }
        assert by_sql == by_python
