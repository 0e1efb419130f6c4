"""Laws of the whole house."""

from itertools import product

import pytest
from django.contrib.auth import get_user_model

from agreements import exports
from agreements.models import (
    Agreement,
    Relation,
)
from agreements.models.querysets import PublicationState
from agreements.record.after_change import record_change
from tests import make
from tests.walk import CANARY, hidden_record, public_paths, unpacked

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def everything_shown(client, agreement, agency):
    """Every public address, asked about this record and its agency, and what it answers without
    the echo of the question."""
    arguments = {
        "slug": [agreement.slug, "jsepa-2002"],
        "key": [agency.key, "gov-jp", "hsa"],
        "other": [agency.key, "gov-sg"],
        "name": [agreement.slug, "2026-11-24"],
    }
    walked = 0
    for path, names in public_paths():
        for values in product(*(arguments[name] for name in names)):
            address = path
            for name, value in zip(names, values, strict=True):
                address = address.replace(f"<slug:{name}>", value)
            # A page that takes no question answers all of these alike, or not at all.
            asked = ("", f"?q={CANARY}", "?as_of=2026-06-01", "?sort=changed")
            for query in asked if not names else asked[::2]:
                response = client.get(address + query)
                content = b"".join(response)
                assert response.status_code != 500
                shown = (
                    unpacked(content).replace(f'value="{CANARY}"', "").replace(f"“{CANARY}”", "")
                )
                shown = shown.replace(f"q={CANARY}", "").replace(f"Search: {CANARY}", "")
                yield address, shown
                walked += 1
    assert walked > 60


def test_the_hidden_record_has_a_row_of_every_kind():
    agreement, _ = hidden_record(PublicationState.DRAFT)
    assert all(getattr(agreement, name).exists() for name in exports.CHILDREN[Agreement])


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(state, marks=[] if state == PublicationState.DRAFT else pytest.mark.slow)
        for state in sorted(set(PublicationState) - {PublicationState.PUBLISHED})
    ],
)
def test_nothing_unpublished_is_reachable_from_any_public_address(client, state):
    agreement, agency = hidden_record(state)
    for address, shown in everything_shown(client, agreement, agency):
        assert CANARY.casefold() not in shown.casefold(), address
    assert CANARY not in "".join(exports.register_document(Agreement.objects.register()))


@pytest.mark.slow
def test_nothing_of_a_working_copy_is_reachable_from_any_public_address(client):
    copy, agency = hidden_record(PublicationState.DRAFT)
    original = make.agreement(slug="made-up-original")
    Relation.objects.filter(target=copy).delete()
    copy.former_slugs.all().delete()
    copy.revises, copy.slug = original, f"{original.slug}~{original.pk}"
    copy.save()
    record_change([copy.pk], reason=CANARY, name=CANARY)
    for address, shown in everything_shown(client, copy, agency):
        assert CANARY.casefold() not in shown.casefold(), address
        if copy.slug in address:
            assert "Page not found" in shown or "No record of the register" in shown, address
    for ending in ("/", ".json", ".bib", ".csl.json"):
        response = client.get(f"/agreements/{original.slug}{ending}")
        assert response.status_code == 200
        assert CANARY.casefold() not in response.content.decode().casefold()
    assert CANARY not in "".join(exports.register_document(Agreement.objects.register()))


@pytest.mark.slow
def test_of_a_withdrawn_record_its_own_address_tells_the_reason_and_no_other_anything(client):
    agreement, agency = hidden_record(PublicationState.PUBLISHED)
    agreement.slug, agreement.state = "made-up-withdrawn", PublicationState.WITHDRAWN
    agreement.withdrawal_reason = reason = "Told for this reason."
    agreement.save()
    agreement.former_slugs.all().delete()
    record_change([agreement.pk], reason=CANARY, name=CANARY)
    told = set()
    for address, shown in everything_shown(client, agreement, agency):
        assert CANARY.casefold() not in shown.casefold(), address
        if reason in shown:
            told.add(address)
    own = f"/agreements/{agreement.slug}"
    assert told == {own + ending for ending in ("/", "/changes/", ".json", ".bib", ".csl.json")}
    assert CANARY not in "".join(exports.register_document(Agreement.objects.register()))


def test_a_draft_is_the_same_404_as_nonsense_even_for_staff(client, admin_client):
    agreement, _ = hidden_record(PublicationState.DRAFT)
    for visitor in (client, admin_client):
        draft = visitor.get(f"/agreements/{agreement.slug}/")
        nonsense = visitor.get("/agreements/nonsense/")
        assert (draft.status_code, nonsense.status_code) == (404, 404)
        assert draft.content == nonsense.content


def test_every_field_is_exported_or_withheld_for_a_reason():
    for model, names in exports.PUBLIC.items():
        known = (
            set(names) | set(exports.STAFF.get(model, ())) | set(exports.WITHHELD.get(model, {}))
        )
        own = {f.name for f in (*model._meta.fields, *model._meta.many_to_many)}
        # The key, and the record a row belongs to, say nothing themselves.
        owner = {"id"} | (
            {"agreement", "agency"} - set(names) if model not in (Agreement,) else set()
        )
        assert own - owner == known - owner, model.__name__


def test_staff_fields_are_in_no_public_record():
    agreement = make.agreement(staff_notes=CANARY)
    assert CANARY not in str(exports.record(agreement))
    assert CANARY in exports.snapshot(agreement)


def test_every_staff_field_has_its_help_text():
    allowed = {"id", "agreement", "agency", "position", "state"}
    self_evident = {
        ("AgencyName", "name"),
        ("AgencyName", "kind"),
        ("Agency", "kind"),
        ("Agency", "website"),
        ("Agreement", "signed_city"),
        ("Agreement", "signed_country"),
        ("Agreement", "signed_venue"),
        ("Agreement", "text_url"),
        ("Source", "kind"),
        ("Source", "url"),
        ("Source", "archive_url"),
        ("Participation", "role"),
        ("Participation", "left_on"),
        ("Provision", "direction"),
        ("Milestone", "kind"),
        ("Outcome", "figure"),
        ("Outcome", "stage"),
        ("Outcome", "products"),
        ("Outcome", "reported_on"),
        ("Outcome", "reported_source"),
    }
    without = {
        (model.__name__, field.name)
        for model in exports.PUBLIC
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.editable and not field.help_text and field.name not in allowed
    }
    assert without == self_evident


def test_the_health_of_every_public_page(client):
    get_user_model().objects.all().delete()
    for agreement in Agreement.objects.register():
        response = client.get(agreement.get_absolute_url())
        assert response.status_code == 200
        content = response.content.decode()
        assert "None" not in content.replace("None of", "").replace("“none”", "")
        assert content.count("<h1") == 1
        assert content.count("<main") == 1
