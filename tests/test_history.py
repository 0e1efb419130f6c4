"""History that answers: what differed, who did it when and why, and how to go back."""

import copy
import io
import json
import random
import re
from tempfile import NamedTemporaryFile

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.utils.html import strip_tags
from hypothesis import given
from hypothesis import strategies as st

from agreements import exports
from agreements.dates import PartialDateField
from agreements.importer import parse
from agreements.models import Agreement, CooperationArea, Revision, Source
from agreements.record.after_change import record_change
from agreements.record.differences import DifferenceKind, differences, in_one_line, marks
from tests import make
from tests.desk import record

pytestmark = [pytest.mark.django_db, pytest.mark.database]
CANARY = "Kanarienvogel"


# --- What differs -------------------------------------------------------------------------------


def value_of(chance, model, name):
    """One of few values that a field may hold in a record, so that many come back."""
    column = model._meta.get_field(name)
    if column.many_to_many:
        return chance.choice([[], ["medicines"], ["medicines", "vaccines"]])
    if column.is_relation:
        source = column.related_model is Source
        return chance.choice([None, 1, 2] if source else [None, "made-up-x", "made-up-y"])
    if isinstance(column, PartialDateField):
        return chance.choice([None, "2010", "2010-05"])
    return chance.choice(
        {
            "BooleanField": [True, False],
            "DateField": [None, "2010-05-01"],
            "DecimalField": [None, "3", "4.5"],
            "PositiveSmallIntegerField": [1, 2],
        }.get(column.get_internal_type(), ["", "a", "b c", "厚生労働省"])
    )


def row_of(chance, model):
    names = (*exports.PUBLIC[model], *exports.STAFF.get(model, ()))
    # Mostly empty, so that rows are often equal.
    told = {name for name in names if chance.random() < 0.2}
    empty = random.Random(0)  # noqa: S311
    return {name: value_of(chance if name in told else empty, model, name) for name in names}


def made_up_record(seed):
    chance = random.Random(seed)  # noqa: S311
    return row_of(chance, Agreement) | {
        table: [row_of(chance, child) for _ in range(chance.randrange(4))]
        for table, child in exports.CHILDREN[Agreement].items()
    }


RECORDS = st.integers(0, 2**32).map(made_up_record)


@given(RECORDS, RECORDS, st.data())
def test_two_records_differ_exactly_if_something_is_told(one, other, data):
    # Mostly alike: whole tables of the one stand in the other, in another order.
    alike = copy.deepcopy(one)
    for table in data.draw(st.sets(st.sampled_from(sorted(one)), max_size=3)):
        alike[table] = other[table]
    for table in exports.CHILDREN[Agreement]:
        alike[table] = data.draw(st.permutations(alike[table]))
    for changed in (other, alike, one):
        assert (differences(one, changed) == []) == (one == changed)


OPPOSITE = {DifferenceKind.ADDED: DifferenceKind.REMOVED, DifferenceKind.REMOVED: "added"}


@given(RECORDS, RECORDS)
def test_the_other_way_round_before_is_after_and_added_is_removed(one, other):
    def told(found, back):
        return sorted(
            (
                OPPOSITE.get(d.kind, d.kind) if back else d.kind,
                d.table,
                [
                    (f.name, f.after, f.before) if back else (f.name, f.before, f.after)
                    for f in d.fields
                ],
            )
            for d in found
        )

    assert told(differences(one, other), False) == told(differences(other, one), True)


@given(st.text(alphabet="ab ,\n厚生", max_size=12), st.text(alphabet="ab ,\n厚生", max_size=12))
def test_the_marked_stretches_give_both_texts_back(before, after):
    old, new = marks(before, after)
    assert ("".join(m.text for m in old), "".join(m.text for m in new)) == (before, after)
    if before == after:
        assert not any(mark.differs for mark in old + new)


def test_only_the_words_that_differ_are_marked():
    old, new = marks("The agencies share reports of inspections.", "The agencies share reports.")
    assert [m.text for m in old if m.differs] == ["of inspections"]
    assert [m.text for m in new if m.differs] == []


def test_differences_are_told_in_words(reference):
    before = json.loads(exports.snapshot(reference))
    after = copy.deepcopy(before)
    after["signed_on"], after["legal_nature"], after["signed_country"] = "2026-05", "binding", "SG"
    after["provisions"][0]["depth"] = "recognition"
    gone = after["evidence"].pop(0)
    own, provision, evidence = differences(before, after)
    assert [(f.label, f.before, f.after) for f in own.fields] == [
        ("legal nature", "Not stated", "Binding"),
        ("date of signature", "20 April 2026", "May 2026"),
        ("country of signature", "Japan", "Singapore"),
    ]
    assert provision.kind == "changed"
    assert [f.after for f in provision.fields] == ["Recognition"]
    assert (evidence.kind, evidence.noun) == ("removed", "piece of evidence")
    assert gone["statement"] in [f.before for f in evidence.fields]
    assert in_one_line([own, provision, evidence]) == (
        "legal nature, date of signature, country of signature; provisions: 1 changed; "
        "evidence: 1 removed"
    )


def test_a_row_that_moved_is_neither_removed_nor_added(reference):
    before = json.loads(exports.snapshot(reference))
    after = copy.deepcopy(before)
    after["provisions"].reverse()
    for position, row in enumerate(after["provisions"], start=1):
        row["position"] = position
    (moved,) = differences(before, after)
    assert (moved.kind, moved.heading) == ("reordered", "Order of provisions changed")


# --- What the public reads of it ----------------------------------------------------------------


def changed(agreement, reason="test", **fields):
    """Save these fields as staff would, and record the change."""
    Agreement.objects.filter(pk=agreement.pk).update(**fields)
    record_change([agreement.pk], reason=reason, name="Made-up Member-of-Staff")


def changes_page(client, agreement):
    response = client.get(f"/agreements/{agreement.slug}/changes/")
    assert response.status_code == 200
    return response, re.sub(r"\s+", " ", strip_tags(response.content.decode()))


def test_the_public_reads_what_changed_between_published_versions(client):
    made = make.agreement(summary="They share reports of inspections.")
    record_change([made.pk], reason="made", name="test")
    changed(made, "typing error found by a colleague", summary="They share reports of audits.")
    changed(made, signed_on="2026-05")
    response, text = changes_page(client, made)
    assert [v.summary for v in response.context["versions"]] == ["date of signature", "summary"]
    assert "Before They share reports of removed: inspections." in text
    assert "After They share reports of added: audits." in text
    assert "Date of signature Before Not stated After May 2026" in text
    assert text.rstrip().count("Published.") == 1
    assert "colleague" not in text
    assert "Member-of-Staff" not in text
    record = client.get(made.get_absolute_url()).content.decode()
    assert f'href="/agreements/{made.slug}/changes/"' in record


def test_a_record_published_once_has_only_that(client):
    shipped = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    response, text = changes_page(client, shipped)
    assert response.context["versions"] == []
    assert "Published." in text


def test_an_import_of_the_same_content_shows_nothing(client):
    text = "".join(exports.register_document(Agreement.objects.register()))
    make.import_register(parse(text), reason="again", name="test")
    response, _ = changes_page(client, Agreement.objects.get(slug="hsa-mhlw-moc-2026"))
    assert response.context["versions"] == []


@pytest.mark.parametrize(
    "hide",
    [
        pytest.param({"staff_notes": CANARY}, id="staff notes"),
        pytest.param({"state": "draft", "summary": CANARY}, id="a state while in draft"),
        pytest.param({"state": "in_review", "summary": CANARY}, id="a state while in review"),
        pytest.param(
            {
                "state": "withdrawn",
                "summary": CANARY,
                "withdrawal_kind": "published_in_error",
                "withdrawal_reason": "Made up.",
            },
            id="a state while withdrawn",
        ),
    ],
)
def test_what_the_public_never_saw_is_not_in_the_history_it_reads(client, hide):
    made = make.agreement()
    record_change([made.pk], reason="made", name="test")
    changed(made, CANARY, **hide)
    shown = {"staff_notes": "", "withdrawal_kind": "", "withdrawal_reason": "", "summary": "Plain."}
    changed(made, CANARY, state="published", **shown)
    changed(made, CANARY, title="Made-up title")
    _, text = changes_page(client, made)
    assert CANARY not in text
    assert "Made-up title" in text


def test_what_was_taken_back_stays_back_when_the_record_is_published_again(client):
    made = make.agreement(summary=CANARY)
    record_change([made.pk], reason="made", name="test")
    withdrawal = {"withdrawal_kind": "published_in_error", "withdrawal_reason": "Made up."}
    changed(made, state="withdrawn", **withdrawal)
    assert client.get(f"/agreements/{made.slug}/changes/").status_code == 410
    changed(made, state="published", summary="", withdrawal_kind="", withdrawal_reason="")
    response, text = changes_page(client, made)
    assert CANARY not in text
    assert response.context["versions"] == []


def test_a_working_copy_is_in_no_public_history(client):
    made = make.agreement()
    record_change([made.pk], reason="made", name="test")
    copy_of_it = make.agreement(state="draft", revises=made, summary=CANARY)
    record_change([copy_of_it.pk], reason=CANARY, name="test")
    # Even if its state were wrong.
    changed(copy_of_it, CANARY, state="published", title=CANARY)
    changed(made, title="Made-up title")
    _, text = changes_page(client, made)
    assert CANARY not in text


def test_relations_to_what_is_not_public_are_not_told_and_a_move_is_no_change(client):
    made, hidden, moved = make.agreement(), make.agreement(slug="kanarienvogel"), make.agreement()
    made.relations.create(kind="builds_on", target=moved)
    record_change([made.pk], reason="made", name="test")
    made.relations.create(kind="part_of", target=hidden)
    record_change([made.pk], reason="related", name="test")
    _, text = changes_page(client, made)
    assert "Relation added" in text
    hidden.state = "draft"
    hidden.save()
    moved.slug = "made-up-moved"
    moved.save()
    record_change([made.pk], reason="nothing of its own", name="test")
    response, text = changes_page(client, made)
    assert response.context["versions"] == []
    assert hidden.slug not in text
    assert str(hidden) not in text


def test_a_long_history_is_paged_and_asks_the_same_number_of_questions(
    client, django_assert_max_num_queries
):
    made = make.agreement()
    for number in range(12):
        changed(made, title=f"Made-up title {number}")
    first, text = changes_page(client, made)
    assert len(first.context["versions"]) == 10
    assert "Published." not in text
    assert len(first.content) < 60_000
    with django_assert_max_num_queries(9):
        last = client.get(f"/agreements/{made.slug}/changes/?page=2")
    assert [v.summary for v in last.context["versions"]] == ["title"]
    assert "Published." in last.content.decode()


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=99", "pages=1", "page=" + "9" * 5000])
def test_a_wrong_page_of_the_history_is_refused(client, query):
    made = make.agreement()
    assert client.get(f"/agreements/{made.slug}/changes/?{query}").status_code in (400, 404)


def test_a_former_address_leads_to_the_present_history(client):
    made = make.agreement(slug="made-up-old-address")
    made.slug = "made-up-new-address"
    made.save()
    response = client.get("/agreements/made-up-old-address/changes/")
    assert (response.status_code, response["Location"]) == (
        301,
        "/agreements/made-up-new-address/changes/",
    )


# --- The history at the desk --------------------------------------------------------------------


def desk(agreement, page=""):
    return f"/admin/agreements/agreement/{agreement.pk}/history/{page}"


def words(response):
    return re.sub(r"\s+", " ", strip_tags(response.content.decode()))


@pytest.fixture
def told(db):
    """A made-up draft of three versions, oldest first."""
    made = make.agreement(state="draft", summary="One.")
    source = make.source(made)
    make.provision(made, source=source)
    record_change([made.pk], reason="Typed from the announcement", name="Made-up Anna")
    changed(made, "Asked for by a colleague", summary="Two.")
    made.provisions.all().delete()
    changed(made, "The source says nothing of it", summary="Three.", signed_on="2026-05")
    return made, list(Revision.objects.filter(agreement=made).order_by("pk"))


def test_the_history_says_who_when_why_and_what(admin_client, told):
    made, _ = told
    text = words(admin_client.get(desk(made)))
    newest, middle, first = (
        text.index(reason)
        for reason in (
            "The source says nothing of it",
            "Asked for by a colleague",
            "Typed from the announcement",
        )
    )
    assert newest < middle < first
    assert "Changed: summary, date of signature; provisions: 1 removed" in text
    assert "by Made-up Anna" in text
    assert "The first version kept" in text


def test_any_two_versions_are_compared_field_by_field_with_their_rows(admin_client, told):
    made, (first, _, last) = told
    # Chosen in the wrong order, they are still told in the order of time.
    response = admin_client.get(desk(made, "compare/"), {"from": last.pk, "to": first.pk})
    text = words(response)
    assert response.context["before"] == first
    assert "Summary Before removed: One. After added: Three." in text.replace(" .", ".")
    assert "Provision removed: GMP inspection reliance" in text
    assert "Date of signature Before Not stated After May 2026" in text


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"from": "1"},
        {"from": "x", "to": "y"},
        {"from": "9" * 18, "to": "0"},
        {"from": "-1", "to": "1e9"},
    ],
)
def test_versions_that_are_not_in_this_history_are_refused_in_words(admin_client, told, asked):
    made, _ = told
    response = admin_client.get(desk(made, "compare/"), asked, follow=True)
    assert response.redirect_chain == [(desk(made), 302)]
    assert "Choose the version to compare" in words(response)


def test_a_version_of_another_record_is_not_compared_or_restored(admin_client, told):
    made, (first, *_) = told
    other = Revision.objects.exclude(agreement=made).first()
    asked = {"from": first.pk, "to": other.pk}
    response = admin_client.get(desk(made, "compare/"), asked, follow=True)
    assert "it is not in this history" in words(response)
    assert admin_client.get(desk(made, f"{other.pk}/restore/")).status_code == 404
    same = admin_client.get(desk(made, "compare/"), {"from": first.pk, "to": first.pk}, follow=True)
    assert "Choose two different versions." in words(same)


@pytest.mark.parametrize("page", ["", "compare/", "1/restore/", "9" * 30 + "/restore/"])
def test_the_history_of_what_is_not_there_is_a_404(admin_client, page):
    response = admin_client.get(f"/admin/agreements/agreement/999999/history/{page}")
    assert response.status_code == 404


def test_a_restored_draft_says_what_it_said_with_its_rows_and_one_revision(admin_client, told):
    made, (first, *_) = told
    made.refresh_from_db()
    response = admin_client.get(desk(made, f"{first.pk}/restore/"))
    assert "replaces what the draft says now" in words(response)
    assert Revision.objects.filter(agreement=made).count() == 3
    data = {"lock_version": made.lock_version}
    response = admin_client.post(desk(made, f"{first.pk}/restore/"), data)
    assert response["Location"] == f"/admin/agreements/agreement/{made.pk}/change/"
    made.refresh_from_db()
    assert (made.summary, made.signed_on, made.state) == ("One.", None, "draft")
    assert made.provisions.get().source.number == 1
    newest = Revision.objects.filter(agreement=made).first()
    assert newest.reason.startswith("Restored the version of ")
    assert newest.made_by_name == "admin"
    assert newest.snapshot == first.snapshot
    assert Revision.objects.filter(agreement=made).count() == 4
    # Sent twice, it is done once.
    again = admin_client.post(desk(made, f"{first.pk}/restore/"), data)
    assert again.status_code == 409
    assert Revision.objects.filter(agreement=made).count() == 4


def test_restoring_what_it_says_already_leaves_no_revision(admin_client, told):
    made, (*_, last) = told
    made.refresh_from_db()
    address = desk(made, f"{last.pk}/restore/")
    assert "there is nothing to restore" in words(admin_client.get(address))
    response = admin_client.post(address, {"lock_version": made.lock_version})
    assert "says already what this version says" in words(response)
    made.refresh_from_db()
    assert Revision.objects.filter(agreement=made).count() == 3


@pytest.mark.parametrize("version", ["", "x", "0", "-1", "9" * 30, "\x00"])
def test_restoring_over_what_a_colleague_saved_meanwhile_writes_nothing(
    admin_client, told, version
):
    made, (first, *_) = told
    response = admin_client.post(desk(made, f"{first.pk}/restore/"), {"lock_version": version})
    assert response.status_code == 409
    assert "Somebody changed the record after you opened this page." in words(response)
    made.refresh_from_db()
    assert made.summary == "Three."


def test_a_public_record_is_restored_into_a_working_copy(client, admin_client, told):
    made, (first, *_) = told
    made.refresh_from_db()
    made.state = "published"
    made.save()
    record_change([made.pk], reason="published", name="test", moved=True)
    made.refresh_from_db()
    address = desk(made, f"{first.pk}/restore/")
    assert "the old content goes into a working copy" in words(admin_client.get(address))
    response = admin_client.post(address, {"lock_version": made.lock_version})
    copy_of_it = Agreement.objects.get(revises=made)
    assert response["Location"] == f"/admin/agreements/agreement/{copy_of_it.pk}/change/"
    assert (copy_of_it.summary, copy_of_it.state) == ("One.", "draft")
    made.refresh_from_db()
    assert (made.summary, made.state) == ("Three.", "published")
    newest = Revision.objects.filter(agreement=made).first()
    assert newest.of_working_copy
    assert newest.reason.startswith("Restored the version of ")
    assert "One." not in changes_page(client, made)[1]
    # The next one goes into the same working copy, whose history is that of the record.
    text = words(admin_client.get(desk(copy_of_it)))
    assert "Working copy" in text
    assert "Typed from the announcement" in text
    second = Revision.objects.filter(agreement=made).order_by("pk")[1]
    admin_client.post(
        desk(made, f"{second.pk}/restore/"), {"lock_version": copy_of_it.lock_version}
    )
    copy_of_it.refresh_from_db()
    assert Agreement.objects.filter(revises=made).count() == 1


def test_a_version_that_refers_to_what_is_gone_is_refused_by_field(admin_client, told):
    made, _ = told
    gone = make.agency()
    part = made.participations.create(agency=gone)
    record_change([made.pk], reason="with it", name="test")
    with_it = Revision.objects.filter(agreement=made).first()
    part.delete()
    record_change([made.pk], reason="without it", name="test")
    gone.delete()
    made.refresh_from_db()
    before = exports.snapshot(made)
    response = admin_client.post(
        desk(made, f"{with_it.pk}/restore/"), {"lock_version": made.lock_version}
    )
    assert response.status_code == 409
    assert f"participations, row 1, agency: there is no agency “{gone.key}”." in words(response)
    assert exports.snapshot(Agreement.objects.get(pk=made.pk)) == before


@pytest.mark.parametrize(
    ("role", "reads", "restores"),
    [(None, False, False), ("viewer", True, False), ("editor", True, True)],
)
def test_who_may_view_reads_the_history_and_who_may_change_restores(
    client, django_user_model, told, role, reads, restores
):
    made, (first, *_) = told
    made.refresh_from_db()
    user = django_user_model.objects.create_user("made-up", password="x", is_staff=True)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    assert (client.get(desk(made)).status_code == 200) is reads
    asked = {"from": first.pk, "to": first.pk + 1}
    assert (client.get(desk(made, "compare/"), asked).status_code == 200) is reads
    address = desk(made, f"{first.pk}/restore/")
    assert ("restore/" in client.get(desk(made)).content.decode()) is restores
    assert (client.get(address).status_code == 200) is restores
    response = client.post(address, {"lock_version": made.lock_version})
    assert response.status_code == (302 if restores else 403)
    made.refresh_from_db()
    assert (made.summary == "One.") is restores


def test_a_stranger_is_sent_to_sign_in(client, told):
    made, (first, *_) = told
    for page in ("", "compare/", f"{first.pk}/restore/"):
        assert "/login/" in client.get(desk(made, page))["Location"]


def test_the_history_asks_few_questions_however_long_it_is(
    admin_client, django_assert_max_num_queries
):
    made = make.agreement()
    for number in range(60):
        changed(made, title=f"Made-up title {number}")
    with django_assert_max_num_queries(10):
        assert "Page 1 of 2" in words(admin_client.get(desk(made)))
    assert "The first version kept" in words(admin_client.get(desk(made), {"page": "2"}))
    for page in ("0", "x", "99"):
        assert admin_client.get(desk(made), {"page": page}).status_code == 200
    newest, oldest = Revision.objects.filter(agreement=made).order_by("-pk")[:60:59]
    with django_assert_max_num_queries(10):
        admin_client.get(desk(made, "compare/"), {"from": oldest.pk, "to": newest.pk})


# --- Every change leaves one revision, and nothing takes it away ---------------------------------


def form_of(agreement, **fields):
    return (
        record(
            slug=agreement.slug,
            title=agreement.title,
            short_title="",
            lock_version=agreement.lock_version,
        )
        | fields
    )


def test_a_reason_that_is_typed_is_kept_and_else_the_changed_fields_are_named(admin_client):
    made = make.agreement(state="draft")
    record_change([made.pk], reason="made", name="test")
    address = f"/admin/agreements/agreement/{made.pk}/change/"
    for fields, reason in [
        ({"summary": "New.", "signed_city": "Made-up"}, "Edited: summary, city of signature"),
        ({"summary": "Newer.", "reason": "A colleague asked."}, "A colleague asked."),
    ]:
        made.refresh_from_db()
        assert admin_client.post(address, form_of(made, **fields)).status_code == 302
        assert made.revisions.first().reason == reason
    made.refresh_from_db()
    unchanged = form_of(made, summary="Newer.", reason="Nothing was changed.")
    assert admin_client.post(address, unchanged).status_code == 302
    assert made.revisions.count() == 3


def test_a_reason_with_a_null_character_is_refused_by_field(admin_client):
    made = make.agreement(state="draft")
    address = f"/admin/agreements/agreement/{made.pk}/change/"
    response = admin_client.post(address, form_of(made, reason="a\x00b"))
    assert response.status_code == 200
    assert "Null characters are not allowed." in str(response.context["adminform"].form.errors)


def test_no_path_changes_or_deletes_a_revision(admin_client):
    made = make.agreement(state="draft")
    record_change([made.pk], reason="made", name="test")
    revision = made.revisions.get()
    before = Revision.objects.filter(pk=revision.pk).values().get()
    revision.reason = "other"
    attempts = [
        revision.save,
        lambda: revision.save(force_update=True),
        revision.delete,
        lambda: Revision.objects.filter(pk=revision.pk).update(reason="x"),
        lambda: Revision.objects.filter(pk=revision.pk).delete(),
        lambda: Revision.objects.all().delete(),
        lambda: Revision.objects.bulk_update([revision], ["reason"]),
        lambda: Revision.objects.update_or_create(pk=revision.pk, defaults={"reason": "x"}),
        lambda: Revision.objects.bulk_create(
            [revision], update_conflicts=True, unique_fields=["id"], update_fields=["reason"]
        ),
        lambda: made.revisions.all().update(reason="x"),
        lambda: made.revisions.all().delete(),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    address = f"/admin/agreements/revision/{revision.pk}"
    for page in ("change", "delete"):
        data = {"reason": "x", "post": "yes"}
        assert admin_client.post(f"{address}/{page}/", data).status_code == 403
    action = {"action": "delete_selected", "_selected_action": revision.pk, "post": "yes"}
    admin_client.post("/admin/agreements/revision/", action)
    assert Revision.objects.filter(pk=revision.pk).values().get() == before


def test_a_draft_that_was_never_public_goes_with_its_history(admin_client):
    made = make.agreement(state="draft")
    record_change([made.pk], reason="made", name="test")
    response = admin_client.post(f"/admin/agreements/agreement/{made.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not Revision.objects.filter(agreement_id=made.pk).exists()


def test_a_discarded_working_copy_leaves_its_history_with_the_record():
    made = make.agreement()
    copy_of_it = make.agreement(state="draft", revises=made)
    record_change([copy_of_it.pk], reason="tried", name="test")
    copy_of_it.delete()
    assert made.revisions.get().reason == "tried"


def test_deleting_an_account_keeps_the_name_in_the_history(client, admin_client, admin_user, told):
    made, _ = told
    made.refresh_from_db()
    record_change([made.pk], reason="x", user=admin_user)
    Agreement.objects.filter(pk=made.pk).update(summary="Four.")
    record_change([made.pk], reason="By the one who left", user=admin_user)
    name = admin_user.get_username()
    admin_user.delete()
    kept = Revision.objects.get(agreement=made, reason="By the one who left")
    assert (kept.made_by, kept.made_by_name) == (None, name)


# --- Agencies and vocabularies -------------------------------------------------------------------


def agency_form(agency, *names, **fields):
    data = {name: getattr(agency, name) for name in ("name", "acronym", "kind")}
    data |= {"names-TOTAL_FORMS": len(names), "names-INITIAL_FORMS": 0}
    data["lock_version"] = make.version(agency)
    for number, name in enumerate(names):
        data |= {f"names-{number}-name": name, f"names-{number}-kind": "former"}
    return data | fields


def test_a_renamed_agency_has_its_old_and_new_name_person_time_and_reason_in_its_history(
    admin_client, admin_user
):
    parent, agency = make.agency(name="Made-up Ministry"), make.agency()
    address = f"/admin/agreements/agency/{agency.pk}"
    old = agency.name
    renamed = {"name": "Made-up Authority", "parent": parent.pk, "reason": "It was reformed."}
    form = agency_form(agency, old, **renamed)
    assert admin_client.post(f"{address}/change/", form).status_code == 302
    entry = LogEntry.objects.get(object_id=str(agency.pk))
    assert entry.user == admin_user
    assert entry.get_change_message() == (
        f"Name: “{old}” → “Made-up Authority”; parent: “not stated” → “Made-up Ministry”. "
        f"Other name added: {old} (name: “{old}”; kind: “Former name”). Reason: It was reformed."
    )
    assert "It was reformed." in words(admin_client.get(f"{address}/history/"))
    # Saving it again as it is leaves nothing.
    agency.refresh_from_db()
    stored = agency.names.get()
    form = agency_form(agency, old, parent=parent.pk, reason="Nothing was changed.")
    form |= {"names-INITIAL_FORMS": 1, "names-0-id": stored.pk, "names-0-agency": agency.pk}
    assert admin_client.post(f"{address}/change/", form).status_code == 302
    assert LogEntry.objects.filter(object_id=str(agency.pk)).count() == 1


def test_the_key_of_an_agency_and_the_code_of_a_term_never_change(admin_client):
    agency = make.agency()
    key = agency.key
    address = f"/admin/agreements/agency/{agency.pk}/change/"
    assert admin_client.post(address, agency_form(agency, key="other")).status_code == 302
    agency.refresh_from_db()
    assert agency.key == key


def test_a_changed_term_has_its_old_and_new_words_in_its_history(admin_client):
    area = CooperationArea.objects.get(code="tobacco-control")
    old = area.name
    data = {"name": "Made-up area", "position": area.position, "stage": area.stage, "retired": "on"}
    data |= {"description": area.description, "lock_version": make.version(area)}
    address = f"/admin/agreements/cooperationarea/{area.pk}/change/"
    assert admin_client.post(address, data | {"code": "other"}).status_code == 302
    area.refresh_from_db()
    assert area.code == "tobacco-control"
    message = LogEntry.objects.get(object_id=str(area.pk)).get_change_message()
    assert message == f"Name: “{old}” → “Made-up area”; retired: “no” → “yes”."


# --- One revision a change, by every path --------------------------------------------------------


def by_form(agreement, client, summary):
    form = form_of(agreement, summary=summary)
    client.post(f"/admin/agreements/agreement/{agreement.pk}/change/", form)


def by_row(agreement, client, summary):
    rows = {"evidence-TOTAL_FORMS": 1, "evidence-0-topic": "notes", "evidence-0-statement": summary}
    if stored := agreement.evidence.first():
        rows |= {"evidence-INITIAL_FORMS": 1, "evidence-0-id": stored.pk}
        rows["evidence-0-agreement"] = agreement.pk
    address = f"/admin/agreements/agreement/{agreement.pk}/change/"
    client.post(address, form_of(agreement, **rows))


def by_import(agreement, client, summary):
    told = exports.record(agreement) | {"summary": summary}
    document = {"format": exports.FORMAT, "agreements": [told]}
    make.import_register(parse(json.dumps(document)), reason="A file", name="import")


def by_command(agreement, client, summary):
    told = exports.record(agreement) | {"summary": summary}
    with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump({"format": exports.FORMAT, "agreements": [told]}, file)
        file.flush()
        call_command("import_register", file.name, stdout=io.StringIO())


def by_restoring(agreement, client, summary):
    version = Revision.objects.filter(agreement=agreement).order_by("pk").first()
    seen = {"lock_version": agreement.lock_version}
    client.post(desk(agreement, f"{version.pk}/restore/"), seen)


@pytest.mark.parametrize("change", [by_form, by_row, by_import, by_command, by_restoring])
def test_every_change_leaves_one_revision_and_no_change_leaves_none(admin_client, change):
    made = make.agreement(state="draft", summary="New.")
    record_change([made.pk], reason="made", name="test")
    changed(made, summary="Old.")
    count = made.revisions.count()
    for revisions in (1, 1):
        change(Agreement.objects.get(pk=made.pk), admin_client, "New.")
        assert made.revisions.count() == count + revisions
    newest = made.revisions.first()
    assert newest.made_by_name
    assert newest.reason
    assert Agreement.objects.get(pk=made.pk).lock_version == count + 1
