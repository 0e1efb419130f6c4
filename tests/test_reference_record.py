"""The record the register grew out of comes out perfect, and so do the hard ones."""

import re

import pytest
from django.utils.html import strip_tags

pytestmark = pytest.mark.django_db


def page(client, slug, query=""):
    response = client.get(f"/agreements/{slug}/{query}")
    assert response.status_code == 200
    return response


def words(response):
    return re.sub(r"\s+", " ", strip_tags(response.content.decode())).replace("&amp;", "&")


@pytest.fixture
def reference_page(client):
    return page(client, "hsa-mhlw-moc-2026")


def test_what_it_is_and_who_takes_part(reference_page):
    text = words(reference_page)
    assert "Memorandum of Cooperation" in text
    participants = reference_page.context["agreement"].participations.all()
    assert [(p.agency.short_name, p.agency.jurisdiction.name) for p in participants] == [
        ("HSA", "Singapore"),
        ("MHLW", "Japan"),
    ]
    assert "20 April 2026" in text
    assert "Tokyo" in text
    assert "21 April 2026" in text


def test_its_people(reference_page):
    text = words(reference_page)
    people = reference_page.context["people"]
    named = {capacity: [str(person) for person in persons] for capacity, persons in people}
    assert named == {
        "signed": ["Adjunct Professor (Dr) Raymond Chua", "Mr Naoki Miyamoto"],
        "present": ["Dr Yasuhiro Fujiwara", "Dr Daisaku Sato"],
    }
    assert "Director-General of the Pharmaceutical Safety Bureau" in text
    assert "Chief Executive Officer" in text


def test_its_status(reference_page):
    assert reference_page.context["ruling"].status == "signed"
    assert "No date of effect is stated." in words(reference_page)


def test_its_coverage(reference_page):
    grid = reference_page.context["grid"]
    assert grid.products == ("medicines", "ctgtp", "medical-devices")
    shown = {row.stage.value: [str(cell) for cell in row.cells] for row in grid.rows}
    general = ["Dialogue, agreed"] * 3
    assert shown == {
        "clinical_trials_review": general,
        "product_review": general,
        "registration": general,
        "manufacturing": ["Reliance, intended; Dialogue, agreed", *general[1:]],
        "post_market_oversight": general,
    }
    for row in grid.rows:
        for provision in row.whole.provisions:
            assert provision.source.number == 1
            assert provision.locator
    areas = {provision.area.code for provision in grid.cross_cutting}
    assert {"emerging-technology", "joint-programmes"} <= areas


def test_its_expected_outcomes(reference_page):
    text = words(reference_page)
    outcomes = reference_page.context["agreement"].outcomes.all()
    assert [(o.qualifier, f"{o.figure.normalize():f}", o.reported) for o in outcomes] == [
        ("average of", "3", ""),
        ("up to", "6", ""),
    ]
    assert re.search(r"average of 3\b", text, re.I)
    assert re.search(r"up to 6\b", text, re.I)


def test_its_lineage_is_told_from_both_sides(client, reference_page):
    relations = reference_page.context["agreement"].public_relations
    assert {(r.kind, r.target.slug) for r in relations} == {
        ("builds_on", "jsepa-2002"),
        ("builds_on", "hsa-mhlw-pmda-information-exchange-2010"),
    }
    older = page(client, "hsa-mhlw-pmda-information-exchange-2010")
    assert "Built on by" in words(older)
    parties = [p.agency.key for p in older.context["agreement"].participations.all()]
    assert parties == ["hsa", "mhlw", "pmda"]


@pytest.mark.shipped
@pytest.mark.parametrize(
    ("slug", "status"),
    [
        ("hsa-mhlw-pmda-information-exchange-2010", "in_effect"),
        ("jsepa-2002", "signed"),
        ("hsa-mfds-gmp-mra-2024", "in_effect"),
        ("hsa-moh-malaysia-mou-2012", "expired"),
        ("thai-fda-tga-mou-2021", "in_effect"),
        ("eu-japan-mra-2001", "in_effect"),
        ("fda-swissmedic-mra-2023", "in_effect"),
        ("eu-canada-mra", "suspended"),
        ("ceta-gmp-protocol", "provisionally_applied"),
        ("ema-swissmedic-confidentiality-2015", "term_lapsed"),
        ("ec-emea-mhlw-pmda-ca-2007", "expired"),
        ("ec-ema-mhlw-pmda-ca-2013", "term_lapsed"),
        ("anztpa-treaty-2003", "terminated"),
        ("access-consortium", "in_effect"),
        ("zazibona-2013", "in_effect"),
        ("asean-gmp-mra-2009", "in_effect"),
        ("fda-health-canada-mou-amendment-2008", "under_negotiation"),
        ("hsa-tga-new-drug-recognition-2003", "not_known"),
        ("dh-hk-nifdc-agreement", "not_known"),
    ],
)
def test_the_status_of_the_hard_ones(client, slug, status):
    assert page(client, slug).context["ruling"].status == status


def test_an_exclusion_is_shown_as_one(client):
    grid = page(client, "fda-swissmedic-mra-2023").context["grid"]
    row = next(row for row in grid.rows if row.stage == "manufacturing")
    cells = {cell.product: str(cell) for cell in row.cells}
    assert cells["medicines"].startswith("Recognition")
    assert cells["vaccines"] == cells["ctgtp"] == "Excluded"


def test_a_list_entry_says_not_stated_at_every_stage(client):
    response = page(client, "mfds-bfarm-2021")
    assert not response.context["grid"].stated
    assert words(response).lower().count("not stated") >= 1


def test_as_of_an_earlier_day(client):
    response = page(client, "eu-canada-mra", "?as_of=2010-01-01")
    assert response.context["ruling"].status == "in_effect"
    assert client.get("/agreements/eu-canada-mra/?as_of=banana").status_code == 400


def test_both_sides_signing_months_apart_keep_their_days(client):
    text = words(page(client, "thai-fda-tga-mou-2021"))
    assert "18 February 2021" in text
    assert "13 June 2021" in text
