"""The engine answers as the rules do, record by record, and counts what choosing a value gives."""

import datetime
import json

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agreements.exports import register_document
from agreements.models import Agency, Agreement, Edition, Participation
from agreements.models.querysets import PublicationState
from agreements.question import AgreementFilterSet
from agreements.rules.jurisdictions import eu_members
from tests import make, oracle

pytestmark = [pytest.mark.django_db, pytest.mark.database]

#: What is asked of a filter that offers no choices.
TYPED = {
    "q": ["HSA", "memorandum", "厚生", "GMP inspection", "nothingatall"],
    "signed_after": ["2000", "2010-05"],
    "signed_before": ["2020", "2012-06-30"],
    "as_of": ["2011-01-01", "2019-06-30", "2026-06-01"],
    "updated_since": ["2020-01-01", "2030-01-01T00:00:00+08:00"],
}


def ask(pairs):
    query = QueryDict(mutable=True)
    for name, value in pairs:
        query.appendlist(name, value)
    question = AgreementFilterSet(query, Agreement.objects.register())
    assert question.problems == {}
    return question


def by_the_rules(pairs):
    return oracle.answer(ask(pairs))


def offered(name):
    """Every value of a filter, or some that can be typed."""
    choices = getattr(ask([]).form.fields[name], "choices", ())
    return [value for value, _ in choices if value] or TYPED[name]


@st.composite
def questions(draw):
    several = ask([])._several
    pairs = []
    names = sorted(AgreementFilterSet.base_filters)
    for name in draw(st.lists(st.sampled_from(names), max_size=5, unique=True)):
        values = st.sampled_from(offered(name))
        most = 3 if name in several else 1
        pairs += [
            (name, value)
            for value in draw(st.lists(values, min_size=1, max_size=most, unique=True))
        ]
    return pairs


def the_same_agreements_in_the_same_order(pairs):
    ids = ask(pairs).ids
    assert list(ids) == by_the_rules(pairs)
    assert len(ids) == len(list(ids))
    assert ids[1:4] == list(ids)[1:4]


def a_count_is_what_choosing_the_value_gives(pairs, random):
    name = random.choice(sorted(ask([]).counts))
    counts = ask(pairs).counts[name]
    value = random.choice(offered(name))
    every = name == "participant" and ("participant_match", "all") in pairs
    others = [pair for pair in pairs if pair[0] != name or every]
    found = set(by_the_rules([*dict.fromkeys([*others, (name, value)])]))
    assert counts.get(value, 0) == len(found)


class EngineAnswersAsTheRulesDo(TestCase):
    @settings(max_examples=40)
    @given(questions())
    def test_the_same_agreements_in_the_same_order(self, pairs):
        the_same_agreements_in_the_same_order(pairs)

    @settings(max_examples=15)
    @given(questions(), st.randoms(use_true_random=False))
    def test_a_count_is_what_choosing_the_value_gives(self, pairs, random):
        a_count_is_what_choosing_the_value_gives(pairs, random)


@pytest.mark.slow
@pytest.mark.shipped
class EngineAnswersAsTheRulesDoOfTheShippedRegister(TestCase):
    @settings(max_examples=150)
    @given(questions())
    def test_the_same_agreements_in_the_same_order(self, pairs):
        the_same_agreements_in_the_same_order(pairs)

    @settings(max_examples=40)
    @given(questions(), st.randoms(use_true_random=False))
    def test_a_count_is_what_choosing_the_value_gives(self, pairs, random):
        a_count_is_what_choosing_the_value_gives(pairs, random)


def test_the_parts_of_a_facet_with_one_value_each_sum_to_the_whole(client):
    for pairs in ([], [("stage", "manufacturing")], [("as_of", "2011-01-01")], [("q", "HSA")]):
        question = ask(pairs)
        for facet in ("type", "status"):
            assert sum(question.counts[facet].values()) == len(question.ids)


def test_every_change_begins_a_new_edition(admin_client):
    """By form, import, agency, vocabulary, deletion of a draft's rows included."""
    before = {Edition.current()}
    document = json.loads("".join(register_document(Agreement.objects.register())))
    document["agreements"][0]["summary"] = "Made-up summary."
    make.import_register(document, reason="made", name="test")
    before.add(Edition.current())
    assert len(before) == 2
    agency = Agency.objects.get(key="hsa")
    empty = {f"names-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
    data = {"name": "Made-up", "jurisdiction": "SG", "kind": "regulator"} | empty
    data["lock_version"] = make.version(agency)
    response = admin_client.post(f"/admin/agreements/agency/{agency.pk}/change/", data)
    assert response.status_code == 302
    before.add(Edition.current())
    assert len(before) == 3
    assert "Made-up" in admin_client.get("/agreements/?expand=participant").content.decode()


def test_what_is_withdrawn_is_gone_from_the_list_at_once(client):
    made = make.agreement(title="Zyxwvut")
    assert made.title in client.get("/agreements/?sort=changed").content.decode()
    Agreement.objects.filter(pk=made.pk).update(state=PublicationState.WITHDRAWN)
    # Even if a path forgot the new edition: pages fetch through register().
    assert made.title not in client.get("/agreements/?sort=changed").content.decode()
    Edition.renew()
    assert made.pk not in ask([]).ids


def test_a_change_that_was_rolled_back_leaves_nothing_in_memory(db):
    from django.db import transaction

    count = len(ask([]).ids)
    with transaction.atomic():
        make.agreement()
        assert len(ask([]).ids) == count + 1
        transaction.set_rollback(True)
    make.agreement()
    make.agreement()
    assert len(ask([]).ids) == count + 2


def test_a_member_of_the_union_counts_as_the_union_on_the_days_of_its_membership():
    british = make.agency(jurisdiction="GB")
    made = make.agreement(participants=[british], signed_on="1990")
    yes = [("country", "EU"), ("eu_members", "yes")]
    assert made.pk not in by_the_rules(yes)
    assert made.pk in by_the_rules([*yes, ("as_of", "2020-01-31")])
    assert made.pk not in by_the_rules([*yes, ("as_of", "2020-02-01")])
    assert made.pk not in by_the_rules([("country", "EU"), ("as_of", "2020-01-31")])


def test_all_of_several_participants():
    one, two, three = make.agency(), make.agency(), make.agency()
    both = make.agreement(participants=[one, two])
    make.agreement(participants=[one, three])
    pairs = [("participant", one.key), ("participant", two.key), ("participant_match", "all")]
    assert list(ask(pairs).ids) == [both.pk]


def test_a_list_narrowed_by_an_agency_that_left_follows_the_day():
    agency = make.agency()
    made = make.agreement(participants=[agency], signed_on="2000")
    Participation.objects.get(agreement=made).delete()
    row = Participation(agreement=made, agency=agency, joined_on="2005", left_on="2010-06")
    row.save()
    make.derived(made)
    for day, stands in [("2005-06-01", False), ("2006-01-01", True), ("2010-06-01", False)]:
        pairs = [("participant", agency.key), ("as_of", day)]
        assert (made.pk in ask(pairs).ids) is stands is (made.pk in by_the_rules(pairs))


def test_the_union_grew_and_shrank_as_its_treaties_say():
    sizes = {1958: 6, 1973: 9, 1981: 10, 1986: 12, 1995: 15, 2005: 25, 2007: 27, 2014: 28, 2021: 27}
    assert {year: len(eu_members(datetime.date(year, 6, 1))) for year in sizes} == sizes


@pytest.mark.shipped
@pytest.mark.parametrize("facet", AgreementFilterSet.OPEN_FACETS)
@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("stage", "registration")],
        [("product", "cosmetics"), ("signed_before", "1990")],
        [("participant", "gov-tz"), ("participant", "hsa"), ("status", "suspended")],
    ],
)
def test_so_many_values_are_said_to_be_hidden_as_the_whole_facet_shows_besides(facet, pairs):
    """A provision that names no product is no value, and a value that was chosen is shown even
    where it has no agreement."""
    query = QueryDict(mutable=True)
    for name, value in [*pairs, ("expand", facet)]:
        query.appendlist(name, value)
    whole = AgreementFilterSet(query, Agreement.objects.register(), "expand")
    shown = ask(pairs).choices(facet)
    assert ask(pairs).hidden(facet) == len(whole.choices(facet)) - len(shown)
    assert whole.hidden(facet) == 0
    assert {each.value for each in shown} <= {each.value for each in whole.choices(facet)}


def test_bodies_that_belong_to_an_agency_stand_by_name(client):
    above = make.agency(name="Made-up Ministry")
    for name in ("Made-up Section B", "Made-up Section C", "Made-up Section A"):
        make.agreement(participants=[make.agency(name=name, parent=above)])
    below = client.get(above.get_absolute_url()).context["below"]
    assert [each.name[-1] for each in below] == ["A", "B", "C"]
