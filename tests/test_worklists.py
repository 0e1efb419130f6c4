"""The worklists: each count is the length of the list behind it, and each list is what it says."""

import datetime
import itertools

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from agreements.admin.worklists import WORKLISTS, counted_for
from agreements.models import Agreement
from agreements.record.oddities import facts_without_source, oddities
from agreements.rules.coverage import Commitment
from agreements.rules.status import MilestoneKind, odd_dates, term_ending
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.database]
LIST = "/admin/agreements/agreement/"
TODAY = datetime.date(2026, 11, 24)


def staff(users, name, *roles):
    person = users.objects.create_user(name, is_staff=True)
    person.groups.set(Group.objects.filter(name__in=roles))
    return person


@pytest.fixture
def publisher(django_user_model):
    return staff(django_user_model, "made-up-publisher", "publisher")


def in_days(days):
    return (timezone.localdate() + datetime.timedelta(days=days)).isoformat()


def something_for_each_list(person, other):
    """Made-up records, at least one for each worklist of this person, and their keys by list."""
    source = {"number": 1, "url": "https://example.org/"}

    def sourced(**fields):
        made = make.agreement(**fields)
        make.source(made, **source)
        made.milestones.update(source=made.sources.get())
        return made

    draft = sourced(state="draft", owner=person)
    public = sourced()
    copy = sourced(state="in_review", revises=public, last_edited_by=person)
    review = sourced(state="in_review", last_edited_by=other)
    orphan = sourced(state="in_review")
    unchecked = sourced(unchecked_because="Nobody else was there.")
    lapsing = sourced(signed_on="2020", milestones=[("term_set", None, in_days(90))])
    sourced(signed_on="2020", milestones=[("term_set", None, in_days(91))])
    lapsed = sourced(signed_on="2020", milestones=[("term_set", None, in_days(-1))])
    dead = sourced()
    dead.sources.update(reachable=False)
    bare = make.agreement()
    odd = sourced(signed_on="2020", milestones=[("entered_into_force", "2019")])
    future = sourced(signed_on=in_days(1))
    withdrawn = make.agreement(
        state="withdrawn", withdrawal_kind="by_parties", withdrawal_reason="x"
    )
    withdrawn.milestones.create(kind="term_set", until=in_days(-1))
    make.derived(*Agreement.objects.all())
    return {
        "my-drafts": {draft.pk, copy.pk},
        "awaiting-my-review": {review.pk, orphan.pk},
        "unchecked": {unchecked.pk},
        "lapsing": {lapsing.pk},
        "lapsed": {lapsed.pk},
        "unreachable": {dead.pk},
        "unsourced": {bare.pk},
        "odd-dates": {odd.pk, future.pk},
    }


@pytest.mark.usefixtures("empty_register")
def test_each_list_holds_exactly_what_it_says_and_its_count_is_its_length(
    client, publisher, django_user_model
):
    expected = something_for_each_list(publisher, staff(django_user_model, "made-up-other"))
    assert set(expected) == {worklist.name for worklist in WORKLISTS}
    client.force_login(publisher)
    front = client.get("/admin/").content.decode()
    for worklist, count in counted_for(publisher, timezone.localdate()):
        shown = client.get(LIST, {"worklist": worklist.name}).context["cl"]
        assert {row.pk for row in shown.result_list} == expected[worklist.name], worklist.name
        assert shown.result_count == count == len(expected[worklist.name])
        link = f'<a href="{LIST}?worklist={worklist.name}">{worklist.title}</a>:'
        assert f"{link} <strong>{count}</strong>" in " ".join(front.split())


def test_the_counts_of_the_shipped_register_are_the_lengths_of_the_lists(client, publisher):
    client.force_login(publisher)
    for worklist, count in counted_for(publisher, timezone.localdate()):
        shown = client.get(LIST, {"worklist": worklist.name, "all": ""}).context["cl"]
        assert shown.result_count == count, worklist.name


@pytest.mark.usefixtures("empty_register")
def test_nothing_to_do_is_shown_as_a_plain_zero(client, publisher):
    client.force_login(publisher)
    assert client.get("/admin/").content.decode().count("<strong>0</strong>") == len(WORKLISTS)


@pytest.mark.parametrize(
    ("roles", "lists"),
    [
        ([], 0),
        (["viewer"], 0),
        (["editor"], len(WORKLISTS) - 2),
        (["publisher"], len(WORKLISTS)),
        (["administrator"], len(WORKLISTS)),
    ],
)
def test_everybody_is_shown_the_lists_on_which_they_can_act(
    client, django_user_model, roles, lists
):
    client.force_login(staff(django_user_model, "made-up-person", *roles))
    assert client.get("/admin/").content.decode().count("?worklist=") == lists


@pytest.mark.parametrize("name", ["awaiting-my-review", "nonsense", "", "9" * 18])
@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_a_list_that_is_not_ones_own_is_empty_with_a_message_and_never_the_whole_register(
    client, django_user_model, role, name
):
    client.force_login(staff(django_user_model, "made-up-person", role))
    response = client.get(LIST, {"worklist": name})
    assert response.status_code == 200
    assert response.context["cl"].result_count == 0
    assert [str(m) for m in response.context["messages"]] == [
        "Worklist: there is none of this name that you can act on."
    ]


def test_a_working_copy_is_not_counted_beside_the_record_it_revises():
    public = make.agreement(signed_on="2020", milestones=[("entered_into_force", "2019")])
    copy = make.agreement(state="draft", revises=public, signed_on="2020")
    copy.milestones.create(kind="entered_into_force", date="2019")
    make.derived(public, copy)
    kept = Agreement.objects.kept()
    for question in (kept.odd_dates(TODAY), kept.facts_without_source()):
        assert public in question
        assert copy not in question


@pytest.mark.usefixtures("empty_register")
def test_the_worklist_counts_the_facts_without_a_source_of_which_the_form_warns():
    def sourced(**fields):
        made = make.agreement(**fields)
        return made, make.source(made)

    for has_source, text in itertools.product((True, False), ("Made up.", "")):
        for commitment in Commitment.values:
            made, source = sourced(provisions=[{"commitment": commitment, "statement": text}])
            made.provisions.update(source=source if has_source else None)
        made, source = sourced()
        made.milestones.create(kind="announced", date="2020", source=source if has_source else None)
        for reported, reported_source in (("", None), ("Made up.", None), ("Made up.", "source")):
            if text or reported:
                made, source = sourced()
                made.outcomes.create(
                    statement=text,
                    source=source if has_source else None,
                    reported=reported,
                    reported_source=reported_source and source,
                )
    everything = set(Agreement.objects.with_related())
    make.derived(*everything)
    found = {each for each in everything if list(facts_without_source(make.told(each)))}
    assert set(Agreement.objects.facts_without_source()) == found
    assert set() < found < everything
    bare = make.agreement()
    make.derived(bare)
    assert bare in Agreement.objects.facts_without_source(), "it names no source at all"


EVENTS = [
    ("entered_into_force", "2019-12"),
    ("entered_into_force", "2020-05", "2026-12"),
    ("term_set", None, "2026-11-24"),
    ("term_set", None, "2027"),
    ("term_set", None, "2027-02-22"),
    ("term_set", None, "2027-02-23"),
    ("term_set", None, "2026-11-23"),
    ("renewed", "2026-12-01"),
    ("renewed", "2020-01", "2027-01"),
    ("renewed", "2026", "2026-11-30"),
    ("terminated", "2026-12-24"),
    ("suspended", "2020"),
    ("expired", "2019"),
    ("announced", "2019"),
    ("term_set", None, "2020-04"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("empty_register")
@pytest.mark.parametrize("signed_on", [None, "2020", "2020-05-13", "2026-11", "2026-11-25", "2027"])
def test_the_lists_hold_the_terms_and_the_odd_dates_that_the_rules_find(signed_on):
    for size in (0, 1, 2):
        for events in itertools.combinations(EVENTS, size):
            make.agreement(signed_on=signed_on, milestones=events)
    everything = list(Agreement.objects.prefetch_related("milestones"))
    make.derived(*everything)
    for days in (0, 90):
        assert set(Agreement.objects.lapsing(TODAY, days)) == {
            a for a in everything if term_ending(TODAY, days, a.signed_on, a.milestones.all())
        }
    assert set(Agreement.objects.odd_dates(TODAY)) == {
        a for a in everything if list(odd_dates(TODAY, a.signed_on, a.milestones.all()))
    }


def test_what_is_odd_is_said_in_a_sentence():
    made = make.agreement(signed_on="2027-01", milestones=[("entered_into_force", "2026")])
    made.refresh_from_db()
    found = oddities(make.told(made), TODAY)
    assert [odd.sentence for odd in found if "source" not in odd.sentence] == [
        "The date of signature, January 2027, is in the future.",
        f"{MilestoneKind.ENTERED_INTO_FORCE.label} (2026) comes before the signature "
        "(January 2027).",
    ]


def many_agreements(number):
    """So many made-up agreements with what a row of the change list reads."""
    parties = [make.agency(), make.agency()]
    for _ in range(number):
        make.agreement(
            signed_on="2020",
            participants=parties,
            provisions=[{}],
            milestones=[("term_set", None, "2026-12")],
        )
    make.derived(*Agreement.objects.all())


@pytest.mark.parametrize(
    "question", ["", "?worklist=lapsing", "?worklist=unsourced", "?q=made-up&status_today=signed"]
)
def test_the_front_page_and_the_change_list_ask_at_most_twelve_queries(
    client, publisher, django_assert_max_num_queries, question
):
    many_agreements(60)
    client.force_login(publisher)
    for address in ("/admin/", LIST + question):
        with django_assert_max_num_queries(12):
            assert client.get(address).status_code == 200


@pytest.mark.usefixtures("empty_register")
def test_a_row_of_the_change_list_says_its_state_and_whether_it_is_being_revised(client, publisher):
    public = make.agreement(short_title="Made-up record", last_edited_by=publisher)
    make.agreement(short_title="Made-up copy", state="draft", revises=public)
    client.force_login(publisher)
    page = client.get(reverse("admin:agreements_agreement_changelist")).content.decode()
    assert "Published, a working copy is open" in page
    assert "Draft: working copy of a published record" in page
    assert "made-up-publisher" in page
