"""What a browser or a cache may keep of a public answer, and when it must ask again."""

import json
import os
import re

import pytest
from django.test import Client
from django.urls import get_resolver

from agreements.exports import register_document
from agreements.faces.answer_cache import digest_of_files
from agreements.faces.answers import FOR_PROGRAMS
from agreements.models import Agency, Agreement, CooperationArea, Edition, ProductCategory
from agreements.record.after_change import record_change
from agreements.workflow import begin_working_copy
from tests import make
from tests.walk import reversed_routes

pytestmark = pytest.mark.django_db


def public_addresses():
    """Every public route with an answer, with nonsense in it, with a question that nobody
    understands, and with the name of a record that moved or was withdrawn."""
    one, two = make.agency(key="made-up-a"), make.agency(key="made-up-b")
    made = make.agreement(slug="made-up-moved", participants=[one, two])
    record_change([made.pk], reason="made", name="test")
    made.slug = "made-up-here"
    made.save()
    gone = make.agreement(slug="made-up-gone")
    gone.state, gone.withdrawal_kind = "withdrawn", "by_parties"
    gone.withdrawal_reason = "Made up."
    gone.save()
    agencies = {"key": one.key, "other": two.key, "name": "2026-11-24"}
    for slug in ("made-up-moved", "made-up-gone", "nonsense"):
        yield from (a for a in reversed_routes(slug=slug, **agencies) if slug in a)
    for address in reversed_routes(slug="made-up-here", **agencies):
        yield from (address, f"{address}?nonsense=1", f"{address}?as_of=nonsense&page=99")
    yield from ("/nonsense/", "/nonsense.json", "/nonsense", "/agreements")


def test_every_route_is_the_public_site_s_or_the_desk_s():
    for entry in get_resolver().url_patterns:
        assert getattr(entry, "urlconf_name", None) or str(entry.pattern).startswith("admin/")
    for address in reversed_routes(slug="x", key="x", other="y", name="x"):
        told = address.endswith(("/", *FOR_PROGRAMS)) or address in ("/sitemap.xml", "/robots.txt")
        assert told, "a page ends in a slash, what a program asks does not"


@pytest.mark.usefixtures("empty_register")
@pytest.mark.parametrize("method", ["get", pytest.param("head", marks=pytest.mark.slow)])
def test_every_public_answer_says_how_it_may_be_kept(client, method):
    seen = set()
    for address in public_addresses():
        response = getattr(client, method)(address)
        assert response["Cache-Control"] == "public, no-cache", address
        seen.add(response.status_code)
        if tag := response.get("ETag"):
            response = getattr(client, method)(address, headers={"If-None-Match": tag})
            assert response["Cache-Control"] == "public, no-cache", address
            seen.add(response.status_code)
    assert seen >= {200, 301, 304, 400, 404, 410}


def test_what_is_refused_for_its_host_its_method_or_its_scheme_says_it_too(client, settings):
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
    settings.SECURE_SSL_REDIRECT = True
    for response in (
        client.get("/", headers={"Host": "elsewhere.example"}),
        client.post("/agreements/", secure=True),
        client.post("/agreements.json", secure=True),
        Client().get("/agreements/"),
    ):
        assert response.status_code in (400, 405, 301)
        assert response["Cache-Control"] == "public, no-cache"


def test_an_error_of_ours_is_kept_by_nobody(client, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr("agreements.pages.site.listed", lambda *_: 1 / 0)
    response = client.get("/")
    assert (response.status_code, response["Cache-Control"]) == (500, "no-store")
    assert "ETag" not in response


def test_the_desk_is_kept_by_nobody(client, admin_client):
    for visitor in (client, admin_client):
        for address in ("/admin/", "/admin/login/", "/admin/nonsense/", "/admin/stored/sources/x"):
            response = visitor.get(address)
            directives = re.split(", *", response["Cache-Control"])
            assert {"private", "no-store"} <= set(directives), (address, directives)


def test_whoever_followed_a_move_can_follow_the_move_back(client):
    """A browser keeps a 301 for good unless it is told to ask again."""
    made = make.agreement(slug="made-up-a")
    for slug, former in (("made-up-b", "made-up-a"), ("made-up-a", "made-up-b")):
        made.slug = slug
        made.save()
        moved = client.get(f"/agreements/{former}/")
        assert (moved.status_code, moved["Location"]) == (301, f"/agreements/{slug}/")
        assert "no-cache" in moved["Cache-Control"]
        assert client.get(f"/agreements/{slug}/").status_code == 200


def test_whoever_saw_a_withdrawal_asks_again_and_sees_the_record(client):
    made = make.agreement(slug="made-up-a")
    record_change([made.pk], reason="made", name="test")
    fields = {"withdrawal_kind": "published_in_error", "withdrawal_reason": "Made up."}
    Agreement.objects.filter(pk=made.pk).update(state="withdrawn", **fields)
    record_change([made.pk], reason="withdrawn", name="test")
    gone = client.get("/agreements/made-up-a/")
    assert (gone.status_code, gone["Cache-Control"]) == (410, "public, no-cache")
    Agreement.objects.filter(pk=made.pk).update(
        state="published", withdrawal_kind="", withdrawal_reason=""
    )
    record_change([made.pk], reason="published again", name="test")
    asked = client.get("/agreements/made-up-a/", headers={"If-None-Match": gone["ETag"]})
    assert asked.status_code == 200


# --- What begins a new edition ------------------------------------------------------------------


def tags(client):
    """The entity tag of every public answer that has one."""
    agencies = {"key": "made-up-a", "other": "made-up-b", "name": "x"}
    addresses = reversed_routes(slug="made-up", **agencies)
    # Whoever has any page is told the tag of the present one, and the page is not made.
    asked = {a: client.get(a, headers={"If-None-Match": "*"}) for a in addresses}
    return {a: answer["ETag"] for a, answer in asked.items() if answer.status_code == 304}


@pytest.fixture
def two_agencies(empty_register):
    return make.agency(key="made-up-a"), make.agency(key="made-up-b")


@pytest.fixture
def published(two_agencies):
    made = make.agreement(slug="made-up", participants=two_agencies)
    make.source(made)
    record_change([made.pk], reason="made", name="test")
    return made


@pytest.fixture
def draft(two_agencies):
    made = make.agreement(slug="made-up-draft", state="draft", participants=two_agencies)
    record_change([made.pk], reason="made", name="test")
    return made


def edited(agreement, **fields):
    Agreement.objects.filter(pk=agreement.pk).update(**fields)
    record_change([agreement.pk], reason="edited", name="test")


def saved(model, **fields):
    """The desk's form of this row, saved with these fields."""

    def by(admin_client, row):
        address = f"/admin/agreements/{model}/{row.pk}/change/"
        shown = admin_client.get(address).context["adminform"].form
        data = {name: shown[name].value() for name in shown.fields}
        data = {name: value for name, value in data.items() if value not in (None, False)}
        data |= {"names-TOTAL_FORMS": 0, "names-INITIAL_FORMS": 0}
        data["lock_version"] = make.version(row)
        response = admin_client.post(address, data | fields)
        assert response.status_code == 302, response.context["errors"]

    return by


def test_what_changes_nothing_public_changes_no_entity_tag(
    client, admin_client, admin_user, published, draft
):
    hidden = make.agency(key="made-up-hidden")
    of_all, before = {Edition.of_all()}, tags(client)
    assert len(before) > 25

    def stands(*, of_drafts=True):
        assert tags(client) == before
        if of_drafts:
            assert Edition.of_all() not in of_all
        of_all.add(Edition.of_all())

    edited(draft, title="Made-up title", staff_notes="x")
    stands()
    edited(draft, state="in_review")
    stands()
    copy = begin_working_copy(
        published.pk, Agreement.objects.get(pk=published.pk).lock_version, admin_user
    )
    stands()
    edited(copy, title="Made-up title of a working copy")
    stands()
    saved("agency", name="Made-up name")(admin_client, hidden)
    stands()
    record_change([published.pk], reason="nothing of its own", name="test")
    saved("agency")(admin_client, Agency.objects.get(key="made-up-a"))
    saved("cooperationarea")(admin_client, CooperationArea.objects.first())
    stands(of_drafts=False)


def test_what_the_public_can_see_changes_every_entity_tag(
    client, admin_client, published, draft, two_agencies
):
    withdrawal = {"withdrawal_kind": "by_parties", "withdrawal_reason": "Made up."}
    parent = make.agency()
    area, product = CooperationArea.objects.first(), ProductCategory.objects.first()
    for change in (
        lambda: edited(draft, state="published"),
        lambda: edited(published, summary="Made-up summary."),
        lambda: edited(published, slug="made-up-moved"),
        lambda: edited(published, slug="made-up"),
        lambda: edited(draft, state="withdrawn", **withdrawal),
        lambda: edited(draft, withdrawal_reason="Told otherwise."),
        lambda: edited(draft, state="published"),
        lambda: saved("agency", name="Made-up name", parent=parent.pk)(
            admin_client, two_agencies[0]
        ),
        # No agreement names it, but the page of what belongs to it does.
        lambda: saved("agency", name="Made-up parent")(admin_client, parent),
        lambda: saved("cooperationarea", name="Made-up area")(admin_client, area),
        lambda: saved("productcategory", name="Made-up product")(admin_client, product),
    ):
        before = tags(client)
        change()
        after = tags(client)
        assert not [address for address in before if before[address] == after.get(address)]


def test_an_import_that_brings_nothing_but_a_new_term_changes_every_entity_tag(client, published):
    document = json.loads("".join(register_document(Agreement.objects.register())))
    document["products"].append(document["products"][0] | {"code": "made-up", "name": "Made up"})
    before = tags(client)
    make.import_register(document, reason="made", name="test")
    after = tags(client)
    assert not [address for address in before if before[address] == after[address]]


def test_the_entity_tags_of_two_machines_with_the_same_code_agree(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "pages").mkdir(parents=True)
        (folder / "pages/a.html").write_text("a")
        (folder / "b.py").write_text("b")
    (other / "__pycache__").mkdir()
    (other / "__pycache__/b.cpython-311.pyc").write_text("made by this machine")
    os.utime(other / "b.py", (0, 0))
    assert digest_of_files([one]) == digest_of_files([other])
    (other / "pages/a.html").write_text("c")
    assert digest_of_files([one]) != digest_of_files([other])
    (other / "pages/a.html").write_text("a")
    (other / "b.py").rename(other / "c.py")
    assert digest_of_files([one]) != digest_of_files([other])
