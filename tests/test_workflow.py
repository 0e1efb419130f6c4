"""From draft to review to published to withdrawn: who may, what each move does, what it refuses."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import ProtectedError

from agreements import exports, workflow
from agreements.importer import parse
from agreements.models import Agreement, Evidence, Relation, Revision
from agreements.models.timeline import RelationKind
from agreements.record.after_change import record_change
from agreements.workflow import Move
from tests import make
from tests.desk import change_of, empty_form, rows
from tests.moving import begun, complete, edited, move_url, person, published, send

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def reasons(agreement):
    return [(r.reason, r.made_by_name) for r in agreement.revisions.all()]


def everything():
    """What a refused move must not have touched."""
    return (
        list(Agreement.objects.order_by("pk").values()),
        list(Revision.objects.order_by("pk").values_list("pk")),
    )


# --- A record's way to the public ---------------------------------------------------------------


def test_a_draft_is_submitted_returned_submitted_and_published_by_a_second_person(
    client, editor, publisher
):
    draft = complete(editor)
    address = draft.get_absolute_url()
    assert send(client, editor, draft, "submit").status_code == 302
    assert send(client, publisher, draft, "return", note="The date is wrong.").status_code == 302
    client.force_login(editor)
    assert "Returned to draft: The date is wrong." in client.get(change_of(draft)).content.decode()
    assert send(client, editor, draft, "submit").status_code == 302
    client.logout()
    assert client.get(address).status_code == 404
    assert send(client, publisher, draft, "publish").status_code == 302
    draft.refresh_from_db()
    assert (draft.state, draft.published_by, draft.unchecked_because) == (
        "published",
        publisher,
        "",
    )
    assert draft.last_edited_by == editor
    client.logout()
    assert client.get(address).status_code == 200
    assert reasons(draft) == [
        ("Published", publisher.username),
        ("Submitted for review", editor.username),
        ("Returned to draft: The date is wrong.", publisher.username),
        ("Submitted for review", editor.username),
        ("Created", editor.username),
    ]


def test_who_edited_last_publishes_only_for_a_reason_and_the_record_stays_marked_until_approved(
    client, publisher, other_publisher
):
    draft = complete(publisher)
    refused = send(client, publisher, draft, "publish")
    assert refused.status_code == 200
    assert refused.context["form"].errors["reason"]
    draft.refresh_from_db()
    assert draft.state == "draft"
    assert send(client, publisher, draft, "publish", reason="Nobody is here.").status_code == 302
    draft.refresh_from_db()
    assert draft.unchecked_because == "Nobody is here."
    assert "Nobody is here." in client.get(change_of(draft)).content.decode()
    client.logout()
    for face in (draft.get_absolute_url(), f"/agreements/{draft.slug}.json"):
        assert "Nobody is here." not in client.get(face).content.decode()

    before = everything()
    assert send(client, publisher, draft, "approve").status_code == 403
    assert everything() == before
    assert send(client, other_publisher, draft, "approve").status_code == 302
    draft.refresh_from_db()
    assert draft.unchecked_because == ""
    assert reasons(draft)[0] == ("Approved after publication", other_publisher.username)
    assert send(client, other_publisher, draft, "approve").status_code == 409


def test_who_published_without_a_second_check_does_not_approve_it_after_another_has_edited(
    client, editor, publisher
):
    draft = complete(publisher)
    send(client, publisher, draft, "publish", reason="Alone.")
    Agreement.objects.filter(pk=draft.pk).update(last_edited_by=editor)
    assert send(client, publisher, draft, "approve").status_code == 403


def test_what_is_incomplete_is_not_published_and_each_gap_leads_to_its_field(
    client, editor, publisher
):
    draft = make.agreement(state="draft", instrument_type="", provisions=[{}])
    record_change([draft.pk], reason="Created", user=editor)
    client.force_login(publisher)
    page = client.get(move_url(draft, "publish"))
    form = client.get(change_of(draft)).content.decode()
    assert [each.anchor for each in page.context["missing"]] == [
        "id_instrument_type",
        "id_signed_on",
        "sources-group",
        "participations-group",
        "provisions-0",
    ]
    for each in page.context["missing"]:
        assert f'href="{change_of(draft)}#{each.anchor}"' in page.content.decode()
        assert f'id="{each.anchor}"' in form, each
    before = everything()
    assert send(client, publisher, draft, "publish").status_code == 409
    assert everything() == before


def test_a_title_is_enough_for_a_draft_and_a_summary_or_a_provision_describes_it():
    draft = Agreement.objects.create(title="Made-up")
    assert "id_summary" in [each.anchor for each in workflow.missing(draft)]
    draft.detail_level = "list_entry"
    assert "id_summary" not in [each.anchor for each in workflow.missing(draft)]


@pytest.mark.parametrize("explained", ["milestone", "notes", "evidence"])
def test_a_missing_date_of_signature_needs_an_explanation(explained):
    draft = make.agreement(state="draft")
    assert "id_signed_on" in [each.anchor for each in workflow.missing(draft)]
    if explained == "milestone":
        draft.milestones.create(kind="announced", date="2026")
    if explained == "notes":
        draft.source_notes = "No source gives the date."
    if explained == "evidence":
        Evidence.objects.create(agreement=draft, topic="signed_on", statement="Not dated.")
    assert "id_signed_on" not in [each.anchor for each in workflow.missing(draft)]


@pytest.mark.shipped
def test_every_shipped_record_is_complete():
    register = Agreement.objects.register().with_related()
    assert {a.slug: workflow.missing(a) for a in register if workflow.missing(a)} == {}
    assert register


def test_an_editor_returns_to_draft_only_what_is_the_editors_own(client, editor):
    other = person("editor", "made-up-other-editor")
    draft = complete(editor)
    send(client, editor, draft, "submit")
    assert send(client, other, draft, "return", note="No.").status_code == 403
    assert send(client, editor, draft, "return", note="I forgot a page.").status_code == 302


def ticked(*agreements):
    """The form of the change list as it shows these records now, each with its box ticked."""
    return {"action": "submit_for_review", "_selected_action": [a.pk for a in agreements]} | {
        f"seen-{a.pk}-lock_version": make.version(a) for a in agreements
    }


def test_many_drafts_are_submitted_at_once_and_what_is_none_is_left(client, editor, publisher):
    drafts = [complete(editor), complete(editor)]
    public = published(editor, publisher)
    client.force_login(editor)
    told = client.post(
        "/admin/agreements/agreement/",
        ticked(*drafts, public),
        follow=True,
    ).content.decode()
    assert "Submitted for review: 2." in told
    assert "The record is now: Published." in told
    assert [Agreement.objects.get(pk=a.pk).state for a in (*drafts, public)] == [
        "in_review",
        "in_review",
        "published",
    ]


# --- Withdrawn, moved, published again ----------------------------------------------------------


def test_a_record_is_withdrawn_with_a_kind_and_a_reason_and_published_again(
    client, editor, publisher
):
    made = published(editor, publisher)
    into = Agreement.objects.get(slug="jsepa-2002")

    def refused(**typed):
        response = send(client, publisher, made, "withdraw", **typed)
        assert response.status_code == 200
        return set(response.context["form"].errors)

    assert refused() == {"withdrawal_kind", "withdrawal_reason"}
    merged = {"withdrawal_kind": "merged", "withdrawal_reason": "Typed twice."}
    assert refused(**merged) == {"merged_into"}
    assert refused(**merged, merged_into="made-up-nowhere") == {"merged_into"}
    assert refused(**merged, merged_into=made.slug) == {"merged_into"}
    draft = complete(editor)
    assert refused(**merged, merged_into=draft.slug) == {"merged_into"}
    by_parties = merged | {"withdrawal_kind": "by_parties", "merged_into": into.slug}
    assert "Only a merged record" in str(
        send(client, publisher, made, "withdraw", **by_parties).context["form"].errors
    )
    made.refresh_from_db()
    assert made.state == "published"

    address = f"http://testserver{into.get_absolute_url()}"
    assert (
        send(client, publisher, made, "withdraw", **merged, merged_into=address).status_code == 302
    )
    made.refresh_from_db()
    assert made.withdrawn_on is not None
    page = client.get(made.get_absolute_url())
    assert page.status_code == 200
    assert into.get_absolute_url() in page.content.decode()
    snapshot = json.loads(made.revisions.first().snapshot)
    assert (snapshot["withdrawal_reason"], snapshot["merged_into"]) == ("Typed twice.", into.slug)

    assert send(client, publisher, made, "publish").status_code == 409
    assert send(client, publisher, made, "publish-again").status_code == 200
    assert send(client, publisher, made, "publish-again", reason="An error.").status_code == 302
    made.refresh_from_db()
    assert (made.withdrawal_kind, made.withdrawal_reason) == ("", "")
    assert (made.withdrawn_on, made.merged_into) == (None, None)
    assert reasons(made)[0][0] == "Published again: An error."
    assert client.get(made.get_absolute_url()).status_code == 200


def test_a_published_record_is_moved_and_keeps_its_old_address(client, editor, publisher):
    made = published(editor, publisher, slug="made-up-desk")
    for slug in ("jsepa-2002", "Not A Slug", "", "made-up-desk", "a\x00b"):
        response = send(client, publisher, made, "move", slug=slug)
        assert response.context["form"].errors["slug"], slug
    assert send(client, publisher, made, "move", slug="made-up-moved").status_code == 302
    assert client.get("/agreements/made-up-desk/")["Location"] == "/agreements/made-up-moved/"
    assert reasons(made)[0][0] == "Moved from the address made-up-desk"
    other = published(editor, person("publisher", "made-up-third"))
    response = send(client, publisher, other, "move", slug="made-up-desk")
    assert "former address of another record" in str(response.context["form"].errors)


def test_a_former_address_is_typed_with_a_draft_and_stays_once_published(client, editor, publisher):
    draft = complete(editor)
    client.force_login(editor)
    form = empty_form() | {
        "title": draft.title,
        "slug": draft.slug,
        "instrument_type": "moc",
        "legal_nature": "not_stated",
        "text_availability": "not_stated",
        "detail_level": "list_entry",
        "signed_on": "2026",
        "lock_version": make.version(draft),
        **rows("former_slugs", {"slug": "made-up-before"}),
    }
    assert client.post(change_of(draft), form).status_code == 302
    send(client, publisher, draft, "publish")
    assert client.get("/agreements/made-up-before/")["Location"] == draft.get_absolute_url()


# --- Working copies -----------------------------------------------------------------------------


def test_a_published_record_is_changed_in_a_working_copy_that_the_public_never_sees(
    client, editor, publisher
):
    made = published(editor, publisher)
    made.slug = "made-up-present"
    made.save()
    before = exports.snapshot(Agreement.objects.with_related().get(pk=made.pk))
    copy = begun(client, editor, made)
    assert exports.snapshot(Agreement.objects.with_related().get(pk=copy.pk)) == json.dumps(
        json.loads(before) | {"state": "draft", "former_slugs": []}, ensure_ascii=False, indent=1
    )
    edited(copy, editor, title="Made-up, corrected")
    copy.provisions.all().delete()
    form = client.get(change_of(copy)).content.decode()
    assert "Working copy, draft" in form
    assert 'name="slug"' not in form
    assert "former_slugs-TOTAL_FORMS" not in form
    assert "Open the working copy" in client.get(change_of(made)).content.decode()
    assert (
        "Working copy: Made-up, corrected"
        in client.get("/admin/agreements/agreement/").content.decode()
    )

    client.logout()
    assert client.get(f"/agreements/{copy.slug}/").status_code == 404
    assert "Made-up, corrected" not in client.get(made.get_absolute_url()).content.decode()

    revisions = made.revisions.filter(of_working_copy=False).count()
    landed = send(client, publisher, copy, "publish")
    assert landed["Location"] == change_of(made)
    assert not Agreement.objects.filter(pk=copy.pk).exists()
    made.refresh_from_db()
    assert (made.title, made.slug) == ("Made-up, corrected", "made-up-present")
    assert made.provisions.count() == 0
    assert [former.slug for former in made.former_slugs.all()]
    assert made.last_edited_by == editor
    assert made.revisions.filter(of_working_copy=False).count() == revisions + 1
    assert "Made-up, corrected" in client.get(made.get_absolute_url()).content.decode()


@pytest.mark.parametrize("slug", ["hsa-mhlw-moc-2026", "project-orbis", "jsepa-2002"])
def test_a_working_copy_loses_nothing_of_a_real_record(editor, publisher, slug):
    made = Agreement.objects.with_related().get(slug=slug)
    source = made.sources.first()
    source.file = "sources/made-up.txt"
    source.checked_at = "2026-01-01T00:00Z"
    source.save()
    record_change([made.pk], reason="A stored copy", user=editor)
    made = Agreement.objects.with_related().get(slug=slug)
    before = json.loads(exports.snapshot(made))
    copy = workflow.begin_working_copy(made.pk, made.lock_version, editor)
    edited(copy, editor, staff_notes="Looked at.")
    copy.refresh_from_db()
    workflow.publish(copy.pk, copy.lock_version, publisher)
    after = Agreement.objects.with_related().get(slug=slug)
    assert json.loads(exports.snapshot(after)) == before | {"staff_notes": "Looked at."}
    assert after.sources.first().checked_at is not None


def test_a_working_copy_published_by_its_editor_is_marked_and_a_checked_one_clears_the_mark(
    client, editor, publisher, other_publisher
):
    made = published(editor, publisher)
    copy = begun(client, publisher, made)
    edited(copy, publisher, title="Made-up, alone")
    assert send(client, publisher, copy, "publish").context["form"].errors["reason"]
    send(client, publisher, copy, "publish", reason="Urgent.")
    made.refresh_from_db()
    assert (made.title, made.unchecked_because) == ("Made-up, alone", "Urgent.")
    copy = begun(client, editor, made)
    edited(copy, editor, title="Made-up, together")
    send(client, other_publisher, copy, "publish")
    made.refresh_from_db()
    assert (made.title, made.unchecked_because) == ("Made-up, together", "")


def test_a_copy_begun_by_another_does_not_pass_for_a_second_check(client, editor, publisher):
    made = published(publisher, person("publisher", "made-up-third"))
    copy = begun(client, editor, made)
    assert send(client, publisher, copy, "publish").context["form"].errors["reason"]


def test_a_working_copy_that_changes_nothing_is_not_published(client, editor, publisher):
    made = published(editor, publisher)
    copy = begun(client, editor, made)
    before = everything()
    assert send(client, publisher, copy, "publish").status_code == 409
    assert everything() == before


def test_a_working_copy_is_begun_once_and_discarded_by_who_began_it_or_a_publisher(
    client, editor, publisher
):
    made = published(editor, publisher)
    other = person("editor", "made-up-other-editor")
    copy = begun(client, editor, made)
    assert begun(client, editor, made) == copy
    assert send(client, other, made, "edit").status_code == 409
    assert send(client, other, copy, "discard").status_code == 403
    assert send(client, editor, made, "discard").status_code == 409
    edited(copy, editor, title="Made-up, given up")
    assert send(client, editor, copy, "discard")["Location"] == change_of(made)
    assert not Agreement.objects.filter(revises=made).exists()
    given_up = made.revisions.first()
    assert (given_up.reason, given_up.of_working_copy) == ("Working copy discarded", True)
    assert "given up" in given_up.snapshot
    copy = begun(client, editor, made)
    assert send(client, publisher, copy, "discard").status_code == 302


def test_what_an_import_changed_meanwhile_is_not_undone_without_saying_so(
    client, editor, publisher
):
    made = published(editor, publisher)
    copy = begun(client, editor, made)
    edited(copy, editor, title="Made-up, corrected")
    document = parse("".join(exports.register_document(Agreement.objects.register())))
    (row,) = (row for row in document["agreements"] if row["slug"] == made.slug)
    row["summary"] = "From an import."
    make.import_register(document, reason="Imported", name="test")
    client.force_login(publisher)
    page = client.get(move_url(copy, "publish"))
    assert [change.reason for change in page.context["changed_meanwhile"]] == ["Imported"]
    before = everything()
    assert send(client, publisher, copy, "publish").context["form"].errors["replace"]
    assert everything() == before
    assert send(client, publisher, copy, "publish", replace="on").status_code == 302
    made.refresh_from_db()
    assert made.summary == "Made up."


def test_a_move_to_another_address_meanwhile_is_no_change_to_undo(client, editor, publisher):
    made = published(editor, publisher)
    copy = begun(client, editor, made)
    edited(copy, editor, title="Made-up, corrected")
    send(client, publisher, made, "move", slug="made-up-elsewhere")
    assert send(client, publisher, copy, "publish").status_code == 302
    made.refresh_from_db()
    assert (made.slug, made.title) == ("made-up-elsewhere", "Made-up, corrected")


def test_a_withdrawn_record_is_corrected_in_a_working_copy_and_stays_withdrawn(
    client, editor, publisher
):
    made = published(editor, publisher)
    reason = {"withdrawal_kind": "published_in_error", "withdrawal_reason": "Wrong."}
    send(client, publisher, made, "withdraw", **reason)
    assert "Published in error" in client.get(change_of(made)).content.decode()
    copy = begun(client, editor, made)
    assert (copy.withdrawal_kind, copy.state) == ("", "draft")
    edited(copy, editor, title="Made-up, right")
    send(client, publisher, copy, "publish")
    made.refresh_from_db()
    assert (made.title, made.state, made.withdrawal_reason) == (
        "Made-up, right",
        "withdrawn",
        "Wrong.",
    )
    assert client.get(made.get_absolute_url()).status_code == 410


def test_no_record_is_related_to_a_working_copy(client, editor, publisher):
    made = published(editor, publisher)
    copy = begun(client, editor, made)
    draft = make.agreement(state="draft")
    relation = Relation(agreement=draft, kind=RelationKind.BUILDS_ON, target=copy)
    with pytest.raises(Exception, match="choose the record itself"):
        relation.full_clean()
    for kind in RelationKind:
        to_itself = Relation(agreement=copy, kind=kind, target=made)
        with pytest.raises(Exception, match="cannot be related to itself"):
            to_itself.full_clean()
    Relation.objects.create(agreement=draft, kind="builds_on", target=made)
    with pytest.raises(Exception, match="in a chain"):
        Relation(agreement=copy, kind="builds_on", target=draft).full_clean()
    offered = client.get(
        "/admin/autocomplete/",
        {
            "term": copy.title,
            "app_label": "agreements",
            "model_name": "relation",
            "field_name": "target",
        },
    ).json()["results"]
    assert [item["id"] for item in offered] == [str(made.pk)]


# --- Nobody overwrites anybody, nothing goes round the form -------------------------------------


def test_a_move_on_what_another_person_changed_meanwhile_says_who_and_writes_nothing(
    client, editor, publisher
):
    draft = complete(editor)
    seen = draft.lock_version
    edited(draft, editor, title="Made-up, changed since")
    client.force_login(publisher)
    before = everything()
    response = client.post(move_url(draft, "publish"), {"lock_version": seen})
    assert response.status_code == 409
    assert editor.username in response.content.decode()
    assert everything() == before


def test_a_double_click_publishes_once(client, editor, publisher):
    draft = complete(editor)
    seen = draft.lock_version
    client.force_login(publisher)
    answers = [
        client.post(move_url(draft, "publish"), {"lock_version": seen}).status_code
        for _ in range(2)
    ]
    assert answers == [302, 409]
    assert [reason for reason, _ in reasons(draft)].count("Published") == 1


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40, "\x00", "1e99"])
def test_a_forged_version_writes_nothing(client, editor, publisher, version):
    draft = complete(editor)
    client.force_login(publisher)
    before = everything()
    response = client.post(move_url(draft, "publish"), {"lock_version": version})
    assert response.status_code in (200, 409)
    assert everything() == before


@pytest.mark.parametrize("pk", ["0", "9" * 18, "9" * 40])
def test_a_record_that_is_not_there_is_not_found(admin_client, pk):
    base = f"/admin/agreements/agreement/{pk}"
    for move in Move:
        assert admin_client.post(f"{base}/move/{move}/", {"lock_version": 1}).status_code == 404
    assert admin_client.get(f"{base}/preview/").status_code == 404
    assert admin_client.get("/admin/agreements/agreement/1/move/made-up/").status_code == 404


@pytest.mark.parametrize("state", ["published", "withdrawn"])
def test_the_form_of_what_the_public_sees_or_saw_is_for_reading_only(admin_client, state):
    made = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    Agreement.objects.filter(pk=made.pk).update(state=state)
    form = admin_client.get(change_of(made)).content.decode()
    assert 'name="title"' not in form
    assert 'name="_save"' not in form
    assert "Edit in a working copy" in form
    forged = empty_form() | {"title": "Forged", "state": "draft", "_save": "Save"}
    before = everything()
    assert admin_client.post(change_of(made), forged).status_code == 403
    delete = change_of(made).replace("change", "delete")
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("slug", ["hsa-mhlw-moc-2026", "project-orbis"])
def test_the_form_of_a_published_record_takes_no_query_more_for_each_row(
    admin_client, django_assert_max_num_queries, slug
):
    made = Agreement.objects.get(slug=slug)
    with django_assert_max_num_queries(25):
        admin_client.get(change_of(made))


def test_every_allowed_move_and_no_other_is_possible_from_each_state(publisher, editor):
    for state, _ in Agreement._meta.get_field("state").choices:
        made = complete(editor)
        made.state = state
        for move in Move:
            allowed = any(row.before == state and row.move == move for row in workflow.ALLOWED)
            try:
                workflow.check(made, move, publisher)
            except workflow.Refused:
                assert not allowed or move in (Move.DISCARD, Move.APPROVE)
            else:
                assert allowed


def test_an_editor_deletes_a_draft_with_its_history_and_a_viewer_reads_why_not(client, editor):
    draft = complete(editor)
    delete = change_of(draft).replace("change", "delete")
    client.force_login(person("viewer"))
    response = client.post(delete, {"post": "yes"})
    assert (response.status_code, "Your role does not allow" in response.content.decode()) == (
        403,
        True,
    )
    client.force_login(editor)
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not Agreement.objects.filter(pk=draft.pk).exists()


def test_what_was_public_is_deleted_by_no_path_of_the_application():
    made = make.agreement()
    with pytest.raises(ProtectedError):
        made.delete()
    assert Agreement.objects.filter(pk=made.pk).exists()


# --- Preview ------------------------------------------------------------------------------------


def test_a_preview_is_the_page_to_be_for_staff_only_and_writes_nothing(client, editor, publisher):
    made = published(editor, publisher)
    copy = begun(client, editor, made)
    edited(copy, editor, title="Made-up, corrected", instrument_type="")
    draft = complete(editor)
    before = everything()
    for record in (copy, draft):
        address = f"/admin/agreements/agreement/{record.pk}/preview/"
        client.force_login(editor)
        page = client.get(address)
        text = page.content.decode()
        assert page.status_code == 200
        assert "Preview: not public." in text
        assert "noindex" in text
        assert "noindex" in page["X-Robots-Tag"]
        assert "no-store" in page["Cache-Control"]
        assert Agreement.objects.get(pk=record.pk).title in text
        changes = [(d.heading, len(d.fields)) for d in page.context["differences"]]
        assert changes == ([("The record", 2)] if record == copy else [])
        assert ("What publishing would change" in text) == (record == copy)
        assert client.post(address).status_code == 405
        client.logout()
        assert client.get(address).status_code == 302
    assert everything() == before
    client.force_login(editor)
    public = client.get(f"/admin/agreements/agreement/{made.pk}/preview/")
    assert public["Location"] == made.get_absolute_url()


# --- At once ------------------------------------------------------------------------------------


def at_once(move, agreement, people):
    """What becomes of several people making one move with one record at the same moment."""
    start = Barrier(len(people))

    def one(user):
        try:
            start.wait()
            move(agreement.pk, agreement.lock_version, user)
        except workflow.Refused as refusal:
            return type(refusal).__name__
        else:
            return "made"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        return sorted(pool.map(one, people))


@pytest.mark.django_db(transaction=True)
def test_of_several_who_publish_or_begin_a_copy_at_once_exactly_one_does():
    people = [User.objects.create_superuser(f"made-up-{number}") for number in range(4)]
    typist = User.objects.create_superuser("made-up-typist")
    draft = make.agreement(
        state="draft", signed_on="2026", summary="Made up.", participants=[make.agency()]
    )
    make.source(draft)
    record_change([draft.pk], reason="Created", user=typist)
    draft.refresh_from_db()
    assert at_once(workflow.publish, draft, people) == ["Conflict"] * 3 + ["made"]
    draft.refresh_from_db()
    assert draft.revisions.filter(reason="Published").count() == 1
    assert at_once(workflow.begin_working_copy, draft, people) == ["Refused"] * 3 + ["made"]
    copy = Agreement.objects.get(revises=draft)
    edited(copy, typist, title="Made-up, corrected")
    copy.refresh_from_db()
    assert at_once(workflow.publish, copy, people) == ["Gone"] * 3 + ["made"]
    draft.refresh_from_db()
    assert draft.title == "Made-up, corrected"


# --- What a list shows --------------------------------------------------------------------------


def shown(client):
    """The fields of the change list as it stands, boxes not ticked."""
    page = client.get("/admin/agreements/agreement/?state=draft").content.decode()
    fields = re.findall(r'<input type="hidden" name="(seen-[^"]*)" value="([^"]*)"', page)
    assert fields
    return dict(fields)


def test_a_record_changed_since_the_list_was_shown_is_named_and_left(client, editor):
    draft, other = complete(editor, short_title="Made-up draft"), complete(editor)
    client.force_login(editor)
    seen = shown(client)
    edited(draft, editor, summary="Changed meanwhile.")
    data = seen | {"action": "submit_for_review", "_selected_action": [draft.pk, other.pk]}
    told = client.post("/admin/agreements/agreement/", data, follow=True).content.decode()
    assert "Made-up draft: The record was changed after you opened this page." in told
    assert "Submitted for review: 1." in told
    draft.refresh_from_db()
    other.refresh_from_db()
    assert (draft.state, other.state) == ("draft", "in_review")


@pytest.mark.parametrize("version", [None, "", "x", "-1", "9" * 40, "\x00"])
def test_a_record_whose_version_nobody_saw_is_left(client, editor, version):
    draft = complete(editor, short_title="Made-up draft")
    client.force_login(editor)
    before = everything()
    data = {"action": "submit_for_review", "select_across": "1", "_selected_action": [draft.pk]}
    if version is not None:
        data[f"seen-{draft.pk}-lock_version"] = version
    address = "/admin/agreements/agreement/?state=draft"
    told = client.post(address, data, follow=True).content.decode()
    assert "Made-up draft: " in told
    assert "Submitted for review" not in told
    assert everything() == before
