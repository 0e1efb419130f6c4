"""What is sent with a request is refused before anybody reads it, unless somebody needs it."""

import io
from itertools import product

import pytest
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver

from agreements.admin.imports import IMPORT_FILE_LIMIT
from moctracker.middleware import DESK_BODY_LIMIT
from tests.walk import reversed_routes

pytestmark = pytest.mark.django_db
UPLOAD = "/admin/agreements/agreement/import/"


class Untouched(io.RawIOBase):
    """A body that nobody may read."""

    def read(self, *_):
        raise AssertionError("the body was read")

    readline = read


@pytest.fixture
def strict():
    """A visitor from outside: a request is checked for forgery."""
    return Client(enforce_csrf_checks=True)


def sent(client, address, method="POST", **environ):
    client.cookies["csrftoken"] = "x" * 32
    body = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "wsgi.input": Untouched()}
    return client.generic(method, address, **body | environ)


@pytest.mark.parametrize(
    "length", [{"CONTENT_LENGTH": "190000000"}, {"HTTP_TRANSFER_ENCODING": "chunked"}]
)
def test_a_public_address_takes_no_body_and_says_so_without_reading_it(strict, length):
    addresses = reversed_routes(slug="made-up", key="a", other="b", name="x")
    for address, method in product(addresses, ("POST", "PUT", "PATCH", "DELETE")):
        for asked in (address, f"{address}?utm_source=x"):
            response = sent(strict, asked, method, **length)
            assert (response.status_code, "GET" in response["Allow"]) == (405, True), asked


@pytest.mark.parametrize("address", ["/admin/login/", UPLOAD, "/admin/agreements/agency/add/"])
def test_a_stranger_sends_the_desk_no_more_than_a_form(strict, address):
    response = sent(strict, address, CONTENT_LENGTH=str(DESK_BODY_LIMIT + 1))
    assert response.status_code == 413
    assert "5 MB" in response.content.decode()
    assert "private" in response["Cache-Control"]


def test_the_desk_takes_a_form_and_the_import_a_file(admin_client):
    def taken(address, length):
        return sent(admin_client, address, CONTENT_LENGTH=str(length)).status_code != 413

    form = "/admin/agreements/agency/add/"
    assert not taken(form, DESK_BODY_LIMIT + 1)
    assert not taken(UPLOAD, IMPORT_FILE_LIMIT + 2**21)
    for address, length in ((form, DESK_BODY_LIMIT), (UPLOAD, IMPORT_FILE_LIMIT)):
        with pytest.raises(AssertionError, match="the body was read"):
            taken(address, length)


def test_the_desk_takes_no_body_of_unknown_length(admin_client):
    response = sent(admin_client, UPLOAD, HTTP_TRANSFER_ENCODING="chunked")
    assert response.status_code == 411


def test_only_what_is_public_and_read_only_is_exempt_from_the_check_against_forgery():
    def views(resolver, prefix=""):
        for entry in resolver.url_patterns:
            address = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                yield from views(entry, address)
            else:
                yield address, entry.callback

    for address, view in views(get_resolver()):
        public = not address.startswith("admin/")
        assert getattr(view, "csrf_exempt", False) is public, address
        if public:
            given = dict.fromkeys(("slug", "key", "other", "name", "sitemaps"), "x")
            response = view(RequestFactory().post("/x"), **given)
            assert response.status_code == 405, address
