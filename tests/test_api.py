"""The faces for programs keep what their description promises, and a copy kept by them is whole."""

import datetime
import gzip
import json

import jsonschema
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from agreements import exports, releases
from agreements.faces import api as faces
from agreements.models import Agency, Agreement, CooperationArea, Relation
from agreements.models.querysets import PublicationState
from agreements.question import AgreementFilterSet, CoverageFilterSet, current
from agreements.record.after_change import record_change
from agreements.record.derive import reindex_agencies, reindex_terms
from agreements.rules.coverage import Stage
from moctracker.wsgi import application
from tests import make
from tests.questions import PROBLEMS, QUESTIONS
from tests.walk import CANARY, hidden_record, public_paths

pytestmark = pytest.mark.django_db

TABLES = [*(f"/{name}.csv" for name in exports.TABLES), "/agreements.xlsx"]
LISTS = ["/agreements.json", "/agreements.atom", "/agreements.ics", *TABLES]
RECORDS = ["/agreements/{slug}.json", "/agreements/{slug}.bib", "/agreements/{slug}.csl.json"]
OTHERS = ["/agencies.json", "/agencies/{key}.json", "/areas.json", "/products.json"]
RELEASES = ["/data/releases/{name}.json", "/data/latest.zip", "/data/moctracker-{name}.zip"]
COVERAGE = "/coverage.csv"
SINCE = "2040-01-01T00:00:00Z"


@pytest.fixture
def described(client):
    return client.get("/api/openapi.json").json()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    """Three records a page: what is true of pages is seen, and fast."""
    monkeypatch.setattr(faces, "RECORDS_A_PAGE", 3)


def changed(agreement, minute, second=0):
    """The record as if it had changed in this minute of the first day of 2040."""
    moment = datetime.datetime(2040, 1, 1, 0, minute, second, tzinfo=datetime.UTC)
    Agreement.objects.filter(pk=agreement.pk).update(updated_at=moment)
    make.derived(agreement)
    return agreement


def withdraw(agreement, kind="published_in_error", **fields):
    agreement.state, agreement.withdrawal_kind = PublicationState.WITHDRAWN, kind
    agreement.withdrawal_reason = "Typed twice."
    for name, value in fields.items():
        setattr(agreement, name, value)
    agreement.save()
    record_change([agreement.pk], reason="withdrawn", name="test")


def harvested(client, address=f"/agreements.json?updated_since={SINCE}", between=()):
    """The slugs told, in order, and where to go on later. After each page the next of ``between``
    happens."""
    found, happenings = [], iter(between)
    while address:
        page = client.get(address).json()
        found += [told["slug"] for told in page["agreements"] + page["withdrawn"]]
        assert len(page["agreements"] + page["withdrawn"]) <= faces.RECORDS_A_PAGE
        next(happenings, lambda: None)()
        address = page["next"]
    return found, page["resume"]


# --- The description ----------------------------------------------------------------------------


def test_every_face_for_programs_is_described(described):
    """Except the description itself."""
    faces_there = {
        path.replace("<slug:", "{").replace(">", "}")
        for path, _ in public_paths()
        if "." in path and not path.endswith((".xml", ".txt"))
    }
    assert set(described["paths"]) == faces_there - {"/api/openapi.json"}
    assert set(described["paths"]) == {*LISTS, COVERAGE, *RECORDS, *OTHERS, *RELEASES}


def test_every_filter_is_described_in_its_own_words_with_the_values_it_takes(described):
    declared = AgreementFilterSet.base_filters
    for path in LISTS:
        told = {each["name"]: each for each in described["paths"][path]["get"]["parameters"]}
        assert set(told) - {"page", "after"} == set(declared)
        assert ("page" in told) is (path == "/agreements.json")
        for name, declared_filter in declared.items():
            assert told[name]["description"] == declared_filter.extra["help_text"]
    values = told["stage"]["schema"]["items"]["enum"]
    assert values == [*Stage.values, ""]
    assert set(told["participant"]["schema"]["items"]["enum"]) - {""} == {
        key for key, _ in current().choices["participant"]
    }


def test_the_table_of_partners_is_described_with_its_filters_and_its_one_subject(client, described):
    operation = described["paths"][COVERAGE]["get"]
    told = {each["name"]: each for each in operation["parameters"]}
    subject = told.pop("subject")
    assert subject["required"]
    alternatives = {}
    for alternative in subject["schema"]["oneOf"]:
        assert alternative["required"] == list(alternative["properties"])
        alternatives |= alternative["properties"]
    assert set(alternatives) == {"agency", "country"}
    for name, declared in CoverageFilterSet.base_filters.items():
        assert (told | alternatives)[name]["description"] == declared.extra["help_text"]
    assert set(told | alternatives) == set(CoverageFilterSet.base_filters)
    for name, schema in alternatives.items():
        for value in (schema["enum"][0], schema["enum"][-1]):
            assert client.get(COVERAGE, {name: value}).status_code == 200


def test_no_object_has_room_for_a_field_that_is_not_described(described):
    """Every object names all its fields, each typed and described as the allow-list has them."""

    def objects(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for value in schema.values():
                yield from objects(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from objects(value)

    schemas = described["components"]["schemas"]
    for schema in objects(schemas):
        if "properties" not in schema:
            assert schema["additionalProperties"]["type"]
            continue
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
        for name, value in schema["properties"].items():
            assert {"type", "$ref", "anyOf"} & set(value), name
    for model, names in exports.PUBLIC.items():
        schema = schemas["AgencyRecord" if model is Agency else model.__name__]
        assert set(names) <= set(schema["properties"])
        for name in names:
            assert schema["properties"][name]["description"]


@pytest.mark.shipped
def test_the_whole_register_is_as_described(client, described, monkeypatch, settings, tmp_path):
    settings.RELEASES_ROOT = tmp_path
    monkeypatch.setattr(faces, "RECORDS_A_PAGE", 100)

    def matching(name):
        schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        return jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        ).validate

    address, slugs = "/agreements.json", []
    while address:
        page = client.get(address).json()
        matching("AgreementList")(page)
        slugs += [told["slug"] for told in page["agreements"]]
        address = page["next"]
    assert len(slugs) == Agreement.objects.register().count() > 100
    for slug in slugs[::15]:
        matching("AgreementRecord")(client.get(f"/agreements/{slug}.json").json())
    release = releases.build(datetime.date(2026, 11, 24), "https://register.example")
    touched = Agreement.objects.get(slug=slugs[0])
    touched.title = "Another title"
    touched.save()
    record_change([touched.pk], reason="test", name="test")
    later = releases.build(datetime.date(2026, 11, 24), "https://register.example")
    for each in (release, later):
        matching("Release")(client.get(f"/data/releases/{each.name}.json").json())
    assert later.changes["agreements"]["changed"]
    matching("AgencyList")(client.get("/agencies.json").json())
    withdraw(make.agreement(slug="made-up-gone"))
    matching("Gone")(client.get("/agreements/made-up-gone.json").json())
    matching("AgreementList")(client.get(f"/agreements.json?updated_since={SINCE}").json())


def test_the_examples_of_the_description_have_answers(client, described):
    responses = described["paths"]["/agreements/{slug}.json"]["get"]["responses"]
    example = responses["200"]["content"]["application/json"]["example"]
    assert example == client.get(f"/agreements/{example['slug']}.json").json()
    for parameter in described["paths"]["/agreements.json"]["get"]["parameters"]:
        if "example" in parameter:
            response = client.get("/agreements.json", {parameter["name"]: parameter["example"]})
            assert response.json()["count"], parameter["name"]
    for path in (*RECORDS, *OTHERS):
        for parameter in described["paths"][path]["get"]["parameters"]:
            for value in parameter.get("examples", ()):
                name = parameter["name"]
                assert client.get(path.replace(f"{{{name}}}", value)).status_code == 200


@pytest.fixture
def contract():
    """The description as schemathesis reads it, over WSGI, without ending the test's connection."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/openapi.json", application)
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(
    "path", [*LISTS[:4], "/provisions.csv", TABLES[-1], COVERAGE, *RECORDS, *OTHERS, *RELEASES]
)
def test_every_answer_is_as_described(contract, path, mode):
    """Status, kind of content, headers and content; what is wrong is refused, what is right is
    not; no method but those described is answered."""
    operation = contract[path]["GET"]
    if mode == GenerationMode.NEGATIVE and not list(operation.iter_parameters()):
        pytest.skip("it takes nothing that could be wrong")

    @settings(max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        # The client of schemathesis does not unpack what is compressed.
        case.call_and_validate(headers={"Accept-Encoding": "identity"})

    check()


# --- Keeping a copy -----------------------------------------------------------------------------


def test_what_changed_since_is_told_in_the_order_of_change_and_every_page_goes_on(client):
    made = [changed(make.agreement(), minute=40 - n) for n in range(8)]
    found, resume = harvested(client)
    assert found == [agreement.slug for agreement in reversed(made)]
    assert harvested(client, resume) == ([], resume)
    changed(made[3], minute=50)
    assert harvested(client, resume)[0] == [made[3].slug]


def test_a_day_begins_at_midnight_in_singapore_and_the_moment_itself_counts(client):
    made = changed(make.agreement(), minute=0)
    for since, told in (
        ("2040-01-01", True),
        ("2040-01-01T08:00:00%2B08:00", True),
        ("2040-01-01T00:00:00Z", True),
        ("2040-01-01T00:00:00.000001Z", False),
        ("2040-01-02", False),
    ):
        page = client.get(f"/agreements.json?updated_since={since}").json()
        assert ([a["slug"] for a in page["agreements"]] == [made.slug]) is told, since


def test_nothing_is_lost_while_records_change_between_the_pages(client):
    made = [changed(make.agreement(), minute=n) for n in range(10)]
    found, resume = harvested(
        client,
        between=[
            # What was told already goes to the end: by numbers, the fourth would fall out.
            lambda: changed(made[0], minute=50),
            lambda: withdraw(changed(made[9], minute=51)) or changed(made[9], minute=51),
            lambda: changed(make.agreement(slug="made-up-new"), minute=52),
        ],
    )
    assert set(found) == {a.slug for a in made} | {"made-up-new"}
    assert found.count(made[0].slug) == 2
    assert harvested(client, resume)[0] == []


def test_many_records_of_one_moment_are_told_once_each_by_name(client):
    made = [changed(make.agreement(), minute=1) for _ in range(7)]
    withdraw(made[4])
    changed(made[4], minute=1)
    found, _ = harvested(client)
    assert sorted(found) == sorted(agreement.slug for agreement in made)


@pytest.mark.slow
@pytest.mark.parametrize("query", [*QUESTIONS, "q=%3F"])
def test_the_order_of_change_tells_what_the_list_tells_and_every_tombstone(
    client, monkeypatch, query
):
    monkeypatch.setattr(faces, "RECORDS_A_PAGE", 20)
    withdraw(make.agreement(slug="made-up-gone"))
    asked = QueryDict(query, mutable=True)
    for name in ("sort", "updated_since"):
        asked.pop(name, None)
    listed = AgreementFilterSet(asked, Agreement.objects.register())
    assert not listed.problems
    found, _ = harvested(client, f"/agreements.json?{asked.urlencode()}&updated_since=2000-01-01")
    slugs = listed.qs.values_list("slug", flat=True)
    assert sorted(found) == sorted([*slugs, "made-up-gone"])


def test_a_record_withdrawn_while_a_page_is_made_is_told_as_what_it_is(client, monkeypatch):
    made = [changed(make.agreement(), minute=n) for n in range(2)]
    decided = faces._in_order_of_change

    def meanwhile(*asked):
        rows = list(decided(*asked))
        withdraw(made[0])
        return iter(rows)

    with monkeypatch.context() as patched:
        patched.setattr(faces, "_in_order_of_change", meanwhile)
        page = client.get(f"/agreements.json?updated_since={SINCE}").json()
    assert [told["slug"] for told in page["agreements"]] == [made[1].slug]
    assert [told["slug"] for told in page["withdrawn"]] == [made[0].slug]
    changed(made[0], minute=2)
    assert harvested(client, page["resume"])[0] == [made[0].slug]


def test_a_withdrawn_record_leaves_its_tombstone_whatever_else_is_asked(client):
    into = Agreement.objects.get(slug="jsepa-2002")
    made, draft = make.agreement(slug="made-up-gone"), make.agreement(state="draft")
    withdraw(made, "merged", merged_into=into, withdrawn_on="2026-06-07")
    changed(made, minute=1)
    changed(draft, minute=1)
    for others in ("", "&participant=hsa", "&q=nothingatallmatchesthis", "&as_of=2011-01-01"):
        page = client.get(f"/agreements.json?updated_since={SINCE}{others}").json()
        assert page["withdrawn"] == [
            {
                "slug": "made-up-gone",
                "url": "http://testserver/agreements/made-up-gone/",
                "former_slugs": [],
                "withdrawn": {
                    "on": "2026-06-07",
                    "kind": "merged",
                    "reason": "Typed twice.",
                    "merged_into": "http://testserver/agreements/jsepa-2002/",
                },
            }
        ]
        assert page["agreements"] == []
    assert client.get("/agreements.json").json()["withdrawn"] is None
    told = client.get(f"/agreements.json?updated_since={SINCE}&sort=newest").json()
    assert (told["withdrawn"], told["resume"], told["page"]) == (None, None, 1)


def test_a_tombstone_tells_nothing_else_of_the_record(client):
    agreement, _ = hidden_record(PublicationState.PUBLISHED)
    agreement.slug = "made-up-withdrawn"
    withdraw(agreement)
    agreement.former_slugs.all().delete()
    response = client.get("/agreements.json?updated_since=2000-01-01&q=nothingatallmatchesthis")
    assert "made-up-withdrawn" in response.content.decode()
    assert CANARY.casefold() not in response.content.decode().casefold()
    for state in set(PublicationState) - {PublicationState.PUBLISHED, PublicationState.WITHDRAWN}:
        Agreement.objects.filter(pk=agreement.pk).update(state=state)
        response = client.get("/agreements.json?updated_since=2000-01-01&q=nothingatall")
        assert response.json()["withdrawn"] == []


def test_a_record_that_moved_is_told_under_its_new_name_with_the_old_one(client):
    made = make.agreement(slug="made-up-a")
    record_change([made.pk], reason="made", name="test")
    since = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
    made.slug = "made-up-b"
    made.save()
    record_change([made.pk], reason="moved", name="test")
    (told,) = client.get(f"/agreements.json?updated_since={since}").json()["agreements"]
    assert (told["slug"], told["former_slugs"]) == ("made-up-b", [{"slug": "made-up-a"}])


def told_of_all(client):
    """What the JSON of every public record says, and when it says it changed."""
    told = {
        slug: client.get(f"/agreements/{slug}.json").json()
        for slug in Agreement.objects.register().values_list("slug", flat=True)
    }
    return told, {slug: record.pop("updated_at") for slug, record in told.items()}


@pytest.mark.parametrize(
    "change", ["withdrawn", "moved", "related", "unrelated", "published", "restaged"]
)
def test_whatever_changes_what_is_told_of_a_record_dates_it_anew(client, empty_register, change):
    earlier, later, other = (make.agreement(slug=f"made-up-{name}") for name in "abc")
    relation = Relation.objects.create(agreement=later, kind="amends", target=earlier)
    draft = make.agreement(slug="made-up-draft", state="draft")
    Relation.objects.create(agreement=draft, kind="renews", target=earlier)
    area = make.provision(other).area
    everything = [earlier.pk, later.pk, other.pk, draft.pk]
    record_change(everything, reason="made", name="test")
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    Agreement.objects.update(updated_at=long_ago)
    make.derived(earlier, later, other, draft)
    before, _ = told_of_all(client)
    if change == "withdrawn":
        withdraw(earlier)
    elif change == "moved":
        earlier.slug = "made-up-moved"
        earlier.save()
    elif change == "related":
        Relation.objects.create(agreement=earlier, kind="part_of", target=other)
    elif change == "unrelated":
        relation.delete()
    elif change == "published":
        draft.state = PublicationState.PUBLISHED
        draft.save()
    else:
        area = CooperationArea.objects.get(pk=area.pk)
        area.stage = "registration"
        area.save()
        reindex_terms([area])
    record_change(everything, reason="changed", name="test")
    after, dated = told_of_all(client)
    changed_records = {slug for slug, told in after.items() if told != before.get(slug)}
    assert {slug for slug, moment in dated.items() if moment[:4] != "2020"} == changed_records
    assert {
        "withdrawn": {"made-up-b"},
        "moved": {"made-up-moved", "made-up-b"},
        "related": {"made-up-a", "made-up-c"},
        "unrelated": {"made-up-a", "made-up-b"},
        "published": {"made-up-a", "made-up-draft"},
        "restaged": {"made-up-c"},
    }[change] == changed_records


def test_a_renamed_agency_or_term_changes_no_record_but_its_own(client, empty_register):
    agency = make.agency(key="made-up-agency")
    area = make.provision(make.agreement(participants=[agency])).area
    before = told_of_all(client)
    agency.name = area.name = "Made-up name"
    agency.save()
    area.save()
    reindex_agencies([agency.pk])
    reindex_terms([area])
    assert told_of_all(client) == before
    assert client.get("/agencies/made-up-agency.json").json()["name"] == "Made-up name"
    assert "Made-up name" in [each["name"] for each in client.get("/areas.json").json()["areas"]]


def test_the_edition_is_taken_before_the_time_is(reference):
    """The one row of the edition is locked until the change is committed. So what is committed
    later bears a later time, and no reader has gone past it."""
    reference.summary = "Made-up summary."
    reference.save()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        record_change([reference.pk], reason="made", name="test")
    written = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    tables = [sql.split('"')[1] for sql in written]
    assert tables.index("agreements_edition") < tables.index("agreements_agreement")


# --- Agencies and vocabularies ------------------------------------------------------------------


def test_agencies_and_vocabularies_are_told_as_they_are_exported(client):
    address, told = "/agencies.json", []
    while address:
        page = client.get(address).json()
        told += page["agencies"]
        address = page["next"]
        if page["page"] == 5:
            break
    keys = sorted(Agency.objects.register().values_list("key", flat=True))
    assert [agency["key"] for agency in told] == keys[:15]
    hsa = client.get("/agencies/hsa.json").json()
    record = exports.record(Agency.objects.get(key="hsa"))
    assert {name: hsa[name] for name in record} == record
    assert client.get(hsa["agreements_url"]).json()["count"] == hsa["agreements"]
    codes = [area["code"] for area in client.get("/areas.json").json()["areas"]]
    assert codes == list(CooperationArea.objects.values_list("code", flat=True))
    assert client.get("/products.json").json()["products"][0]["code"]


def test_an_agency_of_drafts_only_is_nowhere(client):
    hidden = make.agency(key="made-up-hidden")
    make.agreement(participants=[hidden], state="draft")
    assert client.get("/agencies/made-up-hidden.json").status_code == 404
    pages = client.get("/agencies.json").json()["pages"]
    for page in range(1, pages + 1):
        assert "made-up-hidden" not in client.get(f"/agencies.json?page={page}").content.decode()


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status", "name"),
    [
        ("/agreements.json?colour=red", 400, "colour"),
        ("/agreements.json?updated_since=2026-04-20T09:30:00", 400, "updated_since"),
        ("/agreements.json?page=two", 400, "page"),
        ("/agreements.json?page=99", 404, "page"),
        ("/agreements.json?updated_since=2020-01-01&page=2", 404, "page"),
        ("/agreements.json?after=2020-01-01,a", 404, "after"),
        ("/agreements.json?updated_since=2020-01-01&after=x", 404, "after"),
        ("/agreements.json?updated_since=2020-01-01&after=2020-13-01,a", 404, "after"),
        ("/agreements.json?updated_since=2020-01-01&after=2020-01-01,a%00", 404, "after"),
        ("/agreements.json?updated_since=2020-01-01&after=", 404, "after"),
        ("/agreements/nonsense.json", 404, "address"),
        ("/agreements/NO%20SLUG.json", 404, "address"),
        ("/no/such/address.json", 404, "address"),
        ("/agreements/made-up-gone.json", 410, "address"),
        ("/agencies.json?as_of=2011-01-01", 400, "as_of"),
        ("/agencies.json?page=0", 404, "page"),
        ("/agencies/nobody.json", 404, "address"),
        ("/areas.json?page=1", 400, "page"),
        ("/api/openapi.json?version=2", 400, "version"),
    ],
)
def test_a_refusal_is_a_problem_document_that_names_what_is_wrong(client, address, status, name):
    withdraw(make.agreement(slug="made-up-gone"))
    response = client.get(address)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response["Access-Control-Allow-Origin"] == "*"
    told = response.json()
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert list(told["problems"]) == [name]
    assert told["detail"].startswith(f"{name}: ")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
def test_nobody_writes_and_the_refusal_says_what_is_allowed(method):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    for address in ("/agreements.json", "/agencies.json", "/api/openapi.json", "/agreements.csv"):
        response = getattr(strict, method)(address)
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")
        if address.endswith("json"):
            assert response["Content-Type"] == "application/problem+json"
            assert list(response.json()["problems"]) == ["method"]


@pytest.mark.parametrize("query", [*PROBLEMS, "updated_since=%00", "after=" + "9" * 5000])
def test_hostile_questions_are_refused_in_the_order_of_change_too(client, query):
    response = client.get(f"/agreements.json?{query}&stage=registration&updated_since=2020-01-01")
    assert response.status_code in (400, 404)


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999-12:00"])
def test_the_first_and_the_last_moment_there_is_are_moments(client, moment):
    for path in ("/agreements.json", "/agreements/", "/agreements.csv"):
        assert client.get(path, {"updated_since": moment}, follow=True).status_code == 200


# --- HTTP ---------------------------------------------------------------------------------------


ADDRESSES = [
    "/agreements.json",
    "/agreements.json?updated_since=2020-01-01",
    "/agreements/hsa-mhlw-moc-2026.json",
    "/agencies.json",
    "/agencies/hsa.json",
    "/areas.json",
    "/products.json",
    "/api/openapi.json",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_any_script_may_ask_and_whoever_has_the_present_answer_is_told_so(client, address):
    first = client.get(
        address, headers={"Accept-Encoding": "gzip", "Origin": "https://example.org"}
    )
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    head = client.head(address)
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")
    for response in (first, again, head):
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Cache-Control"] == "public, no-cache"
        assert '</api/openapi.json>; rel="service-desc"' in response["Link"]
    assert first["Vary"] == "Accept-Encoding"
    assert json.loads(gzip.decompress(first.content))
    make.agreement()
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_the_page_for_people_leads_programs_to_the_description(client):
    page = client.get("/data/")
    assert page["Link"] == '</api/openapi.json>; rel="service-desc"; type="application/json"'
    assert 'href="/api/openapi.json"' in page.content.decode()


def test_a_browser_may_send_headers_of_its_own(client):
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    for address in (*ADDRESSES, "/agreements.csv"):
        response = client.options(address, headers=asked)
        assert (response.status_code, response.content) == (204, b"")
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert response["Access-Control-Allow-Headers"] == "*"


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/agreements.json", 3),
        ("/agreements.json?updated_since=2020-01-01", 4),
        ("/agencies.json", 6),
        ("/agencies/hsa.json", 4),
        ("/areas.json", 2),
        ("/products.json", 2),
        ("/api/openapi.json", 8),
    ],
)
def test_query_counts_do_not_grow(client, django_assert_max_num_queries, address, most):
    client.get("/agreements/")
    for _ in range(2):
        with django_assert_max_num_queries(most):
            assert client.get(address).status_code == 200
        hsa = Agency.objects.get(key="hsa")
        for _ in range(3):
            make.agreement(participants=[hsa, make.agency()], provisions=[{}])
        client.get("/agreements/")
