"""History that answers: what differed, who did it when and why, and how to go back."""

import copy
import json
import random
import re

import pytest
from django.utils.html import strip_tags
from hypothesis import given
from hypothesis import strategies as st

from agreements import exports
from agreements.changes import DifferenceKind, differences, in_one_line, marks
from agreements.dates import PartialDateField
from agreements.history import record_change
from agreements.importer import import_register, parse
from agreements.models import Agreement, Source
from tests import make

pytestmark = pytest.mark.django_db
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
    assert [m.text for m in old if m.differs] == [" of inspections"]
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
    import_register(parse(text), reason="again", name="test")
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
    for number in range(27):
        changed(made, title=f"Made-up title {number}")
    first, text = changes_page(client, made)
    assert len(first.context["versions"]) == 25
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
