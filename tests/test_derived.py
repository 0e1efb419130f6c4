"""What is kept beside the records is what follows from them, by whatever path they changed."""

import json

import pytest

from agreements.exports import register_document
from agreements.history import record_change
from agreements.importer import writing
from agreements.models import (
    AgencyName,
    Agreement,
    CooperationArea,
    Digest,
    Outcome,
    ProductCategory,
    Relation,
    SearchDocument,
)
from agreements.querysets import PublicationState
from agreements.record.derive import derive_all, reindex_agencies, reindex_terms
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def kept():
    digests = Digest.objects.values_list("agreement", "entry", "record", "line", "unsourced")
    words = SearchDocument.objects.values_list("agreement", "title_terms", "all_terms", "passages")
    standings = Agreement.objects.values_list("pk", "standings__from_day", "standings__status")
    return [sorted(rows) for rows in (digests, words, standings.order_by())]


def assert_nothing_is_out_of_date():
    before = kept()
    derive_all(Agreement.objects.all())
    assert before == kept()


@pytest.fixture
def related(empty_register):
    """Two records that name a third, each with an agency, an area and products of their own."""
    agencies = [make.agency(jurisdiction="SG", acronym=f"A{n}") for n in range(3)]
    AgencyName.objects.create(agency=agencies[0], name="Made-up former name", kind="former")
    made = [
        make.agreement(
            slug=f"made-up-{name}",
            signed_on="2010",
            participants=[agency, agencies[0]] if agency != agencies[0] else [agency],
            provisions=[
                {"products": ["medicines", "medical-devices"]},
                {"area": "staff-training", "products": ["ctgtp", "vaccines"]},
            ],
        )
        for name, agency in zip("abc", agencies, strict=True)
    ]
    for agreement in made:
        agreement.products.set(ProductCategory.objects.filter(code__in=["vaccines", "medicines"]))
        Outcome.objects.create(agreement=agreement, statement="Made up.").products.set(
            ProductCategory.objects.filter(code__in=["medicines", "cosmetics"])
        )
    for agreement in made[1:]:
        Relation.objects.create(agreement=agreement, kind="amends", target=made[0])
    draft = make.agreement(slug="made-up-draft", state=PublicationState.DRAFT)
    Relation.objects.create(agreement=made[0], kind="renews", target=draft)
    Relation.objects.create(agreement=draft, kind="renews", target=made[1])
    record_change([each.pk for each in (*made, draft)], reason="made", name="test")
    assert_nothing_is_out_of_date()
    return [*made, draft]


def changed(agreement, **fields):
    for name, value in fields.items():
        setattr(agreement, name, value)
    agreement.save()
    record_change([agreement.pk], reason="changed", name="test")


@pytest.mark.parametrize(
    "fields", [{"name": "Another"}, {"acronym": "AN"}, {"acronym": ""}, {"jurisdiction": "JP"}]
)
def test_an_agency_that_changes(related, fields):
    agency = related[0].participations.get().agency
    for name, value in fields.items():
        setattr(agency, name, value)
    agency.save()
    reindex_agencies([agency.pk])
    assert_nothing_is_out_of_date()


def test_another_name_of_an_agency(related):
    name = AgencyName.objects.get()
    name.name = "Another former name"
    name.save()
    reindex_agencies([name.agency_id])
    assert_nothing_is_out_of_date()


@pytest.mark.parametrize("fields", [{"name": "Another"}, {"position": 0}, {"position": 999}])
@pytest.mark.parametrize("code", ["medicines", "vaccines", "ctgtp", "cosmetics"])
def test_a_product_that_changes(related, code, fields):
    product = ProductCategory.objects.get(code=code)
    for name, value in fields.items():
        setattr(product, name, value)
    product.save()
    reindex_terms([product])
    assert_nothing_is_out_of_date()


@pytest.mark.parametrize(
    "fields", [{"name": "Another"}, {"position": 999}, {"stage": ""}, {"stage": "registration"}]
)
@pytest.mark.parametrize("code", ["gmp-inspection-reliance", "staff-training"])
def test_an_area_that_changes(related, code, fields):
    area = CooperationArea.objects.get(code=code)
    for name, value in fields.items():
        setattr(area, name, value)
    area.save()
    reindex_terms([area])
    assert_nothing_is_out_of_date()


def test_a_related_record_that_moves_leaves_comes_back_and_is_published(related):
    earlier, later, _, draft = related
    changed(earlier, slug="made-up-moved")
    assert_nothing_is_out_of_date()
    changed(
        earlier,
        state=PublicationState.WITHDRAWN,
        withdrawal_kind="merged",
        withdrawal_reason="Made up.",
        merged_into=later,
    )
    assert_nothing_is_out_of_date()
    changed(later, slug="made-up-moved-too")
    assert_nothing_is_out_of_date()
    changed(draft, state=PublicationState.PUBLISHED)
    assert_nothing_is_out_of_date()
    changed(
        earlier,
        state=PublicationState.PUBLISHED,
        withdrawal_kind="",
        withdrawal_reason="",
        merged_into=None,
    )
    assert_nothing_is_out_of_date()
    changed(draft, slug="made-up-moved-as-well")
    assert_nothing_is_out_of_date()


def test_an_import(related, monkeypatch):
    monkeypatch.setattr(writing, "_CHUNK", 1)
    document = json.loads("".join(register_document(Agreement.objects.register())))
    document["products"][0]["position"] = 999
    document["areas"][0]["name"] = "Another area"
    document["agencies"][0]["acronym"] = "AN"
    document["agreements"][0]["title"] = "Another title"
    document["agreements"][1]["relations"] = []
    make.import_register(document, reason="test")
    assert_nothing_is_out_of_date()


def test_an_import_into_an_empty_register(empty_register, monkeypatch):
    """Whichever of two related records is written first."""
    first, second = (make.agreement(slug=f"made-up-{name}") for name in "ab")
    Relation.objects.create(agreement=first, kind="builds_on", target=second)
    Relation.objects.create(agreement=second, kind="amends", target=first)
    make.derived(first, second)
    document = json.loads("".join(register_document(Agreement.objects.register())))
    Relation.objects.all().delete()
    Agreement.objects.all().delete()
    monkeypatch.setattr(writing, "_CHUNK", 1)
    make.import_register(document, reason="test")
    assert_nothing_is_out_of_date()
    assert "builds_on: made-up-b" in Digest.objects.get(agreement__slug="made-up-a").line
