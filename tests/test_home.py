"""The front page counts what stands today, tells plans apart, and agrees with coverage."""

import csv
import io
import re
from itertools import cycle, product

import pytest
from django.http import QueryDict
from django.utils.html import strip_tags

from agreements.models import Agreement
from agreements.question import AgreementFilterSet
from agreements.rules.coverage import Depth, Stage
from tests import make

pytestmark = pytest.mark.django_db

RECOGNITION = {"depth": "recognition", "commitment": "agreed"}
PLANNED = {"depth": "recognition", "commitment": "intended"}


def figures(client):
    """(stage, depth or "") -> what stands and what is only intended there."""
    stages = client.get("/").context["stages"]
    return {
        (stage.value, depth.value if depth else ""): (stands, intended)
        for stage, cells in stages
        for depth, stands, intended in cells
    }


def numbers(client, depth="recognition"):
    return [figure.count for figure in figures(client)["manufacturing", depth]]


def listed(query):
    question = AgreementFilterSet(QueryDict(query), Agreement.objects.register())
    assert question.problems == {}
    return set(question.qs.values_list("slug", flat=True))


def words(client):
    return re.sub(r"\s+", " ", strip_tags(client.get("/").content.decode()))


def test_an_agreement_that_no_longer_stands_is_not_counted(client):
    before = numbers(client), numbers(client, "")
    for ending in ("suspended", "expired", "terminated", "superseded"):
        make.agreement(signed_on="2010", milestones=[(ending, "2012")], provisions=[RECOGNITION])
    make.agreement(provisions=[RECOGNITION, PLANNED])
    assert (numbers(client), numbers(client, "")) == before


@pytest.mark.parametrize(
    "dated",
    [
        {"signed_on": "2010"},
        {"milestones": [("provisionally_applied", "2011")]},
        {"milestones": [("entered_into_force", "2011")]},
    ],
)
def test_what_is_signed_provisionally_applied_or_in_effect_is_counted(client, dated):
    stands, intended = numbers(client)
    make.agreement(provisions=[RECOGNITION], **dated)
    assert numbers(client) == [stands + 1, intended]


def test_what_is_only_intended_has_a_number_of_its_own_with_the_word_beside_it(client):
    (stands, intended), (all_stand, all_intended) = numbers(client), numbers(client, "")
    make.agreement(signed_on="2010", provisions=[PLANNED])
    assert numbers(client) == [stands, intended + 1]
    assert numbers(client, "") == [all_stand, all_intended + 1]
    assert f"{intended + 1} intended at manufacturing, recognition" in words(client)


def test_what_stands_and_states_no_stage_is_counted_beside_the_table(client):
    def without_stage():
        return client.get("/").context["without_stage"].count

    before = without_stage()
    make.agreement(signed_on="2010")
    assert without_stage() == before + 1
    make.agreement(signed_on="2010", milestones=[("terminated", "2012")])
    assert without_stage() == before + 1


def test_every_figure_is_the_length_of_its_list_those_of_nought_too(client):
    response = client.get("/")
    told = figures(client)
    assert len(told) == len(Stage) * (1 + len(Depth))
    shown = [figure for pair in told.values() for figure in pair]
    for figure in [*shown, response.context["standing"], response.context["without_stage"]]:
        assert figure.count == len(listed(figure.query))


def test_the_table_and_coverage_count_the_same_agreements(client, empty_register):
    """Of all agencies together, coverage counts at a stage what the front page counts there."""
    agencies = [make.agency(jurisdiction=place) for place in ("FJ", "TO", "WS")]
    lives = product(
        [{"signed_on": "2010"}, {"signed_on": "2199"}, {}],
        [[], [("entered_into_force", "2011")], [("suspended", "2012")]],
        ["gmp-inspection-reliance", "product-review-cooperation"],
        [RECOGNITION, PLANNED, {"commitment": "excluded"}],
    )
    for (signed, milestones, area, terms), sides in zip(lives, cycle([agencies, agencies[1:]])):
        provisions = [terms | {"area": area}]
        make.agreement(participants=sides, milestones=milestones, provisions=provisions, **signed)
    counted = {stage: set() for stage in Stage}
    for agency in agencies:
        content = client.get(f"/coverage.csv?agency={agency.key}").content.decode("utf-8-sig")
        for row in csv.DictReader(io.StringIO(content, newline="")):
            for stage in Stage:
                ids = row[f"{stage.value}_agreement_ids"]
                counted[stage] |= set(filter(None, ids.split(" | ")))
    told = figures(client)
    assert counted == {
        stage: {slug for figure in told[stage.value, ""] for slug in listed(figure.query)}
        for stage in Stage
    }
    assert counted[Stage.MANUFACTURING]
