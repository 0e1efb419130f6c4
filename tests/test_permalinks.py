"""A published address answers for good: with the record, its new address, or the reason."""

import json

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from agreements.exports import register_document
from agreements.importer import ImportRefused, parse
from agreements.models import Agreement, FormerSlug, Relation
from agreements.models.querysets import PublicationState
from agreements.record.after_change import record_change
from agreements.urls import urlpatterns
from tests import make
from tests.walk import CANARY, hidden_record

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ENDINGS = ["/", ".json", ".bib", ".csl.json"]


def renamed(agreement, slug):
    agreement.slug = slug
    agreement.full_clean()
    agreement.save()


def withdrawn(kind="published_in_error", **fields):
    """A record that was public, with the canary in every text, now withdrawn."""
    agreement, agency = hidden_record(PublicationState.PUBLISHED)
    agreement.state = PublicationState.WITHDRAWN
    agreement.withdrawal_kind, agreement.withdrawal_reason = kind, "Typed twice <b>by us</b>."
    for name, value in fields.items():
        setattr(agreement, name, value)
    agreement.save()
    record_change([agreement.pk], reason="withdrawn", name="test")
    return agreement, agency


# --- Former addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_chain_of_former_addresses_leads_to_the_present_one_in_one_step(client, ending):
    made = make.agreement(slug="made-up-a")
    renamed(made, "made-up-b")
    renamed(made, "made-up-c")
    for slug in ("made-up-a", "made-up-b"):
        response = client.get(f"/agreements/{slug}{ending}")
        assert response.status_code == 301
        assert response["Location"] == f"/agreements/made-up-c{ending}"
    assert client.get(f"/agreements/made-up-c{ending}").status_code == 200


def test_the_question_goes_with_it(client):
    renamed(make.agreement(slug="made-up-a"), "made-up-b")
    response = client.get("/agreements/made-up-a/?as_of=2020-01-01")
    assert response["Location"] == "/agreements/made-up-b/?as_of=2020-01-01"


def test_an_address_that_is_taken_up_again_is_no_former_one(client):
    made = make.agreement(slug="made-up-a")
    renamed(made, "made-up-b")
    renamed(made, "made-up-a")
    assert client.get("/agreements/made-up-a/").status_code == 200
    assert client.get("/agreements/made-up-b/")["Location"] == "/agreements/made-up-a/"
    assert [former.slug for former in made.former_slugs.all()] == ["made-up-b"]


def test_a_draft_leaves_no_address_behind(client):
    made = make.agreement(slug="made-up-a", state="draft")
    renamed(made, "made-up-b")
    assert not FormerSlug.objects.exists()


@pytest.mark.parametrize("state", sorted(set(PublicationState) - {PublicationState.PUBLISHED}))
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_former_address_of_what_is_not_public_is_nonsense(client, state, ending):
    made = make.agreement(slug="made-up-a")
    renamed(made, "made-up-b")
    Agreement.objects.filter(pk=made.pk).update(state=state)
    former = client.get(f"/agreements/made-up-a{ending}")
    nonsense = client.get(f"/agreements/nonsense{ending}")
    assert (former.status_code, former.content) == (404, nonsense.content)


def test_no_other_record_takes_a_former_address():
    renamed(make.agreement(slug="made-up-a"), "made-up-b")
    other = make.agreement(slug="made-up-c")
    with pytest.raises(Exception, match="former address of another record"):
        renamed(other, "made-up-a")
    with pytest.raises(Exception, match="has this address now"):
        FormerSlug(agreement=other, slug="made-up-b").full_clean()


def test_a_changed_address_is_in_the_history():
    made = make.agreement(slug="made-up-a")
    record_change([made.pk], reason="made", name="test")
    renamed(made, "made-up-b")
    assert record_change([made.pk], reason="moved", name="test") == 1
    snapshot = json.loads(made.revisions.first().snapshot)
    assert (snapshot["slug"], snapshot["former_slugs"]) == ("made-up-b", [{"slug": "made-up-a"}])


def document():
    return "".join(register_document(Agreement.objects.register()))


def test_former_addresses_are_exported_and_imported(client, reference):
    before = document()
    renamed(reference, "made-up-b")
    after = document()
    assert after != before
    # Elsewhere the record still stands at its old address: it moves.
    FormerSlug.objects.all().delete()
    Agreement.objects.filter(pk=reference.pk).update(slug="hsa-mhlw-moc-2026")
    assert document() == before
    result = make.import_register(parse(after), reason="test", name="test")
    assert (result.added, result.changed) == (0, 1)
    assert document() == after
    assert client.get("/agreements/hsa-mhlw-moc-2026/")["Location"] == "/agreements/made-up-b/"
    assert Agreement.objects.get(slug="made-up-b").pk == reference.pk


def test_an_older_document_does_not_make_a_second_record_of_one_that_moved(reference):
    before = document()
    renamed(reference, "made-up-b")
    with pytest.raises(ImportRefused, match="former address of another record"):
        make.import_register(parse(before), reason="test", name="test")


def test_a_document_whose_addresses_contradict_each_other_is_refused(reference):
    whole = json.loads(document())
    (row,) = (row for row in whole["agreements"] if row["slug"] == reference.slug)
    copy = row | {"slug": "made-up-b", "former_slugs": [{"slug": reference.slug}], "relations": []}
    whole["agreements"].append(copy)
    with pytest.raises(ImportRefused, match="has this address now"):
        make.import_register(whole, reason="test", name="test")


# --- Withdrawn records --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"), [("published_in_error", 410), ("by_parties", 410), ("merged", 200)]
)
def test_a_withdrawn_record_tells_when_and_why_and_nothing_else(client, kind, status):
    into = Agreement.objects.get(slug="jsepa-2002") if kind == "merged" else None
    made, _ = withdrawn(kind, merged_into=into, withdrawn_on="2026-06-07")
    response = client.get(made.get_absolute_url())
    former = f"/agreements/former-{made.slug}/"
    assert former in response.content.decode()
    content = response.content.decode().replace(former, "")
    assert response.status_code == status
    assert "Typed twice &lt;b&gt;by us&lt;/b&gt;." in content
    assert "7 June 2026" in content
    assert made.get_withdrawal_kind_display() in content
    assert CANARY.casefold() not in content.casefold()
    assert '<meta name="robots" content="noindex,follow">' in content
    assert 'rel="canonical"' not in content
    assert ('href="/agreements/jsepa-2002/"' in content) is (kind == "merged")

    told = client.get(f"/agreements/{made.slug}.json")
    assert told.status_code == status
    assert told["Content-Type"] == f"application/{'json' if status == 200 else 'problem+json'}"
    problem = {"type", "title", "status", "detail", "problems"}
    assert {name: value for name, value in told.json().items() if name not in problem} == {
        "slug": made.slug,
        "url": f"http://testserver{made.get_absolute_url()}",
        "former_slugs": [{"slug": f"former-{made.slug}"}],
        "withdrawn": {
            "on": "2026-06-07",
            "kind": kind,
            "reason": made.withdrawal_reason,
            "merged_into": into and "http://testserver/agreements/jsepa-2002/",
        },
    }
    for ending in (".bib", ".csl.json"):
        response = client.get(f"/agreements/{made.slug}{ending}")
        assert response.status_code == 410
        assert CANARY.casefold() not in response.content.decode().casefold()


def test_it_does_not_lead_to_a_record_that_is_not_public(client):
    into = make.agreement(title=CANARY)
    made, _ = withdrawn("merged", merged_into=into)
    Agreement.objects.filter(pk=into.pk).update(state="in_review")
    assert CANARY not in client.get(made.get_absolute_url()).content.decode()
    assert client.get(f"/agreements/{made.slug}.json").json()["withdrawn"]["merged_into"] is None


def test_what_was_never_public_is_nonsense_even_with_a_reason(client):
    made, _ = hidden_record(PublicationState.WITHDRAWN)
    for ending in ENDINGS:
        response = client.get(f"/agreements/{made.slug}{ending}")
        nonsense = client.get(f"/agreements/nonsense{ending}")
        assert (response.status_code, response.content) == (404, nonsense.content)


def test_the_database_holds_no_withdrawal_by_halves():
    made = make.agreement()
    for halves in (
        {"withdrawal_kind": "merged"},
        {"withdrawal_reason": "x"},
        {"merged_into": Agreement.objects.get(slug="jsepa-2002")},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Agreement.objects.filter(pk=made.pk).update(**halves)


def test_relations_to_a_withdrawn_record_are_told_no_more(client):
    made, _ = withdrawn()
    assert Relation.objects.filter(target=made).exists()
    assert made.slug not in client.get("/agreements/jsepa-2002/").content.decode()


# --- Moved, then withdrawn ----------------------------------------------------------------------

GONE = [
    reverse(route.name, args=["made-up-a"])
    for route in urlpatterns
    if list(route.pattern.converters) == ["slug"]
]


def published():
    made = make.agreement(slug="made-up-a")
    record_change([made.pk], reason="made", name="test")
    return made


def moved_and_withdrawn(made, kind="published_in_error", into=None):
    for slug in ("made-up-b", "made-up-c"):
        renamed(made, slug)
    made.withdrawal_kind, made.withdrawal_reason, made.merged_into = kind, "Made up.", into
    made.state = PublicationState.WITHDRAWN
    made.save()
    record_change([made.pk], reason="withdrawn", name="test")


@pytest.mark.parametrize("address", GONE)
@pytest.mark.parametrize("kind", ["published_in_error", "merged"])
def test_the_former_address_of_what_was_withdrawn_leads_to_its_tombstone(client, address, kind):
    into = make.agreement() if kind == "merged" else None
    moved_and_withdrawn(published(), kind, into)
    for former in (address, address.replace("made-up-a", "made-up-b")):
        response = client.get(former)
        present = address.replace("made-up-a", "made-up-c")
        assert (response.status_code, response["Location"]) == (301, present)
    told = client.get(present)
    # What is gone is cited no more, wherever its content stands now.
    cites = address.endswith((".bib", ".csl.json"))
    assert told.status_code == (200 if into and not cites else 410)
    assert "Made up." in told.content.decode()


def test_a_tombstone_names_the_former_addresses(client):
    moved_and_withdrawn(published())
    told = client.get("/agreements/made-up-c.json").json()
    assert told["former_slugs"] == [{"slug": "made-up-a"}, {"slug": "made-up-b"}]
    page = client.get("/agreements/made-up-c/").content.decode()
    assert "/agreements/made-up-a/" in page
    assert "/agreements/made-up-b/" in page


def test_what_moved_and_was_withdrawn_between_two_visits_leaves_a_mirror(client):
    made, copy = published(), {}

    def visit(address):
        """The recipe of docs/data.md."""
        while address:
            page = client.get(address).json()
            for told in page["agreements"] + page["withdrawn"]:
                for gone in [told["slug"], *(former["slug"] for former in told["former_slugs"])]:
                    copy.pop(gone, None)
            copy.update({record["slug"]: record for record in page["agreements"]})
            address, resume = page["next"], page["resume"]
        return resume

    resume = visit("/agreements.json?updated_since=2000-01-01")
    assert "made-up-a" in copy
    moved_and_withdrawn(made)
    visit(resume)
    assert not {"made-up-a", "made-up-b", "made-up-c"} & copy.keys()
