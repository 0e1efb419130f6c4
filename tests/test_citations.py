"""How others name a record: in words, for BibTeX, as CSL-JSON, as schema.org data."""

import datetime
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements.faces import citations
from agreements.models import Agreement
from tests import make

pytestmark = pytest.mark.django_db
URL = "https://example.org/agreements/made-up/"
DAY = datetime.date(2026, 11, 24)
LETTER = re.compile(
    r"\\textbackslash\{\}|\\textbraceleft\{\}|\\textbraceright\{\}|\\textasciitilde\{\}"
    r"|\\textasciicircum\{\}|\\[&%$#_]|[^\\{}&%$#_~^]"
)
SPELLED = {
    r"\textbackslash{}": "\\",
    r"\textbraceleft{}": "{",
    r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
}


def made(**fields):
    agreement = make.agreement(
        slug="made-up", updated_at=datetime.datetime(2026, 5, 31, 20, tzinfo=datetime.UTC), **fields
    )
    return Agreement.objects.with_related().get(pk=agreement.pk)


def read(text):
    """What BibTeX and LaTeX print for an escaped text; fails on a letter that stands bare."""
    letters = LETTER.findall(text)
    assert "".join(letters) == text
    return "".join(SPELLED.get(x, x[1:] if len(x) == 2 and x[0] == "\\" else x) for x in letters)


def bibtex_field(entry, name):
    return re.search(rf"^  {name} = \{{(.*)\}},$", entry, re.MULTILINE)[1]


def test_the_reference_record_in_plain_words(client, reference):
    response = client.get("/agreements/hsa-mhlw-moc-2026/")
    told = response.context["citation"]
    assert told.startswith(
        "moctracker register, “Memorandum of Cooperation between the Health Sciences Authority of "
        "Singapore and the Ministry of Health, Labour and Welfare of Japan”. Participants: Health "
        "Sciences Authority; Ministry of Health, Labour and Welfare. Signed: 20 April 2026. Record "
        "as changed on "
    )
    assert "http://testserver/agreements/hsa-mhlw-moc-2026/ (accessed " in told
    assert "Cite this record" in response.content.decode()


def test_the_version_is_the_day_of_the_last_change_in_singapore():
    agreement = made(signed_on="2024-05")
    assert citations.plain_citation(agreement, URL, DAY) == (
        f"moctracker register, “{agreement.title}”. Participants: not stated. Signed: May 2024. "
        f"Record as changed on 1 June 2026. {URL} (accessed 24 November 2026)."
    )


@pytest.mark.parametrize(
    ("date", "parts"),
    [("2010", [2010]), ("2024-05", [2024, 5]), ("2026-04-20", [2026, 4, 20]), (None, None)],
)
def test_a_date_keeps_the_precision_its_source_gives(date, parts):
    agreement = made(signed_on=date)
    (item,) = json.loads(citations.csl_json(agreement, URL, DAY))
    assert item.get("original-date") == (parts and {"date-parts": [parts]})
    assert item["issued"] == {"date-parts": [[2026, 6, 1]]}
    assert item["accessed"] == {"date-parts": [[2026, 11, 24]]}
    entry = citations.bibtex(agreement, URL, DAY)
    assert (f"origdate = {{{date}}}" in entry) is bool(date)
    assert ("origdate" in entry) is bool(date)
    data = citations.linked_data(agreement, URL, "https://example.org/")
    assert data.get("dateCreated") == (date if parts and len(parts) == 3 else None)


@pytest.mark.parametrize(
    "title",
    [
        r"50 % of A & B, $5, #3, under_score, {braces}, ~tilde, ^hat, back\slash",
        "unbalanced } brace { and }}",
        "日本国厚生労働省とシンガポール保健科学庁との間の協力覚書",
        "Protocole d'accord – « œuvre » naïve",
        "two\nlines\tand\x01more",
        "ends with a backslash \\",
    ],
)
def test_awkward_titles_in_bibtex(title):
    entry = citations.bibtex(made(title=title), URL, DAY)
    shown = bibtex_field(entry, "title")
    assert shown[0] == "{"
    assert shown[-1] == "}"
    assert read(shown[1:-1]) == re.sub(r"[\x00-\x1f]+", " ", title)
    assert entry.count("{") == entry.count("}")
    assert all(ord(char) >= 32 or char == "\n" for char in entry)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_any_text_survives_bibtex(text):
    assert read(citations._escaped(text)) == text


def test_participants_are_named_and_are_not_its_authors(reference):
    item = citations.csl(reference, URL, DAY)
    assert item["author"] == [{"literal": "moctracker"}]
    assert item["original-author"] == [
        {"literal": "Health Sciences Authority"},
        {"literal": "Ministry of Health, Labour and Welfare"},
    ]
    entry = citations.bibtex(reference, URL, DAY)
    assert bibtex_field(entry, "author") == "{moctracker}"
    assert entry.startswith("@misc{hsa-mhlw-moc-2026,\n")


def test_the_files_are_what_the_page_shows(client):
    page = client.get("/agreements/hsa-mhlw-moc-2026/").context
    bib = client.get("/agreements/hsa-mhlw-moc-2026.bib")
    assert bib.content.decode() == page["bibtex"]
    assert bib["Content-Disposition"] == 'attachment; filename="hsa-mhlw-moc-2026.bib"'
    item = client.get("/agreements/hsa-mhlw-moc-2026.csl.json")
    assert item.content.decode() == page["csl_json"]
    assert item["Content-Disposition"] == 'attachment; filename="hsa-mhlw-moc-2026.csl.json"'


def test_every_record_can_be_cited():
    for agreement in Agreement.objects.register().with_related():
        entry = citations.bibtex(agreement, URL, DAY)
        assert read(bibtex_field(entry, "title")[1:-1]) == agreement.title
        assert agreement.title in citations.plain_citation(agreement, URL, DAY)
        assert json.loads(citations.csl_json(agreement, URL, DAY))[0]["title"] == agreement.title


def test_schema_org_data_claim_nothing_that_is_excluded_or_unknown():
    agreement = made(
        provisions=[
            {"commitment": "excluded"},
            {"area": "registration-reliance", "commitment": "intended"},
        ]
    )
    data = citations.linked_data(agreement, URL, "https://example.org/")
    assert data["about"] == [agreement.provisions.all()[1].area.name]
    assert not {"dateCreated", "inLanguage", "description", "legislationType"} & set(data)


def test_the_citation_takes_no_parameter(client):
    response = client.get("/agreements/hsa-mhlw-moc-2026.bib?as_of=2011-01-01")
    assert response.status_code == 400
    assert response.content.decode() == "as_of: There is no such parameter.\n"
