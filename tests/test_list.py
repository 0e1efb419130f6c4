"""The list and its CSV: one question, two faces, the same answer."""

import re

import pytest
from django.db import connection
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agreements.exports import COLUMNS, unguard
from agreements.models import Agreement
from agreements.question import AgreementFilterSet
from agreements.record.after_change import record_change
from agreements.rules.coverage import Depth, Stage
from agreements.rules.status import Status
from tests import make
from tests.questions import PROBLEMS, QUESTIONS, csv_rows, slugs_on_pages

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.mark.parametrize("query", QUESTIONS)
def test_the_list_and_the_csv_give_the_same_agreements_in_the_same_order(client, query):
    assert slugs_on_pages(client, query) == [row["id"] for row in csv_rows(client, query)]


@pytest.mark.parametrize("query", PROBLEMS)
def test_a_wrong_parameter_is_a_plain_message_and_never_the_whole_register(client, query):
    page = client.get(f"/agreements/?{query}")
    assert page.status_code == 400
    assert "agreements" not in page.context
    table = client.get(f"/agreements.csv?{query}")
    assert table.status_code == 400
    name = query.partition("=")[0][:40]
    assert name in table.content.decode()


@pytest.mark.shipped
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=2", 200),
        ("page=0", 404),
        ("page=8", 404),
        ("page=99999999999999999999", 404),
        ("page=" + "9" * 5000, 404),
        ("page=-1", 400),
        ("page=two", 400),
        ("page=²", 400),
    ],
)
def test_pages(client, query, status):
    assert client.get(f"/agreements/?{query}").status_code == status


@pytest.mark.shipped
def test_the_whole_register_is_on_pages_of_25(client):
    found = slugs_on_pages(client, "")
    assert len(found) == len(set(found)) == Agreement.objects.register().count()
    pages = client.get("/agreements/?page=2").context["page"].paginator.num_pages
    assert pages == -(-len(found) // 25)


@pytest.mark.parametrize(
    ("name", "values"),
    [("stage", Stage.values), ("depth", Depth.values), ("status", Status.values)],
)
def test_any_of_several_values_is_the_sum_of_each(client, name, values):
    each = [{row["id"] for row in csv_rows(client, f"{name}={value}")} for value in values]
    together = csv_rows(client, "&".join(f"{name}={value}" for value in values))
    assert {row["id"] for row in together} == set().union(*each)
    if name == "status":
        assert sum(map(len, each)) == Agreement.objects.register().count()


def test_stage_depth_and_product_must_meet_in_one_provision(client):
    apart = make.agreement(
        provisions=[
            {"area": "gmp-inspection-reliance", "products": ["medical-devices"]},
            {"area": "registration-reliance", "depth": "recognition", "products": ["medicines"]},
        ]
    )
    query = "stage=manufacturing&depth=recognition&product=medicines"
    assert apart.slug not in {row["id"] for row in csv_rows(client, query)}
    assert apart.slug in {row["id"] for row in csv_rows(client, "depth=recognition")}


def test_an_exclusion_is_no_coverage(client):
    excluded = make.agreement(provisions=[{"commitment": "excluded", "products": ["vaccines"]}])
    for query in ("stage=manufacturing", "depth=reliance", "product=vaccines"):
        assert excluded.slug not in {row["id"] for row in csv_rows(client, query)}


def test_gmp_reliance_of_the_reference_record_is_not_found_for_devices(client):
    slug = "hsa-mhlw-moc-2026"
    query = "stage=manufacturing&depth=reliance&product="
    assert slug in {row["id"] for row in csv_rows(client, query + "medicines")}
    assert slug not in {row["id"] for row in csv_rows(client, query + "medical-devices")}


def test_signed_between_takes_only_what_surely_lies_there(client):
    made = make.agreement(signed_on="2010")
    for query, inside in [
        ("signed_after=2010", True),
        ("signed_after=2010-02", False),
        ("signed_before=2010", True),
        ("signed_before=2010-11", False),
        ("signed_after=2009&signed_before=2010", True),
    ]:
        assert (made.slug in {row["id"] for row in csv_rows(client, query)}) is inside


def test_as_of_tells_the_register_of_that_day(client):
    rows = {row["id"]: row for row in csv_rows(client, "as_of=2011-01-01")}
    assert "hsa-mhlw-moc-2026" not in rows
    assert rows["hsa-mhlw-pmda-information-exchange-2010"]["status"] == "in_effect"
    assert {row["status_day"] for row in rows.values()} == {"2011-01-01"}


def test_a_member_that_joined_later_is_no_member_on_an_earlier_day(client):
    slug = "access-consortium"
    assert slug in {row["id"] for row in csv_rows(client, "participant=mhra")}
    assert slug in {row["id"] for row in csv_rows(client, "participant=mhra&as_of=2021-01-01")}
    assert slug not in {row["id"] for row in csv_rows(client, "participant=mhra&as_of=2019-01-01")}
    rows = {row["id"]: row for row in csv_rows(client, "participant=tga&as_of=2019-01-01")}
    assert "MHRA" not in rows[slug]["participants"]


def test_title_hits_come_first(client):
    inside = make.agreement(title="Plain", summary="Zyxwvut in the summary.", signed_on="2026")
    titled = make.agreement(title="The Zyxwvut agreement", signed_on="1999")
    record_change([inside.pk, titled.pk], reason="made", name="test")
    assert slugs_on_pages(client, "q=zyxwvut") == [titled.slug, inside.slug]
    assert slugs_on_pages(client, "q=zyxwvut&sort=newest") == [inside.slug, titled.slug]


def test_the_question_is_written_back(client):
    response = client.get("/agreements/?participant=pmda&stage=manufacturing&status=in_effect")
    count = response.context["page"].paginator.count
    sentence = (
        f"{count} agreement{'s' if count != 1 else ''} in effect, with PMDA, covering manufacturing"
    )
    assert f">{sentence}</h1>" in response.content.decode()
    assert sentence in response.content.decode().partition("</title>")[0]
    chips = response.context["applied"]
    assert [chip["words"] for chip in chips] == [
        "Participant: Pharmaceuticals and Medical Devices Agency (PMDA)",
        "Stage: Manufacturing",
        "Status: In effect",
    ]
    assert chips[0]["query"] == "stage=manufacturing&status=in_effect"


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("stage=&q=", ""),
        (
            "stage=registration&q=GMP&stage=manufacturing",
            "q=GMP&stage=manufacturing&stage=registration",
        ),
        ("stage=registration&stage=registration", "stage=registration"),
        ("page=1", ""),
        ("signed_after=May+2010&as_of=", "signed_after=2010-05"),
        ("q=+GMP+", "q=GMP"),
    ],
)
def test_a_question_has_one_address(client, asked, canonical):
    response = client.get(f"/agreements/?{asked}")
    assert response.status_code == 302
    assert response.url == "/agreements/" + (f"?{canonical}" if canonical else "")
    assert client.get(response.url).status_code == 200


def test_the_csv_has_every_column_and_its_name_says_when(client):
    response = client.get("/agreements.csv?stage=manufacturing")
    assert re.search(
        r'filename="agreements-\d{4}-\d\d-\d\d-filtered.csv"', response["Content-Disposition"]
    )
    rows = csv_rows(client)
    assert tuple(rows[0]) == COLUMNS
    by_id = {row["id"]: row for row in rows}
    reference = by_id["hsa-mhlw-moc-2026"]
    assert reference["coverage_manufacturing"] == "Reliance, intended; Dialogue, agreed"
    assert reference["signed_on"] == "2026-04-20"
    assert reference["participants"] == "HSA | MHLW"
    assert by_id["mfds-bfarm-2021"]["coverage_manufacturing"] == ""
    assert by_id["jsepa-2002"]["signed_on"] == "2002"


def test_no_cell_is_a_formula_and_every_text_can_be_read_back(client):
    text = '=HYPERLINK("https://example.org")'
    made = make.agreement(title=text, summary="'quoted'")
    row = {row["id"]: row for row in csv_rows(client)}[made.slug]
    assert row["title"] == "'" + text
    assert (unguard(row["title"]), unguard(row["summary"])) == (text, "'quoted'")


NAMES = [*AgreementFilterSet.base_filters, "page", "expand", "agency", "by", "other"]
OTHER_PAGES = [
    "/",
    "/agreements.ics",
    "/agreements/jsepa-2002/",
    "/agreements/jsepa-2002.json",
    "/agencies/",
    "/agencies/hsa/",
    "/coverage/hsa/mhlw/",
    "/coverage.csv",
]


class HostileQuestions(TestCase):
    @settings(max_examples=12)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.one_of(
                    st.text(max_size=30),
                    st.sampled_from(
                        ["2010", "9999-12-31", "0000", "1e999999", str(2**63), "'", "\x00", "-1"]
                    ),
                ),
            ),
            max_size=4,
        )
    )
    def test_no_question_is_an_error_of_ours(self, pairs):
        query = dict(pairs)
        page = self.client.get("/agreements/", query)
        if page.status_code == 302:
            page = self.client.get(page.url)
        assert page.status_code in (200, 400, 404)
        assert self.client.get("/agreements.csv", query).status_code in (200, 400)
        assert self.client.get("/agreements.atom", query).status_code in (200, 400)
        assert self.client.get("/agreements.json", query).status_code in (200, 400, 404)
        for path in OTHER_PAGES:
            assert self.client.get(path, query).status_code in (200, 400), path


def test_an_empty_register_says_nothing_yet_and_a_narrow_question_says_no_match(
    client, empty_register
):
    home, all_of_it = client.get("/"), client.get("/agreements/")
    assert home.status_code == all_of_it.status_code == 200
    assert "No agreement has been published in the register yet" in all_of_it.content.decode()
    make.agreement()
    narrow = client.get("/agreements/?status=expired").content.decode()
    assert "Nothing in the register matches all of these" in narrow
    assert "published in the register yet" not in narrow
    assert len(csv_rows(client, "status=expired")) == 0


#: Page -> the most queries it may take, whatever the register's size.
QUERIES = {
    "/": 7,
    "/agreements/": 8,
    "/agreements/?product=medicines&q=agreement&stage=manufacturing&status=signed": 12,
    "/agencies/": 2,
    "/agreements/hsa-mhlw-moc-2026/": 30,
    "/agencies/made-up-busy/": 13,
    # Twelve, and eight more for each several hundred rows after the first fifty.
    "/agreements.csv": 20,
    "/agreements.json": 30,
    "/agreements.atom": 12,
    "/agreements.ics": 6,
    "/agreements/hsa-mhlw-moc-2026.json": 24,
    "/agreements/hsa-mhlw-moc-2026.bib": 23,
    "/data/": 2,
    "/sitemap.xml": 5,
}


def test_query_counts_do_not_grow_with_the_register(client, django_assert_max_num_queries):
    busy = make.agency(key="made-up-busy")

    def grow(number):
        for _ in range(number):
            agreement = make.agreement(
                title="Made-up agreement",
                participants=[busy, make.agency()],
                signed_on="2026-05",
                provisions=[{"products": ["medicines"]}],
                milestones=[("announced", "2026-05-02")],
            )
            record_change([agreement.pk], reason="made", name="test")

    def check():
        # The first page after a change builds the bitmaps, in a number of queries of its own.
        with django_assert_max_num_queries(22):
            client.get("/agreements/")
        for path, most in QUERIES.items():
            with django_assert_max_num_queries(most):
                response = client.get(path)
                assert response.status_code == 200
                if response.streaming:
                    assert list(response.streaming_content)

    grow(2)
    check()
    grow(30)
    check()


def test_every_number_on_the_first_page_is_the_length_of_the_list_it_leads_to(client):
    content = client.get("/").content.decode()
    found = re.findall(r'href="(/agreements/[^"]*)"[^>]*>\s*([\d,]+)', content)
    assert len(found) > 15
    for address, number in found:
        told = client.get(address.replace("&amp;", "&"))
        assert told.status_code == 200, "the address is the canonical one"
        assert told.context["page"].paginator.count == int(number.replace(",", ""))


@pytest.mark.parametrize("queries", [QUESTIONS, PROBLEMS], ids=["questions", "problems"])
def test_the_questions_asked_of_the_faces_use_every_filter(queries):
    used = {name for query in queries for name in QueryDict(query)}
    assert set(AgreementFilterSet.base_filters) - used == set()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="On SQLite it is another index.")
def test_newest_first_is_read_along_its_index():
    """Nothing is sorted to find the first page."""
    with connection.cursor() as cursor:
        # So few rows are read faster without any index.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = Agreement.objects.register().newest_first()[:5].explain()
    assert "agreement_newest" in plan
    assert "Sort" not in plan, plan
