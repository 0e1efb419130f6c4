"""What was not found is never told as something that no source says, or that is not there."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.utils.html import strip_tags

from agreements.rules.coverage import NOT_COUNTED_YET
from tests import make
from tests.walk import public_paths, unpacked

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[1]
#: Claims about everything that was ever said or signed, as they stand in folded text.
BANNED = (
    "no source read",
    "no source that was read",
    "stated in the sources read",
    "nothing is recorded between",
    "is recorded between",
    "no agreement is recorded",
    "no cooperation is recorded",
)


def folded(text):
    return re.sub(r"[\s*_]+", " ", text).casefold()


def claims(text):
    return [banned for banned in BANNED if banned in folded(text)]


@pytest.fixture
def bare(empty_register):
    """Two agencies with nothing between them, two whose agreement has ended, and agreements of
    which hardly anything is known. No other record: what records say is their editors' matter."""
    one, two, three = (make.agency(key=f"made-up-{n}", jurisdiction=n) for n in ("fj", "to", "ws"))
    make.agreement(slug="made-up-nothing", participants=[one])
    make.agreement(slug="made-up-list-entry", detail_level="list_entry", participants=[two])
    make.agreement(
        slug="made-up-ended",
        signed_on="2001",
        participants=[two, three],
        milestones=[("terminated", "2002")],
        provisions=[{"area": "regulatory-dialogue"}],
    )


@pytest.mark.slow
def test_no_public_address_claims_what_the_register_cannot_know(client, bare):
    arguments = {
        "slug": ["made-up-nothing", "made-up-list-entry", "made-up-ended"],
        "key": ["made-up-fj", "made-up-to"],
        "other": ["made-up-ws"],
        "name": ["2026-11-24"],
    }
    answered = 0
    for path, names in public_paths():
        for values in product(*(arguments[name] for name in names)):
            address = path
            for name, value in zip(names, values, strict=True):
                address = address.replace(f"<slug:{name}>", value)
            for query in ("", "?as_of=2011-01-01", "?agency=made-up-fj", "?country=WS&by=country"):
                response = client.get(address + query)
                content = b"".join(response)
                answered += response.status_code == 200
                assert claims(unpacked(content)) == [], address + query
    assert answered > 60


@pytest.mark.parametrize("place", ["templates", "docs", "README.md"])
def test_no_text_that_a_reader_may_meet_claims_it_either(place):
    files = [ROOT / place] if place.endswith(".md") else (ROOT / place).rglob("*.[hmt]*")
    read = {str(path): claims(path.read_text()) for path in files}
    assert {path: found for path, found in read.items() if found} == {}
    assert read


def words(response):
    return folded(strip_tags(response.content.decode()))


def test_a_pair_of_which_nothing_was_found_says_what_is_not_counted_yet(client, bare):
    page = words(client.get("/coverage/made-up-fj/made-up-ws/"))
    assert "no agreement that includes both" in page
    assert "was found here. they may still cooperate. between two regulators" in page
    assert page.count(folded(NOT_COUNTED_YET)) == 2, "in the answer and at the foot"


def test_the_foot_of_every_page_and_the_legend_say_it_too(client):
    assert folded(NOT_COUNTED_YET) in words(client.get("/agencies/"))
    assert words(client.get("/")).count(folded(NOT_COUNTED_YET)) == 2


def test_whoever_takes_the_table_of_partners_away_is_told(client):
    tags = {each["name"]: each for each in client.get("/api/openapi.json").json()["tags"]}
    assert NOT_COUNTED_YET in tags["coverage"]["description"]
    for text in ((ROOT / "docs/data.md").read_text(), words(client.get("/data/dictionary/"))):
        assert folded(NOT_COUNTED_YET) in folded(text)
