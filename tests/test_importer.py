"""The importer undoes the export exactly, and writes nothing from a document with a fault."""

import copy
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import signals
from django.test.utils import CaptureQueriesContext

from agreements import exports
from agreements.exports import guard, register_document, unguard
from agreements.importer import FORMAT, ImportRefused, parse, plan, restore
from agreements.importer.document import from_json
from agreements.management.commands.import_register import SHIPPED
from agreements.models import Agency, Agreement, Relation, Revision
from agreements.workflow import begin_working_copy
from tests import make
from tests.make import AWKWARD

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def exported():
    return "".join(register_document(Agreement.objects.register()))


def document(**changes):
    """The shipped register with one agreement only, changed."""
    shipped = json.loads(SHIPPED.read_text())
    record = next(a for a in shipped["agreements"] if a["slug"] == "jsepa-2002")
    record = copy.deepcopy(record) | changes
    return {"format": FORMAT, "agreements": [record]}


def refused(given):
    before = exported(), Revision.objects.count()
    with pytest.raises(ImportRefused) as refusal:
        make.import_register(given, reason="test", name="test")
    assert (exported(), Revision.objects.count()) == before
    return refusal.value.faults


@pytest.mark.shipped
def test_the_shipped_register_comes_out_byte_for_byte():
    assert exported() == SHIPPED.read_text()


def test_export_import_export_is_byte_identical(empty_register):
    call_command("import_register", verbosity=0, stdout=io.StringIO())
    assert exported() == SHIPPED.read_text()


def test_awkward_text_survives(empty_register):
    agency = make.agency(name=AWKWARD[0], native_name=AWKWARD[8], native_language="ja")
    for text in AWKWARD:
        agreement = make.agreement(
            title=text,
            summary=text,
            areas_stated=text,
            participants=[agency],
            signed_on="2010-05",
            provisions=[{"statement": text, "products": ["medicines", "ctgtp"]}],
            milestones=[("renewed", "2012", "2015-03"), ("expired", None)],
        )
        make.source(agreement, title=text, url="https://example.org/?a=1&b='2'")
    first = exported()
    Agreement.objects.all().delete()
    Agency.objects.all().delete()
    make.import_register(parse(first), reason="test", name="test")
    assert exported() == first


@pytest.mark.shipped
def test_an_unchanged_document_changes_nothing():
    revisions = Revision.objects.count()
    result = make.import_register(parse(SHIPPED.read_text()), reason="again", name="test")
    assert (result.added, result.changed, result.unchanged) == (0, 0, Agreement.objects.count())
    assert Revision.objects.count() == revisions


@pytest.mark.shipped
def test_of_an_unchanged_record_no_instance_is_read():
    read = []
    signals.post_init.connect(
        lambda sender, **_: read.append(sender), weak=False, dispatch_uid="test"
    )
    try:
        plan(from_json(document(summary="Changed.")))
        assert read.count(Agreement) == 1
        read.clear()
        planned = plan(from_json(json.loads(SHIPPED.read_text())))
    finally:
        signals.post_init.disconnect(dispatch_uid="test")
    assert planned.unchanged == Agreement.objects.count()
    assert not {*read} & {Agreement, *exports.CHILDREN[Agreement].values()}


def test_a_changed_record_leaves_one_revision_and_the_others_alone():
    given = document(summary="Changed.")
    result = make.import_register(given, reason="a correction", name="test")
    assert (result.added, result.changed, result.unchanged) == (0, 1, 0)
    newest = Revision.objects.filter(agreement__slug="jsepa-2002").first()
    assert (newest.reason, newest.made_by_name) == ("a correction", "test")
    assert json.loads(newest.snapshot)["summary"] == "Changed."


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"signed_on": "2002-13"}, "agreements, row 1 (jsepa-2002), signed_on: There is no month"),
        ({"instrument_type": "pact"}, "instrument_type: “pact” must be one of: moc, mou, "),
        (
            {"signed_country": "XX"},
            "signed_country: “XX” must be one of: the codes of the",
        ),
        ({"products": ["pills"]}, "products: there is no product category “pills”."),
        ({"title": ""}, "title: This field cannot be blank."),
        ({"title": "a\x00b"}, "title: must be text."),
        ({"original_language": "a\x00b"}, "original_language: must be text."),
        ({"signed_on": ""}, "signed_on: must be text that is not empty, or null."),
        ({"title": 7}, "title: must be text."),
        ({"title": "half a character \ud800"}, "title: must be text."),
        ({"summary": "x" * 1_000_001}, "summary: has more than 1,000,000 characters."),
        ({"half a character \ud800": ""}, "half a character \\ud800: there is no such field."),
        ({"title": "x" * 1001}, "title: Ensure this value has at most 1000 characters"),
        ({"text_url": "javascript:alert(1)"}, "text_url: Enter a valid URL."),
        ({"sources": "none"}, "sources: must be a list."),
        ({"colour": "red"}, "colour: there is no such field."),
    ],
)
def test_a_fault_is_named_by_row_and_field_and_nothing_is_written(changes, fault):
    faults = refused(document(**changes))
    assert len(faults) == 1
    assert fault in faults[0]


def row_fault(table, **changes):
    given = document()
    record = given["agreements"][0]
    record[table] = [record[table][0] | changes] if record[table] else [changes]
    return refused(given)[0]


def test_faults_in_the_rows_of_a_record():
    assert "participations, row 1, agency: there is no agency “nobody”." in row_fault(
        "participations", agency="nobody"
    )
    milestone = {"source": None, "locator": "", "note": "", "until": None}
    fault = row_fault(
        "milestones", **milestone | {"kind": "renewed", "date": "2010", "until": "2009"}
    )
    assert fault.endswith("milestones, row 1, until: The term ends before it starts.")
    fault = row_fault("milestones", **milestone | {"kind": "renewed", "date": None})
    assert "Give the date, at least the year." in fault
    fault = row_fault("milestones", **milestone | {"kind": "terminated", "date": "1999"})
    assert "milestones, row 1, date: It cannot end before it was signed: 2002." in fault
    relation = {"kind": "supersedes", "target_title": "", "note": "", "source": None, "locator": ""}
    fault = row_fault("relations", **relation | {"target": "jsepa-2002"})
    assert "relations, row 1, target: An agreement cannot be related to itself." in fault
    fault = row_fault("relations", **relation | {"target": "nowhere"})
    assert "there is no agreement “nowhere”" in fault


def test_a_number_too_large_for_one_database_is_refused_on_both():
    source = {
        **dict.fromkeys(("title", "language", "url", "archive_url"), ""),
        "kind": "press",
        "publisher": "Made up",
        "published_on": None,
        "retrieved_on": None,
    }
    for number in (32768, 2**63, 10**400):
        assert "number: Ensure this value is less than" in row_fault(
            "sources", **source, number=number
        )
    assert "number: must be a whole number." in row_fault("sources", **source, number=True)


def test_a_participant_named_twice_is_refused():
    given = document()
    given["agreements"][0]["participations"] *= 2
    assert "This agency is already a participant of this agreement." in "".join(refused(given))


@pytest.mark.shipped
def test_a_relation_can_be_turned_round_in_one_document():
    shipped = json.loads(SHIPPED.read_text())
    records = {a["slug"]: a for a in shipped["agreements"]}
    newer, older = records["fda-anvisa-soc-later"], records["fda-anvisa-soc-2012"]
    moved = next(r for r in newer["relations"] if r["target"] == older["slug"])
    newer["relations"].remove(moved)
    older["relations"] = [moved | {"target": newer["slug"], "source": None}]
    given = {"format": FORMAT, "agreements": [newer, older]}
    assert make.import_register(given, reason="turned", name="test").changed == 2


def test_what_no_document_can_say_survives_an_import():
    agreement = Agreement.objects.get(slug="jsepa-2002")
    draft = make.agreement(state="draft")
    Relation.objects.create(agreement=agreement, kind="part_of", target=draft)
    agreement.sources.update(file="sources/made-up.pdf", check_result="200")
    make.import_register(document(summary="Changed."), reason="test", name="test")
    assert agreement.relations.get(target=draft)
    source = agreement.sources.get()
    assert (source.file.name, source.check_result) == ("sources/made-up.pdf", "200")


def test_a_parent_can_be_taken_away_and_a_new_name_is_found():
    shipped = json.loads(SHIPPED.read_text())
    agency = next(a for a in shipped["agencies"] if a["key"] == "pmda")
    agency |= {"parent": None, "name": "Zyxwvut Agency"}
    make.import_register({"format": FORMAT, "agencies": [agency]}, reason="test", name="test")
    pmda = Agency.objects.get(key="pmda")
    assert pmda.parent is None
    assert Agreement.objects.search("zyxwvut").count() == pmda.participations.count()


def test_a_key_given_twice_is_refused():
    with pytest.raises(ImportRefused, match="“format” is given twice"):
        parse('{"format": 1, "format": 2}')


def test_a_cycle_of_relations_is_refused():
    given = document()
    given["agreements"][0]["relations"] = [
        {
            "kind": "builds_on",
            "target": "hsa-mhlw-moc-2026",
            "target_title": "",
            "note": "",
            "source": None,
            "locator": "",
        }
    ]
    assert "already builds on this one, directly or in a chain" in "".join(refused(given))


def test_one_fault_stops_everything_and_all_faults_are_told():
    given = document()
    good = json.loads(SHIPPED.read_text())["agreements"][0] | {"summary": "Changed."}
    given["agreements"] = [good, given["agreements"][0] | {"signed_on": "x", "title": ""}]
    assert len(refused(given)) == 2
    assert not Agreement.objects.filter(summary="Changed.").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1, column 1: not valid JSON"),
        ('{"format": "moctracker register 1",\n "agreements": [', "line 2, column 17"),
        ("[]", '"format" must be'),
        ('{"format": "other"}', '"format" must be'),
        ('{"format": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "This is not a register document"),
    ],
)
def test_what_is_no_document_is_refused_with_the_place(text, fault):
    with pytest.raises(ImportRefused) as refusal:
        parse(text)
    assert fault in refusal.value.faults[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("é".encode("latin-1"), "not UTF-8 at byte 0")],
)
def test_the_command_names_the_file_it_could_not_read(tmp_path, content, message):
    path = tmp_path / "register.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        call_command("import_register", str(path))


@pytest.mark.parametrize("text", AWKWARD)
def test_the_formula_guard_is_undone_exactly(text):
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_snapshot_restores_its_record_and_goes_into_another_one():
    agreement = Agreement.objects.with_related().get(slug="hsa-mhlw-moc-2026")
    before = exports.snapshot(agreement)
    agreement.sources.first().delete()
    agreement.provisions.all().delete()
    Agreement.objects.filter(pk=agreement.pk).update(title="Overwritten", staff_notes="New.")
    other = Agreement.objects.create(title="Made-up draft", slug="made-up-draft")
    for target in (agreement, other):
        with transaction.atomic():
            restore(Agreement.objects.get(pk=target.pk), json.loads(before))
        told = json.loads(exports.snapshot(Agreement.objects.with_related().get(pk=target.pk)))
        wanted = json.loads(before) | {"slug": target.slug, "state": target.state}
        assert told == wanted | {"former_slugs": told["former_slugs"]}


def test_an_older_snapshot_is_restored_as_far_as_it_goes():
    agreement = Agreement.objects.get(slug="jsepa-2002")
    data = json.loads(exports.snapshot(agreement))
    del data["signed_country"], data["evidence"]
    data["a_field_that_went"] = "x"
    restore(agreement, data)
    agreement = Agreement.objects.get(slug="jsepa-2002")
    assert (agreement.signed_country.code, agreement.evidence.count()) == ("", 0)
    assert agreement.provisions.exists() == bool(data["provisions"])


def test_a_snapshot_that_refers_to_what_is_gone_is_refused_by_field():
    agreement = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    data = json.loads(exports.snapshot(agreement))
    data["participations"][0]["agency"] = "made-up-agency"
    with pytest.raises(ImportRefused, match="participations, row 1, agency: there is no agency"):
        restore(agreement, data)


def snapshot_of(agreement):
    return json.loads(exports.snapshot(Agreement.objects.with_related().get(pk=agreement.pk)))


def test_a_snapshot_speaks_also_of_relations_to_records_that_are_not_public():
    hidden, other = make.agreement(state="draft"), make.agreement(state="draft")
    agreement = make.agreement()
    Relation.objects.create(agreement=agreement, kind="builds_on", target=hidden)
    before = snapshot_of(agreement)
    agreement.relations.update(target=other)
    restore(agreement, before)
    assert snapshot_of(agreement) == before
    restore(agreement, before | {"relations": []})
    assert not agreement.relations.exists()


def test_a_snapshot_is_not_restored_into_a_circle_that_later_relations_close(admin_user):
    first, second = make.agreement(), make.agreement()
    Relation.objects.create(agreement=first, kind="builds_on", target=second)
    before = snapshot_of(first)
    first.relations.all().delete()
    Relation.objects.create(agreement=second, kind="builds_on", target=first)
    working_copy = begin_working_copy(first.pk, first.lock_version, admin_user)
    for target in (first, working_copy):
        with pytest.raises(ImportRefused, match="already builds on this one"):
            restore(target, before)
    itself = before | {"relations": [before["relations"][0] | {"target": first.slug}]}
    for target in (first, working_copy):
        with pytest.raises(ImportRefused, match="cannot be related to itself"):
            restore(target, itself)


def test_restoring_a_long_record_asks_the_database_no_more_than_a_short_one():
    asked = []
    for rows in (2, 30):
        agreement = make.agreement()
        for number in range(1, rows):
            source = make.source(agreement, number=number)
            make.provision(agreement, position=number, products=["medicines"], source=source)
        before = snapshot_of(agreement)
        agreement.provisions.all().delete()
        with CaptureQueriesContext(connection) as captured:
            restore(agreement, before)
        asked.append(len(captured))
        assert snapshot_of(agreement) == before
    assert asked[0] == asked[1]


def test_a_document_speaks_of_no_working_copy(admin_user):
    agreement = make.agreement()
    working_copy = begin_working_copy(agreement.pk, agreement.lock_version, admin_user)
    target = {"kind": "builds_on", "target": working_copy.slug, "target_title": "", "note": ""}
    relation = target | {"source": None, "locator": ""}
    assert refused(document(relations=[relation])) == [
        "agreements, row 1 (jsepa-2002), relations, row 1, target: "
        f"there is no agreement “{working_copy.slug}”."
    ]
