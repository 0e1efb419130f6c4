"""A public answer is made once per edition, kept, and never anybody's own."""

import datetime
import gzip
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agreements import workflow
from agreements.faces import answer_cache
from agreements.faces.answer_cache import PublicEdition, ResponseCache, cache, conditional
from agreements.models import Agreement, Edition
from agreements.record.after_change import record_change
from tests import make, moving
from tests.walk import reversed_routes

pytestmark = pytest.mark.django_db
LIST, RECORD = "/agreements/", "/agreements/hsa-mhlw-moc-2026/"
PACKED = {"Accept-Encoding": "gzip, deflate"}


@pytest.fixture(autouse=True)
def kept(no_response_cache, settings):
    """The cache, switched on and empty."""
    settings.ANSWER_CACHE_BYTES = 2**25
    cache.clear()
    yield cache
    cache.clear()


def made(client, address, **options):
    """Whether the answer had to be made: a kept one costs one query."""
    with CaptureQueriesContext(connection) as queries:
        client.get(address, **options)
    return len(queries) > 1


def told(response):
    """All that a reader is told."""
    return response.status_code, dict(response.headers), b"".join(response)


def addresses():
    yield from reversed_routes(slug="hsa-mhlw-moc-2026", key="hsa", other="mhlw", name="2026-11-24")
    yield from ("/agreements/?nonsense=1", "/agreements/?page=99", "/agreements/?page=1")
    yield from (f"{RECORD}?as_of=nonsense", "/agreements/nowhere/", "/coverage/?nonsense=1")
    yield from ("/agreements.json?q=HSA", "/agreements.json?nonsense=1", "/agencies/nowhere.json")


# --- A kept answer is the same answer -----------------------------------------------------------


def test_an_answer_again_in_the_same_edition_is_the_same_and_costs_one_query(
    client, django_assert_num_queries
):
    for address in (LIST, RECORD, "/", "/coverage/?agency=hsa", "/agreements.json", "/sitemap.xml"):
        first = told(client.get(address))
        with django_assert_num_queries(1):
            again = told(client.get(address))
        assert first == again, address
        assert first[0] == 200
        assert first[1]["ETag"].startswith('"')


@pytest.mark.slow
def test_what_is_kept_is_what_would_be_made_for_whoever_asks(client, admin_client, settings):
    """The law behind the cache: an answer depends on nothing that its key leaves out."""
    for address in addresses():
        first, again = told(client.get(address)), told(client.get(address))
        of_staff = told(admin_client.get(address))
        settings.ANSWER_CACHE_BYTES = 0
        assert first == again == of_staff == told(client.get(address)), address
        settings.ANSWER_CACHE_BYTES = 2**25


def test_a_compressed_answer_differs_from_one_that_is_not_kept_by_its_padding_only(
    client, settings
):
    for address in (LIST, "/agreements.json", "/robots.txt", "/agreements.xlsx"):
        kept, body = client.get(address, headers=PACKED), client.get(address).content
        settings.ANSWER_CACHE_BYTES = 0
        usual = client.get(address, headers=PACKED)
        settings.ANSWER_CACHE_BYTES = 2**25
        names = set(usual.headers) | set(kept.headers)
        differ = {name for name in names if usual.get(name) != kept.get(name)}
        assert differ <= {"Content-Length"}, address
        packed = kept.get("Content-Encoding") == "gzip"
        assert (gzip.decompress(kept.content) if packed else kept.content) == body


def test_refusals_and_redirects_are_kept_too(client):
    moved, gone = make.agreement(slug="made-up-old"), make.agreement(slug="made-up-gone")
    record_change([moved.pk], reason="made", name="test")
    moved.slug = "made-up-new"
    moved.save()
    withdrawal = {"withdrawal_kind": "by_parties", "withdrawal_reason": "Made up."}
    Agreement.objects.filter(pk=gone.pk).update(state="withdrawn", **withdrawal)
    record_change([gone.pk], reason="withdrawn", name="test")
    for address, status in (
        ("/agreements/made-up-old/", 301),
        ("/agreements/?page=1", 302),
        ("/agreements/?nonsense=1", 400),
        (f"{RECORD}?as_of=nonsense", 400),
        ("/agreements.json?page=99", 404),
        ("/agreements/nowhere/", 404),
        ("/agreements/made-up-gone/", 410),
    ):
        first = client.get(address)
        assert first.status_code == status
        assert not made(client, address), address
        assert told(client.get(address)) == told(first)


def test_a_kept_answer_is_compressed_once_and_unpacked_for_whoever_wants_that(client):
    packed, plain = client.get(LIST, headers=PACKED), client.get(LIST)
    assert packed["Content-Encoding"] == "gzip"
    assert packed["ETag"] == f"W/{plain['ETag']}"
    assert gzip.decompress(packed.content) == plain.content
    for response in (packed, plain):
        assert int(response["Content-Length"]) == len(response.content)
        assert response["Vary"] == "Accept-Encoding"
    assert client.get(LIST, headers=PACKED).content == packed.content
    assert cache.size < len(plain.content) / 3


def test_whoever_has_a_kept_answer_is_told_that_it_stands(client):
    tag = client.get(LIST)["ETag"]
    for known in (tag, f"W/{tag}"):
        response = client.get(LIST, headers={"If-None-Match": known})
        assert (response.status_code, response["ETag"], response.content) == (304, tag, b"")


def test_the_head_of_an_answer_comes_from_the_cache_but_is_not_kept(client):
    head = client.head(LIST)
    assert cache.size == 0
    client.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        again = client.head(LIST)
    assert len(queries) == 1
    assert dict(again.headers) == dict(head.headers)


def test_a_workbook_is_kept_and_not_compressed_again(client):
    first = client.get("/agreements.xlsx", headers=PACKED)
    assert not made(client, "/agreements.xlsx")
    assert "Content-Encoding" not in first
    assert b"".join(client.get("/agreements.xlsx")) == first.content


# --- What is another answer ---------------------------------------------------------------------


def test_another_host_scheme_query_or_day_is_another_answer(client, monkeypatch):
    client.get(RECORD)
    for other in (
        {"headers": {"Host": "localhost"}},
        {"secure": True},
        {"data": {"as_of": "2026"}},
    ):
        assert made(client, RECORD, **other)
    assert b"https://testserver" in client.get(RECORD, secure=True).content
    assert b"https://testserver" not in client.get(RECORD).content
    tomorrow = timezone.localdate() + datetime.timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda *_: tomorrow)
    assert made(client, RECORD)


def test_bytes_sent_as_they_are_ask_another_question_than_their_codes(client):
    raw = client.get("/agreements/", QUERY_STRING="q=\xe5\x8e\x9a")
    coded = client.get("/agreements/", QUERY_STRING="q=%C3%A5%C2%8E%C2%9A")
    assert raw["ETag"] != coded["ETag"]


def test_a_draft_changes_nothing_and_its_publication_everything(client):
    editor, publisher = moving.person("editor"), moving.person("publisher")
    draft = moving.complete(editor, title="Made-up agreement of today")
    before = client.get(LIST)
    record_change([draft.pk], reason="edited", user=editor)
    assert not made(client, LIST)
    draft.refresh_from_db()
    workflow.publish(draft.pk, draft.lock_version, publisher)
    after = client.get(LIST)
    assert b"Made-up agreement of today" not in before.content
    assert b"Made-up agreement of today" in after.content
    assert before["ETag"] != after["ETag"]


def test_a_release_of_the_data_package_makes_its_pages_anew(client, settings, tmp_path):
    settings.RELEASES_ROOT = tmp_path
    client.get("/data/releases/")
    assert not made(client, "/data/releases/")
    (tmp_path / "a file").touch()
    assert made(client, "/data/releases/")


def test_a_new_edition_drops_the_answers_of_the_old_one(client):
    client.get(LIST)
    client.get(RECORD)
    both = cache.size
    Edition.renew()
    client.get(RECORD)
    assert 0 < cache.size < both


def test_an_answer_during_which_the_register_changed_is_not_kept(client, monkeypatch):
    """Another thread begins an edition and keeps its own answer while this one is rendered."""
    from agreements.pages import site

    listed, shown = site.listed, []

    def changed_meanwhile(register, ids, day):
        rows = listed(register, ids, day)
        if not shown:
            shown.append("old")
            make.agreement(title="Made-up newest", signed_on=f"{day:%Y-%m-%d}")
            shown.append(client.get("/"))
        return rows

    monkeypatch.setattr(site, "listed", changed_meanwhile)
    old = client.get("/")
    assert b"Made-up newest" not in old.content
    assert b"Made-up newest" in shown[1].content
    assert not made(client, "/")
    assert told(client.get("/")) == told(shown[1])
    assert old["ETag"] != shown[1]["ETag"]


# --- What is never kept -------------------------------------------------------------------------


def test_who_may_be_signed_in_neither_fills_the_cache_nor_reads_it(client, admin_client):
    admin_client.get(LIST)
    assert cache.size == 0
    client.get(LIST)
    assert made(admin_client, LIST)


def test_a_table_is_streamed_and_not_kept(client):
    assert b"".join(client.get("/agreements.csv"))
    assert cache.size == 0


def test_an_answer_longer_than_a_megabyte_is_not_kept(client, monkeypatch):
    assert answer_cache.MOST_BYTES == 2**20
    monkeypatch.setattr(answer_cache, "MOST_BYTES", len(client.get(LIST).content) - 1)
    cache.clear()
    assert client.get(LIST).status_code == 200
    assert made(client, LIST)


def test_nothing_is_kept_while_developing_or_where_it_is_switched_off(client, settings):
    settings.ANSWER_CACHE_BYTES = 0
    client.get(LIST)
    settings.ANSWER_CACHE_BYTES, settings.DEBUG = 2**25, True
    assert "ETag" not in client.get(LIST)
    assert cache.size == 0


def with_cookie(request):
    response = HttpResponse("x")
    response.set_cookie("made-up", "x")
    return response


@pytest.mark.parametrize(
    "view",
    [
        with_cookie,
        lambda request: HttpResponse(get_token(request)),
        lambda request: HttpResponse(request.session.get("made-up", "")),
        lambda request: HttpResponse(str(request.user)),
        lambda request: HttpResponse("x", headers={"Vary": "Accept-Language"}),
        lambda request: HttpResponse("x", status=429),
        lambda request: HttpResponse("x", status=503),
        lambda request: StreamingHttpResponse(io.BytesIO(b"x")),
    ],
    ids=["cookie", "token", "session", "user", "vary", "429", "503", "streamed"],
)
def test_what_may_be_a_person_s_own_or_of_this_moment_is_not_kept(view):
    answered = SessionMiddleware(AuthenticationMiddleware(conditional(view)))
    answered(RequestFactory().get("/made-up/"))
    assert cache.size == 0


# --- How much is kept ---------------------------------------------------------------------------


def an_answer(size):
    return answer_cache._Answer(200, {}, b"x" * size)


def test_what_was_not_asked_for_the_longest_time_goes_first(settings):
    settings.ANSWER_CACHE_BYTES = 2 * an_answer(5000).size
    small, edition = ResponseCache(), PublicEdition("x", 0, datetime.date(2026, 11, 29))
    for tag in ("a", "b"):
        small.put(tag, edition, an_answer(5000))
    assert small.get("a")
    small.put("c", edition, an_answer(5000))
    assert [tag for tag in "abc" if small.get(tag)] == ["a", "c"]
    small.put("huge", edition, an_answer(50_000))
    assert small.size <= settings.ANSWER_CACHE_BYTES


def test_threads_that_keep_at_once_keep_within_the_bound(settings):
    settings.ANSWER_CACHE_BYTES = 10 * an_answer(0).size
    shared = ResponseCache()
    editions = [PublicEdition(mark, 0, datetime.date(2026, 11, 29)) for mark in "ab"]

    def work(worker):
        for turn in range(300):
            tag = f"{turn % 17}"
            shared.put(tag, editions[turn % 100 == worker], an_answer(0))
            shared.get(tag)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert shared.size == sum(answer.size for answer in shared._answers.values())
    assert 0 < shared.size <= settings.ANSWER_CACHE_BYTES
