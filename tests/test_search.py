"""Search finds what a person would expect, the same on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agreements.models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Participation,
    Relation,
)
from agreements.models.search import document_terms, excerpt, marked, query_terms
from agreements.record.after_change import record_change
from agreements.record.derive import reindex_agencies
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def found(text):
    return set(Agreement.objects.register().search(text).values_list("slug", flat=True))


@pytest.mark.shipped
@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("HSA MHLW", "hsa-mhlw-moc-2026"),
        ("ｈｓａ　ＭＨＬＷ", "hsa-mhlw-moc-2026"),
        ("miyamoto", "hsa-mhlw-moc-2026"),
        ("inspecting", "hsa-mhlw-moc-2026"),
        ("Tokyo", "hsa-mhlw-moc-2026"),
        ("厚生労働", "hsa-mhlw-moc-2026"),
        ("生労", "hsa-mhlw-moc-2026"),
        ("省", "hsa-mhlw-moc-2026"),
        ("식품의약품", "hsa-mfds-gmp-mra-2024"),
        ("الدواء المصرية", "eda-mfds-mou-2025"),
        ("agencia española", "aemps-cofepris-framework-2016"),
        ("AGENCIA ESPANOLA", "aemps-cofepris-framework-2016"),
        ("IMB", "mfds-hpra-2021"),
        ("Irish Medicines Board", "mfds-hpra-2021"),
        ("EMEA", "ec-emea-mhlw-pmda-ca-2007"),
        ("protocole d’accord", "airp-arp-protocol-2025"),
        ("Protocole d'accord", "airp-arp-protocol-2025"),
        ("Japan’s", "hsa-mhlw-moc-2026"),
    ],
)
def test_a_record_is_found_by(text, slug):
    assert slug in found(text)


def test_every_word_must_be_there():
    assert "hsa-mhlw-moc-2026" not in found("HSA Swissmedic Miyamoto")


@pytest.mark.parametrize("text", ["", "   ", "“”", "!?", '"', "*", "OR", "NEAR(", "a" * 5000])
def test_what_holds_no_word_or_an_operator_is_no_error(text):
    found(text)


def test_a_renamed_agency_is_found_by_its_new_name():
    agency = make.agency(name="Old Made-up Name")
    agreement = make.agreement(participants=[agency])
    record_change([agreement.pk], reason="made", name="test")
    AgencyName.objects.create(agency=agency, name="Zyxwv Authority", kind="variant")
    assert agreement.slug not in found("zyxwv")
    reindex_agencies([agency.pk])
    assert agreement.slug in found("zyxwv")


@pytest.mark.slow
def test_an_agency_of_more_related_agreements_than_a_question_may_name_is_renamed():
    agency, (named, related) = make.agency(), (range(1100), range(1100, 2200))
    made = Agreement.objects.bulk_create(
        Agreement(slug=f"made-up-many-{n}", title="Made up", instrument_type="moc")
        for n in (*named, *related)
    )
    Participation.objects.bulk_create(
        Participation(agreement=made[n], agency=agency, position=1) for n in named
    )
    Relation.objects.bulk_create(
        Relation(agreement=made[n], target=made[n + 1100], kind="builds_on") for n in named
    )
    agency.name = "Kanarienvogel"
    agency.save()
    reindex_agencies([agency.pk])
    assert Agreement.objects.search("Kanarienvogel").count() == 1100


def test_a_renamed_area_is_found_by_its_new_name(admin_client):
    area = CooperationArea.objects.get(code="gmp-inspection-reliance")
    address = f"/admin/agreements/cooperationarea/{area.pk}/change/"
    data = {"name": "Qwertz reliance", "description": "", "stage": area.stage, "position": 1}
    data["lock_version"] = make.version(area)
    assert admin_client.post(address, data).status_code == 302
    assert found("qwertz") == found("qwertz reliance") != set()


def test_threads_do_not_spoil_each_other_s_stems():
    words = ["inspections", "recognised", "memoranda", "agencies", "relying", "exchanges"] * 400
    expected = document_terms(" ".join(words))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(document_terms, [" ".join(words)] * 16))
    assert all(answer == expected for answer in answers)


@pytest.mark.slow
def test_a_text_too_long_for_an_index_is_found_by_its_beginning():
    endless = " ".join(f"madeup{n}" for n in range(120_000))
    agreement = make.agreement(summary=endless)
    record_change([agreement.pk], reason="made", name="test")
    assert agreement.slug in found("madeup7")


def test_a_deleted_record_leaves_the_index():
    agreement = make.agreement(title="Qwertyuiop")
    record_change([agreement.pk], reason="made", name="test")
    assert found("qwertyuiop") == {agreement.slug}
    Agreement.objects.filter(pk=agreement.pk).delete()
    assert found("qwertyuiop") == set()


@given(st.text(min_size=1, max_size=40))
def test_any_part_of_a_text_that_is_a_word_is_found_in_it(text):
    for word in text.split():
        assert set(query_terms(word)) <= set(document_terms(text))


class NoQueryIsAnError(TestCase):
    @settings(max_examples=60)
    @given(st.text(max_size=60))
    def test_any_text_is_answered(self, text):
        found(text)


def test_every_agency_finds_its_agreements_by_each_of_its_names():
    agencies = Agency.objects.filter(participations__isnull=False).distinct()
    for agency in agencies.prefetch_related("names", "participations__agreement"):
        own = {part.agreement.slug for part in agency.participations.all()}
        names = [agency.name, agency.acronym, agency.native_name]
        for name in filter(None, names + [other.name for other in agency.names.all()]):
            assert own <= found(name), name


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("GMP inspections by HSA", "inspecting hsa", ["inspections", "HSA"]),
        ("Agencia Española", "ESPANOLA", ["Española"]),
        ("厚生労働省との覚書", "厚生労働", ["厚生労働"]),
        ("日本国厚生労働省", "省", ["省"]),
        ("Japan’s ministry", "japan", ["Japan’s"]),
        ("ＨＳＡ and MHLW", "hsa", ["ＨＳＡ"]),
        ("nothing here", "elsewhere", []),
    ],
)
def test_the_words_that_were_found_are_marked(text, query, found):
    pieces = marked(text, frozenset(query_terms(query)))
    assert [piece for piece, hit in pieces if hit] == found


@given(st.text(max_size=80), st.text(max_size=20))
def test_the_pieces_of_a_marked_text_are_the_text(text, query):
    assert "".join(piece for piece, _ in marked(text, frozenset(query_terms(query)))) == text


@given(st.lists(st.text(max_size=300), max_size=4), st.text(max_size=20))
def test_an_excerpt_is_short_and_shows_a_hit_or_nothing(passages, query):
    pieces = excerpt(passages, frozenset(query_terms(query)))
    assert not pieces or any(hit for _, hit in pieces)
    assert sum(len(piece) for piece, _ in pieces) <= 170


@pytest.mark.shipped
def test_a_former_name_is_shown_where_it_was_found(client):
    content = client.get("/agreements/?q=IMB").content.decode()
    assert "<mark>IMB</mark>" in content


def test_what_is_marked_is_escaped(client):
    made = make.agreement(title="<script>zyxwvut</script>", summary="<b>zyxwvut</b>")
    record_change([made.pk], reason="made", name="test")
    content = client.get("/agreements/?q=zyxwvut").content.decode()
    assert "&lt;script&gt;<mark>zyxwvut</mark>&lt;/script&gt;" in content
    assert "&lt;b&gt;<mark>zyxwvut</mark>&lt;/b&gt;" in content
