"""What may stand behind an address without being part of the question."""

import pytest

from agreements.question import AgreementFilterSet, CoverageFilterSet
from moctracker.middleware import TRACKING
from tests import make
from tests.walk import reversed_routes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_register")]
TRACKED = "utm_source=letter&fbclid=x&_ga=1.2&UTM_Medium=mail&mc%5Fcid=9"


def addresses():
    one, two = make.agency(key="made-up-a"), make.agency(key="made-up-b")
    make.agreement(slug="made-up", participants=[one, two])
    yield from reversed_routes(slug="made-up", key=one.key, other=two.key, name="2026-11-24")


def test_every_page_leads_to_its_address_without_tracking_parameters(client):
    for address in addresses():
        if address.endswith("/"):
            response = client.get(f"{address}?{TRACKED}")
            assert (response.status_code, response["Location"]) == (301, address)


def test_every_face_answers_as_if_they_were_not_there(client):
    for address in addresses():
        if not address.endswith("/"):
            plain, tracked = client.get(address), client.get(f"{address}?{TRACKED}")
            assert tracked.status_code == plain.status_code, address
            assert tracked.get("ETag") == plain.get("ETag")
            assert b"utm_source" not in b"".join(tracked)


def test_the_question_itself_stays_as_it_was_asked(client):
    response = client.get("/agreements/?q=a+b%26c&utm_source=x&stage=registration&gclid=y")
    assert response["Location"] == "/agreements/?q=a+b%26c&stage=registration"
    response = client.get("/agreements?utm_source=x&q=a", follow=True)
    assert response.redirect_chain == [("/agreements/?q=a", 301)]


@pytest.mark.parametrize("address", ["/agreements/", "/agreements.json", "/coverage/"])
@pytest.mark.parametrize("misspelt", ["utm=1", "stages=x", "xutm_source=1", "fbclid2=x"])
def test_a_misspelt_filter_is_refused_as_ever(client, address, misspelt):
    assert client.get(f"{address}?{misspelt}").status_code == 400
    response = client.get(f"{address}?{misspelt}&fbclid=x", follow=True)
    assert response.status_code == 400


def test_the_clean_address_is_on_this_site(client):
    response = client.get("http://testserver//elsewhere.example/?utm_source=x")
    assert response["Location"] == "/%2Felsewhere.example/"


def test_no_parameter_of_ours_is_taken_for_tracking():
    ours = {*AgreementFilterSet.base_filters, *CoverageFilterSet.base_filters}
    ours |= {"page", "after", "expand"}
    assert not ours & TRACKING
    assert not [name for name in ours if name.startswith("utm_")]


def test_the_desk_reads_its_own_addresses(admin_client):
    response = admin_client.get("/admin/agreements/agreement/?utm_source=x", follow=True)
    assert "e=1" in response.redirect_chain[-1][0], "the admin says itself what it does not know"
