"""What a browser or a cache may keep of a public answer, and when it must ask again."""

import re

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from agreements.history import record_change
from agreements.models import Agreement
from agreements.urls import urlpatterns
from agreements.views.answers import FOR_PROGRAMS
from tests import make

pytestmark = pytest.mark.django_db


def reversed_routes(**arguments):
    """The address of every public route, with these arguments where it takes any."""
    for route in urlpatterns:
        yield reverse(route.name, kwargs={n: arguments[n] for n in route.pattern.converters})


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
@pytest.mark.parametrize("method", ["get", "head"])
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
    monkeypatch.setattr("agreements.views.site.ruled", lambda *_: 1 / 0)
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
