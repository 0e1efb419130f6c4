"""The staff desk: a record is entered, published, found; what is impossible is refused by field."""

import json

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model

from agreements.models import Agency, Agreement, CooperationArea, ProductCategory, Revision
from agreements.record.after_change import record_change
from tests import make
from tests.desk import ADD, errors_of, record, rows

pytestmark = pytest.mark.django_db


def a_whole_record():
    party, other = make.agency(), make.agency()
    area = CooperationArea.objects.get(code="gmp-inspection-reliance")
    product = ProductCategory.objects.get(code="medicines")
    return record(
        signed_on="20 April 2026",
        **rows("sources", {"number": 1, "kind": "official", "publisher": "Made-up publisher"}),
        **rows(
            "participations",
            *(
                {
                    "agency": agency.pk,
                    "position": number,
                    "role": "party",
                    "signing_act": "signature",
                }
                for number, agency in enumerate((party, other), start=1)
            ),
        ),
        **rows("signatories", {"capacity": "signed", "name": "Zyxw Vuts", "position": 1}),
        **rows(
            "provisions",
            {
                "area": area.pk,
                "depth": "reliance",
                "commitment": "intended",
                "products": [product.pk],
                "direction": "mutual",
                "statement": "Made up.",
                "source": 1,
            },
        ),
        **rows("milestones", {"kind": "announced", "date": "April 2026", "source": 1}),
        **rows(
            "relations",
            {"kind": "builds_on", "target": Agreement.objects.get(slug="jsepa-2002").pk},
        ),
        **rows("outcomes", {"statement": "Made up.", "source": 1}),
        **rows("evidence", {"topic": "signed_on", "statement": "Made up."}),
    )


def test_a_record_is_typed_saved_found_and_has_its_revision(admin_client, client):
    response = admin_client.post(ADD, a_whole_record())
    assert response.status_code == 302, errors_of(response)
    made = Agreement.objects.get(slug="made-up-memorandum")
    assert made.signed_on.iso == "2026-04-20"
    assert [str(m.date) for m in made.milestones.all()] == ["April 2026"]
    revision = made.revisions.get()
    assert (revision.made_by_name, revision.reason) == ("admin", "Created")
    assert json.loads(revision.snapshot)["signatories"][0]["name"] == "Zyxw Vuts"
    assert Agreement.objects.search("zyxw").get() == made
    assert client.get(made.get_absolute_url()).status_code == 404


def test_a_new_record_is_a_draft_of_its_typist_whatever_the_form_claims(admin_client, client):
    admin_client.post(ADD, record(state="published", first_published_at="2020-01-01"))
    made = Agreement.objects.get(slug="made-up-memorandum")
    assert (made.state, made.first_published_at) == ("draft", None)
    assert made.owner.get_username() == "admin"
    assert client.get(made.get_absolute_url()).status_code == 404


def test_a_save_that_changes_nothing_leaves_no_revision(admin_client):
    admin_client.post(ADD, record())
    made = Agreement.objects.get(slug="made-up-memorandum")
    change = f"/admin/agreements/agreement/{made.pk}/change/"
    same = record(lock_version=make.version(made))
    assert admin_client.post(change, same).status_code == 302
    assert made.revisions.count() == 1
    new = record(summary="New.", lock_version=make.version(made))
    assert admin_client.post(change, new).status_code == 302
    assert made.revisions.count() == 2


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"signed_on": "31 April 2026"}, "signed_on", "There is no day 31 in April 2026."),
        ({"signed_on": "banana"}, "signed_on", "Type the date as the source gives it"),
        ({"title": "a\x00b"}, "title", "Null characters are not allowed."),
        ({"slug": "jsepa-2002"}, "slug", "already exists"),
        ({"slug": "Not A Slug"}, "slug", "Use small letters, digits and single hyphens."),
        ({"text_url": "javascript:alert(1)"}, "text_url", "Enter a valid URL."),
        (
            rows("milestones", {"kind": "renewed", "date": "2012", "until": "2011"}),
            "milestones-0-until",
            "The term ends before it starts.",
        ),
        (
            rows("milestones", {"kind": "entered_into_force", "date": ""}),
            "milestones-0-__all__",
            "Give the date, at least the year.",
        ),
        (
            {"signed_on": "2012"} | rows("milestones", {"kind": "expired", "date": "2011"}),
            "milestones-0-date",
            "It cannot end before it was signed: 2012.",
        ),
        (
            rows("signatories", {"capacity": "signed", "position": 1}),
            "signatories-0-__all__",
            "Give the person's name or, if it is not known, the post.",
        ),
        (
            rows("relations", {"kind": "supersedes"}),
            "relations-0-__all__",
            "Choose the other agreement or type its title, not both.",
        ),
        (
            rows("outcomes", {"statement": "x", "figure": "3", "position": 1}),
            "outcomes-0-__all__",
            "A figure needs its unit.",
        ),
    ],
)
def test_what_is_impossible_is_refused_by_field_and_nothing_is_saved(
    admin_client, changes, field, message
):
    before = Agreement.objects.count(), Revision.objects.count()
    errors = errors_of(admin_client.post(ADD, record(**changes)))
    assert message in errors.get(field, ""), errors
    assert (Agreement.objects.count(), Revision.objects.count()) == before


def test_a_party_named_twice_is_refused(admin_client):
    party = {"agency": make.agency().pk, "position": 1, "role": "party", "signing_act": "signature"}
    errors = errors_of(admin_client.post(ADD, record(**rows("participations", party, party))))
    assert "duplicate" in " ".join(errors.values()).lower()


def test_a_party_cannot_leave_before_it_joined(admin_client):
    party = {
        "agency": make.agency().pk,
        "position": 1,
        "role": "member",
        "signing_act": "signature",
    }
    party |= {"joined_on": "2012", "left_on": "2011"}
    errors = errors_of(admin_client.post(ADD, record(**rows("participations", party))))
    assert errors["participations-0-left_on"] == "A participant cannot leave before it joined."
    # It may have left in the same year, as far as these dates tell.
    party |= {"joined_on": "June 2012", "left_on": "2012"}
    assert admin_client.post(ADD, record(**rows("participations", party))).status_code == 302


def test_a_source_that_is_deleted_cannot_be_cited_in_the_same_save(admin_client):
    made = make.agreement(state="draft")
    source = make.source(made)
    data = record(slug=made.slug)
    data |= rows("sources", {"id": source.pk, "number": 1, "kind": "press", "publisher": "x"})
    data |= {"sources-INITIAL_FORMS": 1, "sources-0-DELETE": "on", "sources-0-agreement": made.pk}
    data |= rows("evidence", {"topic": "notes", "statement": "x", "source": source.number})
    change = f"/admin/agreements/agreement/{made.pk}/change/"
    errors = errors_of(admin_client.post(change, data))
    assert errors["evidence-0-source"] == "This source is being deleted."


def test_a_relation_typed_twice_is_refused(admin_client):
    relation = {"kind": "builds_on", "target_title": "Made-up treaty"}
    errors = errors_of(admin_client.post(ADD, record(**rows("relations", relation, relation))))
    assert errors["relations-1-__all__"] == "This relation is already recorded."


def test_a_draft_can_be_deleted_and_what_was_public_cannot(admin_client):
    draft, public = make.agreement(state="draft"), make.agreement()
    for made in (draft, public):
        record_change([made.pk], reason="made", name="test")
        Agreement.objects.filter(pk=made.pk).update(state="draft")
        address = f"/admin/agreements/agreement/{made.pk}/delete/"
        response = admin_client.post(address, {"post": "yes"})
        assert response.status_code == (302 if made is draft else 403)
    assert list(Agreement.objects.filter(pk__in=[draft.pk, public.pk])) == [public]


def test_a_stored_copy_is_for_staff_only(client, admin_client, settings):
    folder = settings.MEDIA_ROOT / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "made-up-test.txt"
    copy.write_text("Made up.")
    try:
        address = "/admin/stored/sources/made-up-test.txt"
        assert client.get(address).status_code == 302
        assert b"".join(admin_client.get(address).streaming_content) == b"Made up."
    finally:
        copy.unlink()


def test_an_agreement_cannot_supersede_itself(admin_client):
    made = make.agreement(state="draft")
    change = f"/admin/agreements/agreement/{made.pk}/change/"
    data = record(slug=made.slug, **rows("relations", {"kind": "supersedes", "target": made.pk}))
    errors = errors_of(admin_client.post(change, data))
    assert errors["relations-0-target"] == "An agreement cannot be related to itself."


def test_a_one_way_provision_names_both_agencies(admin_client):
    area = CooperationArea.objects.get(code="registration-reliance")
    row = {
        "area": area.pk,
        "depth": "reliance",
        "commitment": "agreed",
        "direction": "one_way",
        "statement": "Made up.",
        "position": 1,
        "relying": make.agency().pk,
    }
    errors = errors_of(admin_client.post(ADD, record(**rows("provisions", row))))
    assert "names the relying and the reference agency" in errors["provisions-0-__all__"]


@pytest.mark.parametrize(
    "model", [m for m in admin.site._registry if m._meta.app_label == "agreements"]
)
def test_every_list_and_form_opens(admin_client, model):
    base = f"/admin/agreements/{model._meta.model_name}/"
    assert admin_client.get(base).status_code == 200
    assert admin_client.get(base, {"q": "hsa \x01 “"}).status_code == 200
    first = model._default_manager.first()
    assert admin_client.get(f"{base}{first.pk}/change/").status_code == 200


def test_every_noun_can_be_entered():
    entered = set(admin.site._registry) | {
        inline.model
        for model_admin in admin.site._registry.values()
        for inline in model_admin.inlines
    }
    from django.apps import apps

    assert {m.__name__ for m in set(apps.get_app_config("agreements").get_models()) - entered} == {
        "Authorship",
        "Digest",
        "Edition",
        "PendingImport",
        "Reminder",
        "SearchDocument",
        "Standing",
    }


def test_no_select_has_more_than_fifty_options(admin_client):
    made = Agreement.objects.get(slug="project-orbis")
    response = admin_client.get(f"/admin/agreements/agreement/{made.pk}/change/")
    for select in response.content.decode().split("<select")[1:]:
        assert select.partition("</select>")[0].count("<option") <= 50, select[:200]


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/admin/agreements/agreement/", 12),
        ("/admin/agreements/agreement/?q=medicines&status_today=signed", 12),
        ("/admin/agreements/agency/", 8),
    ],
)
def test_query_counts_of_the_lists(admin_client, django_assert_max_num_queries, address, most):
    with django_assert_max_num_queries(most):
        assert admin_client.get(address).status_code == 200


@pytest.mark.shipped
def test_autocomplete_finds_an_agency_by_any_of_its_names(admin_client):
    def offered(term):
        response = admin_client.get(
            "/admin/autocomplete/",
            {
                "term": term,
                "app_label": "agreements",
                "model_name": "participation",
                "field_name": "agency",
            },
        )
        return [item["text"] for item in response.json()["results"]]

    assert "Health Products Regulatory Authority (HPRA)" in offered("Irish Medicines")
    assert len(offered("SFDA")) >= 2


def test_autocomplete_does_not_offer_what_is_retired(admin_client):
    area = CooperationArea.objects.get(code="tobacco-control")
    area.retired = True
    area.save()
    response = admin_client.get(
        "/admin/autocomplete/",
        {
            "term": "tobacco",
            "app_label": "agreements",
            "model_name": "provision",
            "field_name": "area",
        },
    )
    assert response.json()["results"] == []


def test_history_cannot_be_changed_through_the_admin_or_the_model(admin_client):
    revision = Revision.objects.first()
    address = f"/admin/agreements/revision/{revision.pk}/"
    assert admin_client.post(address + "change/", {"reason": "x"}).status_code == 403
    assert admin_client.post(address + "delete/").status_code == 403
    with pytest.raises(TypeError):
        revision.save()
    with pytest.raises(TypeError):
        revision.delete()


def test_deleting_an_account_keeps_who_did_what(admin_client):
    admin_client.post(ADD, record())
    get_user_model().objects.filter(username="admin").delete()
    revision = Revision.objects.get(agreement__slug="made-up-memorandum")
    assert (revision.made_by, revision.made_by_name) == (None, "admin")


def test_an_agency_that_takes_part_cannot_be_deleted(admin_client):
    hsa = Agency.objects.get(key="hsa")
    response = admin_client.post(f"/admin/agreements/agency/{hsa.pk}/delete/", {"post": "yes"})
    assert response.status_code == 200
    assert Agency.objects.filter(key="hsa").exists()
