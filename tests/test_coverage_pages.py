"""Coverage by partner and of a pair: it never overstates, and every count can be checked."""

import csv
import datetime
import io
import re

import pytest
from django.utils.html import strip_tags
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agreements.exports import PARTNER_COLUMNS
from agreements.models import Agreement, Relation
from agreements.question import AgreementFilterSet, CoverageFilterSet, current
from agreements.rules.coverage import Stage
from agreements.rules.status import STANDING
from tests import make

pytestmark = pytest.mark.django_db


def table(client, query):
    response = client.get(f"/coverage/?{query}")
    assert response.status_code == 200
    return response


def line(response, key):
    return next(line for line in response.context["lines"] if line.partner.key == key)


def shown(response, key):
    return [str(cell) for _, cell in line(response, key).cells]


def words(response):
    return re.sub(r"\s+", " ", strip_tags(response.content.decode())).replace("&amp;", "&")


def csv_rows(client, query):
    response = client.get(f"/coverage.csv?{query}")
    assert response.status_code == 200
    text = response.content.decode()
    assert text.startswith("\ufeff")
    assert "\n" not in re.sub(r'"(?:[^"]|"")*"', "", text).replace("\r\n", "")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def links(line):
    """Every count of a row, and the query of the list it leads to."""
    yield line.partner.agreements, line.query
    yield line.partner.without_stage, f"{line.query}&stage_stated=no"
    for stage, cell in line.cells:
        yield cell.agreements, f"{line.query}&stage={stage}"


def listed(query):
    from django.http import QueryDict

    question = AgreementFilterSet(QueryDict(query), Agreement.objects.register())
    assert question.problems == {}, query
    return {agreement.slug for agreement in question.qs}


@pytest.mark.parametrize(
    "query",
    [
        "agency=hsa",
        pytest.param("country=US&by=country", marks=pytest.mark.slow),
        *(
            pytest.param(query, marks=[pytest.mark.slow, pytest.mark.shipped])
            for query in (
                "agency=smc&product=medicines",
                "agency=tga&commitment=in_operation&by=country",
                "agency=mhra&as_of=2019-01-01",
                "agency=hpfb&status=expired&status=term_lapsed&status=not_known",
                "agency=gov-us&product=medicines&depth=recognition&commitment=agreed",
                "country=SG&as_of=2020-02-02&product=medicines",
                "product=medicines&depth=recognition&depth=reliance",
            )
        ),
    ],
)
def test_the_count_in_a_cell_is_the_count_of_the_list_it_leads_to(client, query):
    lines = table(client, query).context["lines"]
    counts = [(each.name, *count) for each in lines for count in links(each)]
    assert counts
    # About forty of some hundred counts. The step is no multiple of the row, so that all columns
    # have their turn.
    step = max(1, len(counts) // 40)
    step += step % (2 + len(Stage)) == 0
    for name, slugs, behind in counts[::step]:
        assert len(slugs) == len(set(slugs))
        assert set(slugs) == listed(behind), (name, behind)


def test_a_link_of_a_cell_opens_the_list_with_that_many(client):
    response = table(client, "agency=fda&by=country&product=medicines")
    found = re.findall(
        r'href="(/agreements/\?[^"]+)">\s*(\d+) agreement', response.content.decode()
    )
    assert len(found) > 10
    for address, count in found:
        told = client.get(address.replace("&amp;", "&"), follow=True)
        assert told.status_code == 200
        assert told.context["page"].paginator.count == int(count)


def standing_with(key):
    today = datetime.date.today()
    return {
        agreement.slug
        for agreement in Agreement.objects.register().filter(participations__agency__key=key)
        if agreement.ruling_on(today).status in STANDING
        and any(part.agency.key == key for part in agreement.participations_on(today))
    }


def test_every_agency_of_the_register_has_a_table_and_no_standing_agreement_is_lost(client):
    # Every third, among them those with many partners.
    busy = {"hsa", "fda", "smc", "mhlw"}
    keys = [key for key, _ in current().choices["participant"]]
    for key in sorted({*keys[::3]} | busy):
        response = table(client, f"agency={key}")
        in_rows = {slug for each in response.context["lines"] for slug in each.partner.agreements}
        alone = {each.slug for each in response.context["alone"]}
        assert in_rows | alone == standing_with(key), key
        for each in response.context["lines"]:
            covered = {slug for _, cell in each.cells for slug in cell.agreements}
            assert covered.isdisjoint(each.partner.without_stage)
            assert covered <= set(each.partner.agreements)


@pytest.mark.parametrize(
    "query",
    [
        "agency=hsa",
        "agency=fda&by=country",
        "country=JP",
        "agency=smc&product=vaccines",
        "agency=mhlw&depth=recognition",
        "agency=mhra&as_of=2019-01-01",
    ],
)
def test_the_csv_has_the_cells_of_the_page(client, query):
    lines = table(client, query).context["lines"]
    rows = csv_rows(client, query)
    assert [row["partner"] for row in rows] == [each.partner.key for each in lines]
    for row, each in zip(rows, lines, strict=True):
        assert row["agreement_ids"] == " | ".join(each.partner.agreements)
        assert row["no_stage_agreements"] == str(len(each.partner.without_stage))
        for stage, cell in each.cells:
            deepest = cell.whole.deepest
            told = [row[f"{stage}_{name}"] for name in ("depth", "commitment", "excluded")]
            assert told == [
                deepest.depth.value if deepest else "",
                deepest.commitment.value if deepest else "",
                "yes" if cell.whole.excluded else "",
            ]
            assert row[f"{stage}_agreement_ids"] == " | ".join(cell.agreements)
            assert row[f"{stage}_agreements"] == str(len(cell.agreements))


def test_the_csv_has_its_fixed_columns_and_guards_formulas(client):
    one, two = make.agency(), make.agency(name="=1+1", jurisdiction="SG")
    make.agreement(participants=[one, two], signed_on="2020")
    (row,) = csv_rows(client, f"agency={one.key}")
    assert tuple(row) == PARTNER_COLUMNS
    assert row["partner_name"] == "'=1+1"
    assert (row["subject"], row["partner_jurisdiction"]) == (one.key, "SG")


def test_the_csv_without_a_subject_says_what_to_choose(client):
    response = client.get("/coverage.csv")
    assert response.status_code == 400
    assert "agency" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("agency=nobody", "Agency"),
        ("country=XX", "Country or union"),
        ("agency=hsa&country=JP", "Country or union"),
        ("agency=hsa&agency=fda", "Agency"),
        ("agency=hsa&product=pills", "Product"),
        ("agency=hsa&depth=deep", "Depth"),
        ("agency=hsa&commitment=excluded", "Commitment"),
        ("agency=hsa&status=fine", "Status"),
        ("agency=hsa&as_of=2011", "As the register stood on"),
        ("agency=hsa&by=moon", "Partners"),
        ("agency=hsa&colour=red", "colour"),
        ("agency=hsa&stage=manufacturing", "stage"),
        ("page=1", "page"),
    ],
)
def test_a_wrong_question_is_a_plain_message_and_never_a_table(client, query, named):
    page = client.get(f"/coverage/?{query}")
    assert page.status_code == 400
    assert "lines" not in page.context
    assert named in words(page)
    assert client.get(f"/coverage.csv?{query}").status_code == 400


def test_the_reference_record_stands_though_only_signed_and_stays_intended(client):
    response = table(client, "agency=hsa")
    assert shown(response, "mhlw")[3] == "Reliance, intended"
    assert "reach--intended" in response.content.decode()
    narrowed = table(client, "agency=hsa&status=in_effect")
    assert shown(narrowed, "mhlw")[3] == "Not stated"


def test_gmp_reliance_of_the_reference_record_does_not_reach_devices(client):
    told = shown(table(client, "agency=hsa&product=medical-devices"), "mhlw")
    assert told[3] == "Dialogue, agreed"


def test_what_is_excluded_says_so_and_is_not_counted(client):
    response = table(client, "agency=smc&product=vaccines")
    fda = line(response, "fda")
    assert str(fda.partner.cells[3]) == "Excluded"
    assert fda.partner.cells[3].agreements == ()


def test_a_one_way_provision_between_others_reaches_no_third(client):
    """In Project Orbis each partner relies on FDA, none on another."""
    told = shown(table(client, "agency=hsa"), "anvisa")
    assert told[1] == "Work-sharing, in operation"
    assert shown(table(client, "agency=hsa"), "fda")[1] == "Reliance, agreed"


def test_an_agency_of_the_same_country_is_no_partner(client):
    keys = {each.partner.key for each in table(client, "agency=mhlw").context["lines"]}
    assert "pmda" not in keys
    countries = {
        each.partner.key for each in table(client, "country=JP&by=country").context["lines"]
    }
    assert "JP" not in countries
    assert "SG" in countries


@pytest.mark.shipped
def test_an_agency_without_agreements_is_told_apart_from_no_cooperation(client):
    response = table(client, "agency=dghs-in")
    assert response.context["lines"] == []
    assert "not the same as “no cooperation”" in words(response)


def test_the_day_asked_for_decides_who_takes_part(client):
    keys = {e.partner.key for e in table(client, "agency=tga&as_of=2019-01-01").context["lines"]}
    assert "mhra" not in keys
    response = table(client, "agency=tga")
    assert "mhra" in {each.partner.key for each in response.context["lines"]}
    assert "as it stood on" in words(table(client, "agency=tga&as_of=2019-01-01"))


def pair_page(client, left, right, query=""):
    response = client.get(f"/coverage/{left}/{right}/{query}")
    assert response.status_code == 200
    return response


def answer(response, side, stage):
    _, _, stages = response.context["answers"][side]
    return [
        (str(each.reach or "Excluded"), each.products)
        for each in next(found for at, found in stages if at == stage)
    ]


def test_can_hsa_rely_on_mhlw(client):
    response = pair_page(client, "hsa", "mhlw")
    for side in (0, 1):
        assert answer(response, side, "manufacturing") == [
            ("Reliance, intended", ("medicines",)),
            ("Dialogue, agreed", ("ctgtp", "medical-devices")),
        ]
    text = words(response)
    assert "Can HSA rely on the work of MHLW?" in text
    assert "signed 20 April 2026, no date of effect stated" in text
    assert "HSA and PMDA" in text
    assert "PMDA belongs to MHLW" in text


def test_what_is_one_way_is_told_in_its_direction_only(client):
    response = pair_page(client, "hsa", "fda")
    assert answer(response, 0, "product_review") == [("Reliance, agreed", ("medicines",))]
    assert answer(response, 1, "product_review") == [("Work-sharing, in operation", ("medicines",))]
    assert "one-way: HSA relies on FDA" in words(response)
    assert "TGA relies" not in words(response)
    assert "relies on FDA." not in words(pair_page(client, "hsa", "anvisa"))


def test_both_orders_answer_and_one_is_canonical(client):
    for left, right in (("hsa", "fda"), ("fda", "hsa")):
        content = pair_page(client, left, right).content.decode()
        assert re.search(r'rel="canonical"\s+href="http://testserver/coverage/fda/hsa/"', content)


@pytest.mark.parametrize(("left", "right"), [("hsa", "hsa"), ("hsa", "nobody"), ("no", "none")])
def test_no_pair_of_one_or_of_the_unknown(client, left, right):
    assert client.get(f"/coverage/{left}/{right}/").status_code == 404


def test_an_agency_of_drafts_only_is_unknown(client):
    hidden = make.agency()
    make.agreement(participants=[hidden], state="draft")
    assert client.get(f"/coverage/hsa/{hidden.key}/").status_code == 404
    assert client.get(f"/coverage/?agency={hidden.key}").status_code == 400


def test_two_public_agencies_without_an_agreement(client):
    text = words(pair_page(client, "hsa", "cofepris"))
    assert "No agreement that includes both HSA and COFEPRIS was found here" in text
    assert "They may still cooperate." in text


def test_an_agreement_that_no_longer_stands_is_listed_and_covers_nothing(client):
    one, two = make.agency(jurisdiction="SG"), make.agency(jurisdiction="JP")
    ended = make.agreement(
        participants=[one, two],
        signed_on="2010",
        milestones=[("terminated", "2015")],
        provisions=[{"products": ["medicines"]}],
    )
    response = pair_page(client, one.key, two.key)
    assert response.context["former"] == [ended]
    assert answer(response, 0, "manufacturing") == []
    before = pair_page(client, one.key, two.key, "?as_of=2012-01-01")
    assert before.context["standing"] == [ended]
    assert answer(before, 0, "manufacturing") == [("Reliance, agreed", ("medicines",))]


def test_one_that_has_left_no_longer_relies_and_one_yet_to_join_does_not_yet(client):
    one, two = make.agency(), make.agency()
    made = make.agreement(participants=[one, two], signed_on="2010", provisions=[{}])
    part = made.participations.get(agency=two)
    part.joined_on, part.left_on = "2012", "2015"
    part.save()
    for day, where in (("2011-06-01", None), ("2013-06-01", "standing"), ("2016-06-01", "former")):
        context = pair_page(client, one.key, two.key, f"?as_of={day}").context
        for name in ("standing", "former"):
            assert (made in context[name]) is (name == where), day


def test_what_stands_without_a_stage_is_listed(client):
    one, two = make.agency(), make.agency()
    made = make.agreement(
        participants=[one, two], signed_on="2010", provisions=[{"area": "staff-training"}]
    )
    response = pair_page(client, one.key, two.key)
    assert response.context["without_stage"] == [made]
    assert "Staff training" in words(response)


@pytest.mark.parametrize(
    ("query", "named"), [("?as_of=2011", "as_of"), ("?stage=manufacturing", "stage")]
)
def test_a_pair_refuses_what_it_cannot_answer(client, query, named):
    response = client.get(f"/coverage/hsa/fda/{query}")
    assert response.status_code == 400
    assert named in words(response)


def related(kind, before, after):
    parties = [make.agency(jurisdiction="SG"), make.agency(jurisdiction="JP")]
    earlier = make.agreement(short_title="The earlier", participants=parties, provisions=before)
    later = make.agreement(
        short_title="The later", participants=parties, provisions=after, signed_on="2020"
    )
    Relation.objects.create(agreement=later, kind=kind, target=earlier)
    return later, parties


@pytest.mark.parametrize(("kind", "dropped"), [("supersedes", True), ("builds_on", False)])
def test_a_later_agreement_says_what_it_changes(client, kind, dropped):
    later, parties = related(
        kind,
        [
            {"products": ["medicines"], "depth": "dialogue"},
            {"area": "registration-reliance", "products": ["medicines"]},
        ],
        [{"products": ["medicines"], "commitment": "intended"}, {"area": "staff-training"}],
    )
    for response in (
        client.get(later.get_absolute_url()),
        pair_page(client, parties[0].key, parties[1].key),
    ):
        (found,) = response.context["comparisons"]
        told = [(change.words, change.stage or change.area.code) for change in found.changes]
        expected = [("Deeper, though less firm", "manufacturing"), ("Added", "staff-training")]
        if dropped:
            expected.insert(0, ("No longer stated", "registration"))
        assert told == expected
        assert ("which is not “no”" in words(response).partition("The later")[2]) or not dropped


def test_nothing_is_compared_with_an_agreement_of_which_no_provision_is_recorded(client):
    later, _ = related("builds_on", [], [{"products": ["medicines"]}])
    text = words(client.get(later.get_absolute_url()))
    assert "no provision of The earlier is recorded" in text
    assert "Added" not in text


def test_the_reference_record_says_what_it_adds(client):
    response = client.get("/agreements/hsa-mhlw-moc-2026/")
    text = words(response)
    assert "What it adds to HSA–MHLW–PMDA information exchange 2010" in text
    assert "Added: manufacturing (medicines) – was not stated, now reliance, intended" in text


def test_an_unpublished_earlier_agreement_is_not_compared(client):
    later, _ = related("builds_on", [{"products": ["medicines"]}], [{}])
    Agreement.objects.filter(short_title="The earlier").update(state="draft")
    response = client.get(later.get_absolute_url())
    assert response.context["comparisons"] == []


#: Page -> the most queries it may take, whatever the register's size.
QUERIES = {
    "/coverage/": 12,
    "/coverage/?agency=made-up-hub": 13,
    "/coverage/?agency=made-up-hub&by=country&product=medicines&status=signed": 13,
    "/coverage/?country=FJ": 13,
    "/coverage.csv?agency=made-up-hub": 13,
    "/coverage/made-up-hub/made-up-spoke/": 20,
}


def test_query_counts_do_not_grow_with_partners_and_agreements(
    client, django_assert_max_num_queries
):
    hub = make.agency(key="made-up-hub", jurisdiction="FJ")
    spoke = make.agency(key="made-up-spoke", jurisdiction="TO")

    def grow(number):
        for _ in range(number):
            other = make.agency(jurisdiction="WS")
            for parties in ([hub, other], [hub, spoke, other]):
                made = make.agreement(
                    participants=parties,
                    signed_on="2020",
                    provisions=[
                        {"products": ["medicines"]},
                        {"direction": "one_way", "relying": hub, "reference": other},
                    ],
                )
                make.source(made)

    def check():
        # The bitmaps are built once after a change; test_list.py pins what that takes.
        client.get("/agreements/")
        for path, most in QUERIES.items():
            with django_assert_max_num_queries(most):
                assert client.get(path).status_code == 200

    grow(2)
    check()
    grow(20)
    check()


class HostileQuestions(TestCase):
    @settings(max_examples=20)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([*CoverageFilterSet.base_filters, "other"]),
                st.one_of(
                    st.text(max_size=20),
                    st.sampled_from(["hsa", "JP", "2010", "9999-12-31", str(2**63), "\x00", "-1"]),
                ),
            ),
            max_size=3,
        )
    )
    def test_no_question_is_an_error_of_ours(self, pairs):
        query = dict(pairs)
        assert self.client.get("/coverage/", query).status_code in (200, 400)
        assert self.client.get("/coverage.csv", query).status_code in (200, 400)
        assert self.client.get("/coverage/hsa/fda/", query).status_code in (200, 400)


def test_an_empty_register_says_nothing_yet(client, empty_register):
    assert "has been published in the register yet" in words(table(client, ""))
