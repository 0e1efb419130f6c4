"""What is kept beside the records is what follows from them, by whatever path they changed."""

import datetime
import hashlib
import json

import pytest

from agreements.exports import register_document, table_rows
from agreements.exports.tables import AGREEMENTS
from agreements.importer import writing
from agreements.models import (
    AgencyName,
    Agreement,
    CooperationArea,
    Digest,
    Evidence,
    FormerSlug,
    Outcome,
    ProductCategory,
    Provision,
    Relation,
    SearchDocument,
    Signatory,
)
from agreements.models.querysets import PublicationState
from agreements.record import after_change, derive
from agreements.record.after_change import record_change
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


def test_an_import_into_an_empty_register_derives_each_record_once(empty_register, monkeypatch):
    made = [make.agreement(provisions=[{"products": ["medicines"]}]) for _ in range(3)]
    document = json.loads("".join(register_document(Agreement.objects.register())))
    Agreement.objects.all().delete()
    Provision.objects.all().delete()
    CooperationArea.objects.all().delete()
    ProductCategory.objects.all().delete()
    derived = []
    monkeypatch.setattr(derive, "derive_written", derived.extend)
    monkeypatch.setattr(after_change, "derive_written", derived.extend)
    make.import_register(document, reason="test")
    assert len(derived) == len(made)


#: A digest of what is worked out of the records below, by ``derive.RULES``.
DERIVED = {3: "dd68ef09a278ba54666c40f705bcbac574aaceac35dbf1bcfd8c493aff4caf1e"}


@pytest.fixture
def telling(empty_register):
    """One record of every noun with texts that are hard to keep, and one that says nothing."""
    area = CooperationArea.objects.create(code="made-up", name="Made-up area", position=98)
    staged = CooperationArea.objects.create(
        code="made-up-staged", name="Another", stage="manufacturing", position=99
    )
    for n in range(2):
        ProductCategory.objects.create(code=f"made-up-{n}", name=f"Product {n}", position=90 - n)
    agencies = [
        make.agency(key=f"made-up-{n}", name=f"Agency {text}", acronym=text[:9], jurisdiction="SG")
        for n, text in enumerate(make.AWKWARD)
    ]
    AgencyName.objects.create(agency=agencies[0], name="Former name", kind="former")
    bare = make.agreement(slug="made-up-bare", title="Made up")
    whole = make.agreement(
        slug="made-up-whole",
        title="Made-up memorandum on inspections",
        summary="\n".join(make.AWKWARD),
        areas_stated="one | two \\ three",
        signed_on="2010-05",
        participants=agencies,
        provisions=[
            {"area": area.code, "products": ["made-up-0"]},
            {"area": staged.code, "products": ["made-up-0", "made-up-1"]},
            {
                "area": staged.code,
                "direction": "one_way",
                "relying": agencies[0],
                "reference": agencies[1],
            },
        ],
        milestones=[("entered_into_force", "2011", "2015-03"), ("terminated", "2020-01-01")],
    )
    whole.products.set(ProductCategory.objects.filter(code__startswith="made-up"))
    part = whole.participations.get(agency=agencies[2])
    part.joined_on, part.left_on = "2012", "2014-06"
    part.save()
    source = make.source(whole, title="Made up", url="https://example.org/")
    make.source(whole, number=2, title="Made up")
    Signatory.objects.create(agreement=whole, capacity="signed", name="A Person", post="Head")
    Outcome.objects.create(
        agreement=whole, statement="Faster", figure="-3.500", unit="days", source=source
    )
    Evidence.objects.create(agreement=whole, topic="title", statement="Made up", source=source)
    Relation.objects.create(agreement=whole, kind="builds_on", target=bare)
    Relation.objects.create(agreement=whole, kind="amends", target_title="=1+1 | \\")
    FormerSlug.objects.create(agreement=whole, slug="made-up-former")
    Agreement.objects.update(updated_at=datetime.datetime(2026, 4, 20, 8, 30, tzinfo=datetime.UTC))
    make.derived(whole, bare)
    return [whole, bare]


def test_whoever_changes_what_is_derived_gives_the_rules_a_new_number(telling):
    derived = []
    for agreement in telling:
        digest = Digest.objects.get(pk=agreement.pk)
        words = SearchDocument.objects.get(pk=agreement.pk)
        derived += [digest.entry, digest.unsourced]
        # What a public field or a column comes to follows from the field; rules work out the rest.
        for day in (datetime.date(2010, 1, 1), datetime.date(2013, 1, 1)):
            ((row,),) = table_rows(AGREEMENTS, [agreement.pk], day, "https://example.org")
            cells = zip(AGREEMENTS.columns, row, strict=True)
            derived += [cell for column, cell in cells if column.derived]
        derived += [str(digest.odd_until), words.title_terms, words.all_terms, words.passages]
        standings = agreement.standings.order_by("from_day")
        derived += [f"{row.status} {row.from_day} {row.until_day}" for row in standings]
    fingerprint = hashlib.sha256(json.dumps(derived).encode()).hexdigest()
    assert DERIVED.get(derive.RULES) == fingerprint, (
        "What follows from a record has changed: raise derive.RULES, so that every database is "
        f"derived anew, and add the line with the new number and {fingerprint!r} here."
    )


def test_a_new_public_field_has_everything_derived_anew(monkeypatch):
    before = derive.rules_number()
    fields = derive.PUBLIC[Agreement] + ("depositary",)
    monkeypatch.setattr(derive, "PUBLIC", derive.PUBLIC | {Agreement: fields})
    assert derive.rules_number() != before
