"""Status follows from dates; what is kept of it tells the same for every arrangement of them."""

import datetime
import hashlib
import io
import json
from itertools import combinations, count, pairwise

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from agreements.dates import PartialDate, to_partial_date
from agreements.models import Agreement, Edition, Milestone
from agreements.models.search import document_terms
from agreements.record import derive as deriving
from agreements.record.after_change import record_change
from agreements.rules.status import (
    MARKS,
    UNDATED_ALLOWED,
    WORKING,
    Event,
    MilestoneKind,
    Status,
    odd_dates,
    odd_until,
    rulings,
    standings,
    status_on,
)
from tests import make

TODAY = datetime.date(2026, 11, 24)


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


ONE_DAY = datetime.timedelta(days=1)


def looked_up(periods, day):
    """What the one period that holds on the day says."""
    (status,) = [
        period.status
        for period in periods
        if period.from_day <= day and (period.until_day is None or day < period.until_day)
    ]
    return status


def days_that_matter(signed_on, events):
    """Each first and last day that a date of these can mean, the day before and the day after."""
    dates = [to_partial_date(signed_on), *(e.date for e in events), *(e.until for e in events)]
    ends = {day for date in dates if date for day in (date.earliest, date.latest)}
    return {day + n * ONE_DAY for day in ends for n in (-1, 0, 1)} | {datetime.date.min, TODAY}


def assert_looked_up_is_the_rule(signed_on, events, days):
    periods = standings(to_partial_date(signed_on), events)
    begun = rulings(to_partial_date(signed_on), events)
    for day in days:
        ruling = told(day, signed_on, *events)
        assert looked_up(periods, day) == ruling.status, (day, events)
        (*_, (_, last)) = [each for each in begun if each[0] <= day]
        assert (last.status, last.because) == (ruling.status, ruling.because), (day, events)
    assert periods[0].from_day == datetime.date.min
    assert periods[-1].until_day is None
    for before, after in pairwise(periods):
        assert before.until_day == after.from_day
        assert before.status != after.status


def test_a_status_that_is_looked_up_is_that_of_the_rule_for_every_arrangement():
    for signed_on, events in ARRANGEMENTS:
        if len(events) < 3:
            assert_looked_up_is_the_rule(signed_on, events, days_that_matter(signed_on, events))


DATES = st.builds(
    lambda day, precision: PartialDate(*(day.year, day.month, day.day)[:precision]),
    st.dates(on("1850-01-01"), on("2199-12-31")) | st.dates(on("2009-11-01"), on("2012-02-01")),
    st.integers(1, 3),
)


@given(
    st.none() | DATES,
    st.lists(
        st.builds(
            Event, st.sampled_from(MilestoneKind.values), st.none() | DATES, st.none() | DATES
        ),
        max_size=8,
    ),
    st.lists(st.dates(), max_size=5),
)
def test_a_status_that_is_looked_up_is_that_of_the_rule_for_any_record(signed_on, events, days):
    days = days_that_matter(signed_on, events) | {*days}
    assert_looked_up_is_the_rule(signed_on, events, days)
    until = odd_until(signed_on, events) or datetime.date.min
    for day in days - {datetime.date.max}:
        assert any(odd_dates(day, signed_on, events)) == (day < until)


def test_of_a_record_without_anything_nothing_is_known_for_ever():
    assert standings(None, []) == [(Status.NOT_KNOWN, datetime.date.min, None)]


#: A digest of what is worked out of ``ARRANGEMENTS`` and of awkward texts, by ``derive.RULES``.
DERIVED = {3: "b5222d4eef5cfaadfb44721ae8f9bb4a9a5af3ee9d8c774df5ecf74c4ed139ac"}


def test_whoever_changes_what_is_derived_gives_the_rules_a_new_number():
    derived = [
        (str(from_day), ruling.status.value, ruling.because)
        for signed_on, events in ARRANGEMENTS
        for from_day, ruling in rulings(to_partial_date(signed_on), events)
    ]
    derived += [
        str(odd_until(to_partial_date(signed_on), events)) for signed_on, events in ARRANGEMENTS
    ]
    derived += [(term,) for text in make.AWKWARD for term in document_terms(text)]
    digest = hashlib.sha256(json.dumps(derived).encode()).hexdigest()
    assert DERIVED.get(deriving.RULES) == digest, (
        "What follows from a record has changed: raise derive.RULES, so that every database is "
        f"derived anew, and add the line with the new number and {digest!r} here."
    )


@pytest.mark.slow
@pytest.mark.database
@pytest.mark.django_db
def test_the_database_and_the_rule_tell_the_same_for_every_arrangement(empty_register):
    agreements = Agreement.objects.bulk_create(
        Agreement(slug=f"made-up-{n}", title="Made up", instrument_type="moc", signed_on=signed)
        for n, (signed, _) in enumerate(ARRANGEMENTS)
    )
    Milestone.objects.bulk_create(
        Milestone(agreement=agreement, kind=e.kind, date=e.date, until=e.until)
        for agreement, (_, events) in zip(agreements, ARRANGEMENTS, strict=True)
        for e in events
    )
    lives = Agreement.objects.prefetch_related("milestones")
    deriving.derive_standings({a.pk: (a.signed_on, a.milestones.all()) for a in lives})
    for day in days_that_matter(None, PALETTE) | {*DAYS}:
        looked_up = dict(Agreement.objects.with_status(day).values_list("pk", "status"))
        by_the_rule = {
            agreement.pk: told(day, signed, *events).status.value
            for agreement, (signed, events) in zip(agreements, ARRANGEMENTS, strict=True)
        }
        assert looked_up == by_the_rule


@pytest.mark.shipped
@pytest.mark.database
@pytest.mark.django_db
def test_the_database_and_the_rule_tell_the_same_for_the_real_register():
    agreements = list(Agreement.objects.prefetch_related("milestones"))
    for day in (on("2005-06-01"), on("2018-02-01"), TODAY):
        looked_up = dict(Agreement.objects.with_status(day).values_list("slug", "status"))
        assert looked_up == {a.slug: a.ruling_on(day).status.value for a in agreements}


# --- What is kept, and when it is worked out anew -----------------------------------------------
def kept(agreement):
    """The standings as the database has them."""
    rows = agreement.standings.order_by("from_day")
    return [(row.status, row.from_day, row.until_day) for row in rows]


def worked_out(agreement):
    """The standings as the rule has them now."""
    agreement = Agreement.objects.get(pk=agreement.pk)
    return standings(agreement.signed_on, agreement.milestones.all())


@pytest.mark.django_db
@pytest.mark.database
def test_a_changed_record_stands_as_its_new_dates_say():
    made = make.agreement(signed_on="2020", milestones=[("term_set", None, "2021")])
    made.milestones.create(kind="renewed", date="2022")
    changed = Agreement.objects.get(pk=made.pk)
    changed.signed_on = to_partial_date("2019-03")
    changed.save()
    assert kept(made) != worked_out(made)
    record_change([made.pk], reason="")
    assert kept(made) == worked_out(made)
    made.milestones.all().delete()
    record_change([made.pk], reason="")
    assert kept(made) == worked_out(made)


@pytest.mark.django_db
@pytest.mark.database
def test_only_standings_that_differ_are_written():
    made = make.agreement(signed_on="2020", milestones=[("term_set", None, "2021")])
    made.refresh_from_db()
    rows = list(made.standings.order_by("from_day").values_list("pk", flat=True))
    made.milestones.create(kind="terminated", date="2023")
    make.derived(made)
    assert list(made.standings.order_by("from_day").values_list("pk", flat=True))[:3] == rows
    with CaptureQueriesContext(connection) as queries:
        deriving.derive_standings({made.pk: (made.signed_on, made.milestones.all())})
    assert not [q for q in queries if not q["sql"].startswith("SELECT")]


@pytest.mark.django_db
@pytest.mark.database
def test_a_record_of_which_nothing_was_worked_out_has_no_status():
    made = make.agreement(signed_on="2020", milestones=[("term_set", None, "2021")])
    made.standings.all().delete()
    asked = Agreement.objects.filter(pk=made.pk)
    assert asked.with_status(TODAY).get().status is None
    assert not asked.with_status(TODAY).filter(status__in=Status.values).exists()
    assert not asked.lapsed_unrenewed(TODAY).exists()


def derive(*options):
    output = io.StringIO()
    call_command("derive", *options, stdout=output)
    return output.getvalue().splitlines()


@pytest.mark.django_db
@pytest.mark.database
def test_new_rules_are_applied_to_every_record_once(monkeypatch):
    total, draft = Agreement.objects.count(), make.agreement(state="draft", signed_on="2020")
    make.underived(draft)
    assert derive() == ["1 agreement derived."]
    assert kept(draft) == worked_out(draft)
    edition = Edition.of_all()
    assert derive() == ["0 agreements derived."]
    assert Edition.of_all() == edition
    monkeypatch.setattr(deriving, "RULES", deriving.RULES + 1)
    assert derive() == [f"{total + 1} agreements derived."]
    assert Edition.of_all() != edition
    assert derive() == ["0 agreements derived."]
    assert derive("--all") == [f"{total + 1} agreements derived."]


@pytest.mark.django_db
@pytest.mark.database
def test_a_run_that_was_stopped_goes_on_where_it_was(monkeypatch, empty_register):
    made = [make.agreement() for _ in range(5)]
    make.underived(*made)
    monkeypatch.setattr(deriving, "SEVERAL", 2)
    with monkeypatch.context() as patched:
        patched.setattr(deriving, "derive", stopping_after(1, deriving.derive))
        with pytest.raises(KeyboardInterrupt):
            derive()
    assert set(deriving.underived()) == set(made[2:])
    assert derive() == ["2 of 3 ...", "3 agreements derived."]


def stopping_after(times, function):
    calls = count()

    def stopped(*given):
        if next(calls) == times:
            raise KeyboardInterrupt
        return function(*given)

    return stopped


@pytest.mark.django_db
@pytest.mark.database
def test_the_check_of_the_database_says_what_is_not_worked_out_yet():
    assert run_checks(databases=["default"]) == []
    make.underived(make.agreement())
    (warning,) = run_checks(databases=["default"])
    assert warning.id == "agreements.W001"
    assert "manage.py derive" in warning.hint
    derive()
    assert run_checks(databases=["default"]) == []
