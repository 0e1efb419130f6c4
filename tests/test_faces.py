"""One question, many faces: each answers with the same agreements, and refuses alike."""

import datetime
import gzip
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from icalendar import Calendar

from agreements import exports
from agreements.faces import feeds
from agreements.models import Agency, Agreement, Relation
from agreements.models.querysets import PublicationState
from agreements.rules.coverage import Commitment
from tests import make
from tests.questions import PROBLEMS, QUESTIONS, csv_rows, slugs_on_pages

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
MACHINES = ["/agreements.csv", "/agreements.json", "/agreements.atom", "/agreements.ics"]
#: What a text may hold in the database and neither XML nor iCalendar can.
CONTROL = "a\x01b\x0bc\x1f\ufffed"


def json_pages(client, query=""):
    """Every page of the JSON list, by the addresses it gives itself."""
    address, pages = f"/agreements.json?{query}", []
    while address:
        response = client.get(address)
        assert response.status_code == 200
        pages.append(response.json())
        address = pages[-1]["next"]
    return pages


def feed(client, query=""):
    response = client.get(f"/agreements.atom?{query}")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    return ElementTree.fromstring(response.content)  # noqa: S314 - our own


def entries(client, query=""):
    ids = [entry.findtext(ATOM + "id") for entry in feed(client, query).iter(ATOM + "entry")]
    return [address.rstrip("/").rpartition("/")[2] for address in ids]


def events(client, query=""):
    response = client.get(f"/agreements.ics?{query}")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(response.content).walk("VEVENT")


@pytest.mark.parametrize("query", QUESTIONS)
def test_every_face_gives_the_same_agreements_in_the_same_order(client, query):
    slugs = slugs_on_pages(client, query)
    pages = json_pages(client, query)
    assert [record["slug"] for page in pages for record in page["agreements"]] == slugs
    assert {page["count"] for page in pages} == {len(slugs)}
    listing = client.get(f"/agreements/?{query}", follow=True)
    assert pages[0]["sentence"] == listing.context["question"].sentence
    listed = Agreement.objects.filter(slug__in=slugs)
    last_changed = set(listed.order_by("-updated_at", "slug").values_list("slug", flat=True)[:100])
    assert entries(client, query) == [slug for slug in slugs if slug in last_changed]
    due = {str(event["UID"]).partition(".")[0] for event in events(client, query)}
    assert due == {
        a.slug for a in listed if any(m.until or m.kind == "review_due" for m in a.milestones.all())
    }


def test_every_face_tells_the_same_status(client):
    query = "as_of=2011-01-01"
    told = {row["id"]: (row["status"], row["status_because"]) for row in csv_rows(client, query)}
    (page,) = json_pages(client, query)
    records = page["agreements"]
    assert {r["slug"]: (r["status"], r["status_because"]) for r in records} == told
    assert page["day"] == "2011-01-01"
    assert feed(client, query).findtext(ATOM + "title").endswith("agreements, as of 1 January 2011")
    for entry in feed(client, query).iter(ATOM + "entry"):
        slug = entry.findtext(ATOM + "id").rstrip("/").rpartition("/")[2]
        terms = [category.get("term") for category in entry.iter(ATOM + "category")]
        assert terms[0] == f"status:{told[slug][0]}"


@pytest.mark.parametrize("query", PROBLEMS)
def test_every_face_refuses_what_the_page_refuses_and_names_the_parameter(client, query):
    name = query.partition("=")[0][:40]
    for address in MACHINES:
        response = client.get(f"{address}?{query}")
        assert response.status_code == 400, address
        assert name in response.content.decode()
        assert response["Access-Control-Allow-Origin"] == "*"
        if address.endswith(".json"):
            assert list(response.json()["problems"]) == [
                response.json()["detail"].partition(":")[0]
            ]
        else:
            assert response["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.shipped
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=2", 200),
        ("page=0", 404),
        ("page=3", 404),
        ("page=9" * 1, 404),
        ("page=-1", 400),
        ("page=two", 400),
        ("page=" + "9" * 5000, 404),
        ("page=1&page=2", 400),
    ],
)
def test_pages_of_the_json(client, query, status):
    response = client.get(f"/agreements.json?{query}")
    assert response.status_code == status
    assert status == 200 or list(response.json()["problems"]) == ["page"]


def test_only_the_paged_face_takes_a_page(client):
    for address in MACHINES:
        expected = 200 if address.endswith(".json") else 400
        assert client.get(f"{address}?page=1").status_code == expected


def test_any_site_may_read_the_data_and_nobody_may_write(client):
    record = "/agreements/hsa-mhlw-moc-2026"
    for address in [*MACHINES, record + ".json", record + ".bib", record + ".csl.json"]:
        assert client.get(address)["Access-Control-Allow-Origin"] == "*"
        assert client.post(address).status_code == 405
    assert "Access-Control-Allow-Origin" not in client.get(record + "/")


@pytest.mark.shipped
def test_the_json_of_a_list_says_where_its_other_pages_are(client):
    first, second = json_pages(
        client,
        "type=moc&type=mou&sort=changed&type=mra&type=agreement_other"
        "&type=confidentiality_arrangement&type=exchange_of_letters",
    )
    assert first["previous"] is None
    assert second["next"] is None
    assert "?sort=changed&" in second["previous"]
    assert first["next"].startswith("http://testserver/agreements.json?sort=changed&type=agreement")
    assert len(first["agreements"]) == 100


def test_an_empty_answer_is_an_answer(client):
    query = "q=nothingatallmatchesthis"
    (page,) = json_pages(client, query)
    assert (page["count"], page["agreements"]) == (0, [])
    assert entries(client, query) == events(client, query) == []


# --- One record ---------------------------------------------------------------------------------


def test_a_record_as_json_is_the_exported_record_and_what_follows_from_it(client, reference):
    told = client.get("/agreements/hsa-mhlw-moc-2026.json").json()
    record = exports.record(reference)
    assert {name: told[name] for name in record} == record
    assert set(told) - set(record) == {*exports.DERIVED, "coverage", "inverse_relations"}
    assert told["url"] == "http://testserver/agreements/hsa-mhlw-moc-2026/"
    cells = {(cell["stage"], cell["product"]): cell for cell in told["coverage"]}
    made = cells["manufacturing", "medicines"]
    assert {"depth": "reliance", "commitment": "intended"} in made["reaches"]
    devices = [reach["depth"] for reach in cells["manufacturing", "medical-devices"]["reaches"]]
    assert "reliance" not in devices


def test_every_record_tells_its_coverage_as_its_page_does(client):
    for agreement in Agreement.objects.register().with_related():
        told = client.get(f"/agreements/{agreement.slug}.json").json()["coverage"]
        cells = [cell for row in agreement.grid.rows for cell in row.cells]
        assert len(told) == len(cells)
        for cell, data in zip(cells, told, strict=True):
            assert (data["product"] or "") == cell.product
            words = [Commitment(reach["commitment"]) for reach in data["reaches"]]
            assert words == [reach.commitment for reach in cell.reaches]
            assert data["excluded"] == cell.excluded


def test_a_record_tells_what_others_say_of_it_and_never_what_drafts_say(client):
    target = Agreement.objects.get(slug="jsepa-2002")
    for state in PublicationState:
        other = make.agreement(state=state, slug=f"made-up-{state.value.replace('_', '-')}")
        Relation.objects.create(agreement=other, kind="amends", target=target)
    told = client.get("/agreements/jsepa-2002.json").json()["inverse_relations"]
    assert [r["agreement"] for r in told if r["kind"] == "amends"] == ["made-up-published"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("as_of=2010", "as_of"),
        ("as_of=2010-01-01&as_of=2011-01-01", "as_of"),
        ("colour=red", "colour"),
    ],
)
def test_the_json_of_a_record_refuses_what_it_does_not_know(client, query, name):
    response = client.get(f"/agreements/hsa-mhlw-moc-2026.json?{query}")
    assert response.status_code == 400
    assert list(response.json()["problems"]) == [name]


def test_a_record_is_told_for_the_day_asked(client):
    told = client.get("/agreements/hsa-mhlw-moc-2026.json?as_of=2011-01-01").json()
    assert (told["status"], told["status_day"]) == ("not_known", "2011-01-01")


# --- The feed -----------------------------------------------------------------------------------


def test_the_feed_is_a_whole_atom_feed(client):
    root = feed(client, "participant=hsa&stage=manufacturing")
    assert root.findtext(ATOM + "id") == (
        "http://testserver/agreements.atom?participant=hsa&stage=manufacturing"
    )
    links = {link.get("rel"): link.get("href") for link in root.findall(ATOM + "link")}
    assert links == {
        "self": "http://testserver/agreements.atom?participant=hsa&stage=manufacturing",
        "alternate": "http://testserver/agreements/?participant=hsa&stage=manufacturing",
    }
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "moctracker"
    moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
    assert moment.fullmatch(root.findtext(ATOM + "updated"))
    ids = []
    for entry in root.iter(ATOM + "entry"):
        ids.append(entry.findtext(ATOM + "id"))
        agreement = Agreement.objects.get(slug=ids[-1].rstrip("/").rpartition("/")[2])
        assert entry.find(ATOM + "link").get("href") == ids[-1]
        assert entry.findtext(ATOM + "title") == agreement.title
        assert moment.fullmatch(entry.findtext(ATOM + "published"))
        assert entry.findtext(ATOM + "updated") == agreement.updated_at.isoformat()
        assert entry.findtext(ATOM + "summary")
        terms = [category.get("term") for category in entry.iter(ATOM + "category")]
        assert any(term.startswith("stage:manufacturing:") for term in terms)
        if agreement.slug == "hsa-mhlw-moc-2026":
            assert "stage:manufacturing:reliance:intended" in terms
    assert len(ids) == len(set(ids)) > 2


def test_what_changes_comes_into_a_feed_that_cannot_hold_all(client, monkeypatch):
    monkeypatch.setattr(feeds, "FEED_LENGTH", 3)
    old = make.agreement(signed_on="1999")
    Agreement.objects.filter(pk=old.pk).update(
        updated_at=datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
    )
    found = entries(client)
    assert len(found) == 3
    assert old.slug in found
    assert found == [slug for slug in slugs_on_pages(client, "") if slug in found]


def test_an_excluded_stage_is_no_category_of_an_entry(client):
    made = make.agreement(provisions=[{"commitment": "excluded"}], signed_on="1999")
    for entry in feed(client, "signed_before=1999").iter(ATOM + "entry"):
        if entry.findtext(ATOM + "id").endswith(f"/{made.slug}/"):
            terms = [category.get("term") for category in entry.iter(ATOM + "category")]
            assert terms == ["status:signed"]


def test_no_text_of_a_record_breaks_a_face(client):
    hostile = f'{CONTROL} <b>&amp; ]]> "quoted" \\ ; , 日本語の題名 \r\nBEGIN:VEVENT'
    made = make.agreement(
        title=hostile,
        summary=hostile,
        milestones=[("term_set", "2019", "2030-05-01")],
        original_title=hostile,
        signed_on="1998-07-01",
    )
    query = "signed_after=1998-07-01&signed_before=1998-07-01"
    root = feed(client, query)
    assert "<b>&amp; ]]>" in root.find(ATOM + "entry").findtext(ATOM + "title")
    (event,) = events(client, query)
    assert "日本語の題名" in str(event["SUMMARY"])
    assert "\x01" not in str(event["SUMMARY"])
    (page,) = json_pages(client, query)
    assert page["agreements"][0]["title"] == hostile
    shown = client.get(made.get_absolute_url()).content.decode()
    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', shown, re.DOTALL)[1]
    assert json.loads(data)["name"] == hostile
    assert "<b>" not in data


def test_a_search_for_a_control_character_does_not_break_the_feed(client):
    feed(client, "q=a%01b")
    events(client, "q=a%01b")


# --- The calendar -------------------------------------------------------------------------------


def test_the_calendar_tells_ends_of_terms_and_reviews_and_pretends_no_day(client):
    made = make.agreement(
        signed_on="1998-07-01",
        milestones=[
            ("term_set", "1998-07-01", "2031-05-04"),
            ("renewed", "2020", "2040-02"),
            ("entered_into_force", "1999", "2035"),
            ("review_due", "2029-09-30"),
            ("announced", "1998-07-02"),
        ],
    )
    query = "signed_after=1998-07-01&signed_before=1998-07-01"
    told = {
        event.decoded("DTSTART"): (str(event["SUMMARY"]), str(event["DESCRIPTION"]))
        for event in events(client, query)
    }
    name = str(made)
    assert {day.isoformat(): summary for day, (summary, _) in told.items()} == {
        "2031-05-04": f"Stated term ends: {name}",
        "2040-02-29": f"Stated term ends in February 2040, day not stated: {name}",
        "2035-12-31": f"Stated term ends in 2035, day not stated: {name}",
        "2029-09-30": f"Review due: {name}",
    }
    for _, text in told.values():
        assert f"http://testserver/agreements/{made.slug}/" in text
    assert "Only the month is stated." in told[datetime.date(2040, 2, 29)][1]
    assert "Only the" not in told[datetime.date(2031, 5, 4)][1]


@pytest.mark.shipped
def test_an_event_keeps_its_name_and_its_stamp(client):
    before = {str(e["UID"]): e.decoded("DTSTAMP") for e in events(client)}
    assert len(before) == len(events(client)) > 3
    assert {str(e["UID"]): e.decoded("DTSTAMP") for e in events(client)} == before
    for uid, stamp in before.items():
        agreement = Agreement.objects.get(slug=uid.partition(".")[0])
        assert stamp == agreement.updated_at.replace(microsecond=0)


def test_two_equal_milestones_are_two_events(client):
    make.agreement(
        signed_on="1998-07-01",
        milestones=[("review_due", "2029-09-30"), ("review_due", "2029-09-30")],
    )
    uids = {e["UID"] for e in events(client, "signed_after=1998-07-01&signed_before=1998-07-01")}
    assert len(uids) == 2


# --- For crawlers -------------------------------------------------------------------------------


def published_pages():
    pages = {"/", "/agreements/", "/agencies/", "/data/", "/about/"}
    pages |= {"/data/dictionary/", "/data/loading/"}
    pages |= {a.get_absolute_url() for a in Agreement.objects.register()}
    return pages | {a.get_absolute_url() for a in Agency.objects.register()}


@pytest.mark.slow
def test_the_sitemap_names_exactly_the_published_pages_and_each_answers(client):
    make.agreement(state="draft", participants=[make.agency()])
    root = ElementTree.fromstring(client.get("/sitemap.xml").content)  # noqa: S314 - our own
    found = [place.text for place in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert len(found) == len(set(found))
    assert {address.removeprefix("http://testserver") for address in found} == published_pages()
    assert {client.get(address).status_code for address in found} == {200}


def test_robots_are_kept_out_of_query_strings(client):
    lines = client.get("/robots.txt").content.decode().splitlines()
    assert lines == [
        "User-agent: *",
        "Disallow: /*?",
        "Disallow: /admin/",
        "Sitemap: http://testserver/sitemap.xml",
    ]


def test_every_page_has_one_address_and_says_what_it_is(client):
    for path in (
        "/",
        "/agreements/",
        "/agencies/",
        "/agencies/hsa/",
        "/data/",
        "/about/",
        "/agreements/hsa-mhlw-moc-2026/",
    ):
        content = client.get(path).content.decode()
        asked = client.get(path + "?as_of=2026-06-01").content.decode()
        address = f"http://testserver{path}"
        for text in (content, asked):
            assert re.findall(r'<link rel="canonical"\s+href="([^"]*)"', text) == [address]
            assert re.findall(r'<meta property="og:url"\s+content="([^"]*)"', text) == [address]
        assert 'name="robots"' not in content
        assert asked.count('<meta name="robots" content="noindex,follow">') == 1
        title = re.search(r"<title>(.+?) – moctracker</title>", content)[1]
        assert f'<meta property="og:title" content="{title}">' in content
        assert re.search(r'<meta name="description" content="[^"]{30,}">', content)


def test_a_title_with_quotation_marks_stays_in_its_attribute(client):
    made = make.agreement(title='Say "hello" <b>now</b>')
    content = client.get(made.get_absolute_url()).content.decode()
    assert "<b>now" not in content
    assert 'og:title" content="Say &quot;hello&quot; &lt;b&gt;now&lt;/b&gt;">' in content


def test_a_wrong_host_is_a_plain_400(client):
    assert client.get("/data/", headers={"host": "somebody.else.example"}).status_code == 400


def links(content):
    """The internal links of a page, without their fragments."""
    found = re.findall(r'<(?:a|link)\s[^>]*?href="(/[^"]*)"', content)
    return {address.partition("#")[0] for address in found if not address.startswith("/static/")}


@pytest.mark.slow
def test_every_internal_link_of_the_public_pages_resolves(client):
    waiting, seen = {"/"}, set()
    while waiting:
        address = waiting.pop()
        seen.add(address)
        response = client.get(address)
        assert response.status_code == 200, address
        if response["Content-Type"].startswith("text/html"):
            found = links(response.content.decode())
            waiting |= {link for link in found if "?" not in link} - seen
        else:
            b"".join(response)
    assert published_pages() <= seen


def test_the_fragments_of_a_page_exist(client):
    for path in ("/data/", "/about/", "/agreements/hsa-mhlw-moc-2026/", "/agencies/hsa/"):
        content = client.get(path).content.decode()
        for fragment in re.findall(r'href="#([^"]+)"', content):
            assert f'id="{fragment}"' in content, (path, fragment)


def test_a_list_offers_its_own_other_faces(client):
    query = "depth=reliance&amp;stage=manufacturing"
    content = client.get("/agreements/?depth=reliance&stage=manufacturing").content.decode()
    agency = client.get("/agencies/hsa/").content.decode()
    for face in MACHINES:
        assert content.count(f'href="{face}?{query}"') == 2, "in the head, and above the results"
        assert agency.count(f'href="{face}?participant=hsa"') == 2


@pytest.mark.parametrize("path", ["/", "/agreements/?q=HSA", "/agreements.csv", "/agencies/hsa/"])
def test_whoever_has_the_present_page_is_told_so_until_something_changes(client, path):
    tag = client.get(path)["ETag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    make.agreement()
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed["ETag"] != tag


def test_the_list_and_a_record_weigh_less_than_sixty_kilobytes(client):
    """Page and style sheets as they are sent, compressed."""
    static = Path(__file__).parents[1] / "agreements/static/agreements"
    sheets = sum(
        len(gzip.compress((static / name).read_bytes()))
        for name in ("site.css", "vendor/govuk-frontend.css", "mark.svg")
    )
    for path in ("/agreements/", "/agreements/hsa-mhlw-moc-2026/", "/agreements/project-orbis/"):
        page = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert page["Content-Encoding"] == "gzip"
        assert sheets + len(page.content) < 60_000, path
