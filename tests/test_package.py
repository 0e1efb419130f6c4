"""The data package holds the whole register, and the importer gives it back byte for byte."""

import csv
import datetime
import hashlib
import io
import json
import re
import zipfile
from contextlib import contextmanager, suppress

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agreements.exports import (
    COLUMNS,
    PUBLIC,
    TABLES,
    package,
    record,
    register_document,
    snapshot,
    table_csv,
)
from agreements.exports.cells import joined, parted
from agreements.importer import (
    ImportRefused,
    checks,
    document,
    plan,
    read,
    writing,
)
from agreements.models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Edition,
    Evidence,
    FormerSlug,
    Milestone,
    Outcome,
    Participation,
    Provision,
    Relation,
    Revision,
    SearchDocument,
    Signatory,
    Source,
)
from agreements.record import after_change
from agreements.record.derive import derive
from agreements.record.differences import differences
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.database]

DAY = datetime.date(2026, 11, 24)
BASE = "https://register.example"
ONE = "jsepa-2002"
RICH = "hsa-mhlw-moc-2026"


@pytest.fixture(scope="module")
def whole(django_db_setup, django_db_blocker):
    """The package of the shipped register, written once."""
    with django_db_blocker.unblock():
        return packed()


def packed(*slugs):
    """The package of these agreements, or of the whole register."""
    agreements = Agreement.objects.register()
    file = io.BytesIO()
    package(agreements.filter(slug__in=slugs) if slugs else agreements, DAY, BASE, file)
    return file.getvalue()


def unpacked(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files):
    """A ZIP of these files, without the checksums, which no longer hold."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            if name != "SHA256SUMS":
                archive.writestr(name, content)
    return file.getvalue()


def table(name, *slugs):
    """One table of the package as bytes."""
    return unpacked(packed(*slugs))[f"{name}.csv"]


def edited(content, change):
    """The CSV after ``change`` has been given each row as a dictionary, in place."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    for row in rows:
        change(row)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def load(content, name="file"):
    return make.import_register(read(name, io.BytesIO(content)), reason="test", name="test")


def everything():
    """All that an import can change, as one comparable value."""
    rows = [list(model.objects.order_by("pk").values_list()) for model in PUBLIC]
    return rows, Revision.objects.count(), Edition.current()


def refused(content, name="file"):
    before = everything()
    with pytest.raises(ImportRefused) as refusal:
        load(content, name)
    assert everything() == before
    return refusal.value.faults


def emptied():
    Relation.objects.all().delete()
    Agreement.objects.all().delete()
    Agency.objects.update(parent=None)
    Agency.objects.all().delete()


@contextmanager
def undone():
    """What happens inside leaves nothing behind."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# --- The package --------------------------------------------------------------------------------


def test_package_to_an_empty_register_and_back_is_byte_identical(whole):
    document = "".join(register_document(Agreement.objects.register()))
    emptied()
    assert load(whole).added == len(json.loads(document)["agreements"])
    assert packed() == whole
    assert "".join(register_document(Agreement.objects.register())) == document


def test_the_package_validates_with_the_public_validators(tmp_path, whole):
    import csvw
    from frictionless import Package

    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        archive.extractall(tmp_path)
    report = Package(str(tmp_path / "datapackage.json")).validate()
    assert report.valid, report.flatten(["title", "rowNumber", "fieldName", "message"])[:5]
    group = csvw.TableGroup.from_file(tmp_path / "csv-metadata.json")
    counted = {str(each.url): len(list(each.iterdicts(strict=True))) for each in group.tables}
    assert counted["agreements.csv"] == Agreement.objects.register().count()
    assert len(counted) == len(TABLES)
    assert group.check_referential_integrity()


def test_checksums_sizes_and_row_counts_are_those_of_the_files():
    files = unpacked(packed(ONE, RICH))
    sums = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert set(sums) == set(files) - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256(files[name]).hexdigest() == digest
    for resource in json.loads(files["datapackage.json"])["resources"]:
        assert resource["bytes"] == len(files[resource["path"]])
    readme = files["README.txt"].decode()
    assert "agreements.csv                2 rows" in readme
    assert "No licence for the data has been settled yet" in readme
    assert f"{DAY.isoformat()}" in readme


def test_every_public_field_has_its_column_and_every_column_its_meaning():
    for each in TABLES.values():
        fields = {column.field for column in each.read_back if column.field}
        assert fields - {"former_slugs"} == set(PUBLIC[each.noun]), each.name
        assert all(len(column.meaning) > 5 for column in each.columns), each.name
        assert len(set(each.header)) == len(each.header)
        if each.owner:
            assert each.header[0] == each.owner
            assert each.owner in {"agreement", "agency"}
    assert {t.noun for t in TABLES.values()} == set(PUBLIC) - {FormerSlug}


def test_the_columns_of_the_flat_table_are_only_ever_appended():
    assert COLUMNS[:13] == (
        *("id", "title", "short_title", "original_title", "instrument_type", "instrument_title"),
        *("legal_nature", "participants", "participant_jurisdictions", "signed_on"),
        *("signed_on_earliest", "signed_on_latest", "signed_city"),
    )
    assert COLUMNS[29:31] == ("updated_at", "original_language")


def test_no_column_would_have_to_tell_missing_from_empty():
    """An empty cell is one thing only: no exported text may also be null."""
    for model, names in PUBLIC.items():
        for name in names:
            field = model._meta.get_field(name)
            if isinstance(field, models.CharField | models.TextField) and field.null:
                assert field.clean("", None) is None, (model.__name__, name)


def test_no_staff_field_is_in_the_package():
    agreement = Agreement.objects.get(slug=ONE)
    agreement.staff_notes = "Kanarienvogel"
    agreement.save()
    draft = make.agreement(state="draft", title="Kanarienvogel")
    Relation.objects.create(agreement=agreement, kind="part_of", target=draft)
    for content in unpacked(packed()).values():
        assert b"Kanarienvogel" not in content
        assert draft.slug.encode() not in content


@pytest.mark.parametrize("name", [n for n, t in TABLES.items() if t.owner == "agreement"])
def test_a_table_streams_in_a_fixed_number_of_queries(name):
    def queries(agreements):
        ids = list(agreements.values_list("pk", flat=True))
        with CaptureQueriesContext(connection) as captured:
            text = "".join(table_csv(TABLES[name], ids, DAY, BASE))
        return len(captured), len(text)

    every = Agreement.objects.register().order_by("slug")
    (few, short), (many, long) = queries(every.filter(slug__in=[ONE, RICH])), queries(every)
    assert long > short or name == "outcomes"
    # The first fifty agreements, then the others.
    assert many <= 2 * few


def test_the_flat_csv_is_the_first_table_of_the_package():
    ids = list(Agreement.objects.register().order_by("slug").values_list("pk", flat=True))
    flat = "".join(table_csv(TABLES["agreements"], ids, DAY, BASE)).encode()
    assert sorted(flat.splitlines()) == sorted(table("agreements").splitlines())


@given(st.lists(st.text(alphabet=r"a\| ", max_size=6), min_size=1).filter(any))
def test_a_list_in_a_cell_is_parted_as_it_was_joined(values):
    assert parted(joined(values)) == values


# --- Awkward content ----------------------------------------------------------------------------

PIECES = [
    *('"', "'", "=", "+", "-", "@", "\t", "\r", "\n", "\r\n", ",", ";", "|", " | ", "\\", " ", "0"),
    *(
        "厚生労働省",
        "مذكرة",
        "\u200f",
        "🧪",
        "e\u0301",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x1c",
        "#",
        "é",
    ),
    *("null", "1e5", "2010", "<b>", "&", "%s", "{}", "\x01", "\ud7ff", "\uffff", "\U0010ffff"),
]
awkward = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
said = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join).filter(str.strip)
partial = st.sampled_from(["1987", "2010-05", "2026-04-20"])
maybe_partial = st.none() | partial
numbers = st.sampled_from([None, "0", "-1.5", "12", "0.125", "10000000000"])


@st.composite
def generated(draw):
    """A made-up register of two related agreements with every kind of row, in awkward words."""

    def text(*names):
        return {name: draw(awkward) for name in names}

    ministry = make.agency(name=draw(said), **text("acronym", "note"))
    agency = make.agency(
        name=draw(said), parent=ministry, jurisdiction="JP", native_name=draw(awkward)
    )
    for name in draw(st.sets(said, max_size=3)):
        AgencyName.objects.create(
            agency=agency, name=name, kind="former", used_until=draw(maybe_partial)
        )
    made = []
    for _ in range(2):
        agreement = make.agreement(
            title=draw(said),
            signed_on=draw(maybe_partial),
            signed_country=draw(st.sampled_from(["", "JP", "EU"])),
            updated_at=datetime.datetime(2020, 5, 13, 1, 2, 3, tzinfo=datetime.UTC),
            **text("short_title", "summary", "areas_stated", "source_notes", "reference_numbers"),
        )
        agreement.products.set(draw(st.sets(st.integers(1, 3), max_size=3)))
        agreement.former_slugs.create(slug=f"former-{agreement.slug}")
        source = Source.objects.create(
            agreement=agreement,
            number=draw(st.integers(0, 32767)),
            publisher=draw(said),
            title=draw(awkward),
            url="https://example.org/?a=|&b='2'",
            published_on=draw(maybe_partial),
            retrieved_on=draw(st.none() | st.just(DAY)),
        )
        rows = {"agreement": agreement, "source": draw(st.sampled_from([None, source]))}
        Participation.objects.create(
            agreement=agreement, agency=agency, joined_on="2010", **text("note", "role_stated")
        )
        Signatory.objects.create(
            agreement=agreement, capacity="signed", name=draw(said), **text("post", "honorific")
        )
        for position in range(draw(st.integers(0, 2))):
            provision = Provision.objects.create(
                position=position // 2,
                area_id=CooperationArea.objects.first().pk,
                depth="reliance",
                commitment="agreed",
                direction="one_way",
                relying=agency,
                reference=ministry,
                statement=draw(said),
                condition=draw(awkward),
                **rows,
            )
            provision.products.set(draw(st.sets(st.integers(1, 4), max_size=3)))
        for date in draw(st.lists(partial, max_size=3)):
            Milestone.objects.create(kind="announced", date=date, note=draw(awkward), **rows)
        figure = draw(numbers)
        Outcome.objects.create(
            statement=draw(said), figure=figure, unit="made up" if figure else "", **rows
        )
        for quoted in (True, False):
            Evidence.objects.create(topic="term", statement=draw(said), verbatim=quoted, **rows)
        made.append(agreement)
    Relation.objects.create(agreement=made[0], kind="amends", target=made[1], note=draw(awkward))
    Relation.objects.create(agreement=made[1], kind="amends", target_title=draw(said))
    make.derived(*made)
    return made


@pytest.mark.slow
@hypothesis_settings(max_examples=12)
@given(st.data())
def test_any_register_survives_the_package_byte_for_byte(data):
    with undone():
        emptied()
        data.draw(generated())
        first, document = packed(), "".join(register_document(Agreement.objects.register()))
        emptied()
        load(first)
        assert packed() == first
        assert "".join(register_document(Agreement.objects.register())) == document
        # What was written without being read back is what would be read.
        for agreement in Agreement.objects.with_related():
            assert agreement.revisions.get().snapshot == snapshot(agreement)


def test_search_terms_and_revisions_are_those_of_records_read_back(whole):
    emptied()
    load(whole)

    def indexed():
        return list(SearchDocument.objects.order_by("agreement__slug").values_list())

    written = indexed()
    agreements = list(Agreement.objects.with_related())
    derive([agreement.pk for agreement in agreements])
    assert indexed() == written
    newest = dict(Revision.objects.values_list("agreement", "snapshot"))
    assert newest == {agreement.pk: snapshot(agreement) for agreement in agreements}


# --- What is repeated, what is left out ---------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_a_table_given_back_unchanged_changes_nothing(name):
    before = everything()
    assert load(table(name, ONE, RICH, "fda-anvisa-soc-later")).changed == 0
    assert everything() == before


def test_rows_in_another_order_change_nothing():
    rows = table("participations", ONE, RICH).decode().splitlines(keepends=True)
    assert load("".join([rows[0], *reversed(rows[1:])]).encode()).changed == 0


def test_a_single_table_leaves_the_other_tables_of_its_agreements():
    before = record(Agreement.objects.get(slug=RICH))
    result = load(edited(table("signatories", RICH), lambda row: row.update(note="Changed.")))
    assert (result.added, result.changed) == (0, 1)
    after = record(Agreement.objects.get(slug=RICH))
    assert {row["note"] for row in after.pop("signatories")} == {"Changed."}
    before.pop("signatories")
    assert after == before


def test_a_single_table_holds_all_rows_of_the_agreements_it_names_and_no_others():
    first = table("provisions", RICH).splitlines(keepends=True)
    others = Provision.objects.exclude(agreement__slug=RICH).count()
    load(b"".join(first[:2]))
    assert Provision.objects.filter(agreement__slug=RICH).count() == 1
    assert Provision.objects.exclude(agreement__slug=RICH).count() == others


def test_agreements_alone_leave_what_belongs_to_known_records():
    before = record(Agreement.objects.get(slug=RICH))
    load(edited(table("agreements", RICH), lambda row: row.update(summary="Changed.")))
    assert record(Agreement.objects.get(slug=RICH)) == before | {"summary": "Changed."}


def test_in_a_package_an_agreement_without_rows_has_none():
    files = unpacked(packed(RICH))
    files["provisions.csv"] = files["provisions.csv"].splitlines(keepends=True)[0]
    load(repacked(files))
    assert not Provision.objects.filter(agreement__slug=RICH).exists()


def test_sources_keep_their_number_and_stored_copies_go_with_the_source():
    agreement = make.agreement(provisions=[{}])
    first, second = make.source(agreement, 1, title="A"), make.source(agreement, 2, title="B")
    Source.objects.filter(pk=first.pk).update(file="sources/a.pdf")
    agreement.provisions.update(source=second)
    swapped = {"1": "2", "2": "1"}
    content = edited(
        table("sources", agreement.slug), lambda row: row.update(number=swapped[row["number"]])
    )
    load(content)
    files = dict(agreement.sources.values_list("title", "file"))
    assert files == {"A": "sources/a.pdf", "B": ""}
    # The table of provisions was not given: it still says 2, which is another source now.
    assert agreement.provisions.get().source.title == "A"


def test_a_source_that_other_rows_name_cannot_be_left_out():
    agreement = make.agreement(provisions=[{}])
    make.source(agreement, 1)
    agreement.provisions.update(source=make.source(agreement, 2))
    content = b"".join(table("sources", agreement.slug).splitlines(keepends=True)[:2])
    fault = f"agreement {agreement.slug} as recorded, provisions, row 1, source: there is no"
    assert fault in refused(content)[0]


def test_a_register_in_use_says_itself_when_a_record_last_changed():
    content = edited(
        table("agreements", ONE), lambda row: row.update(updated_at="2001-02-03T04:05:06+00:00")
    )
    load(content)
    assert Agreement.objects.get(slug=ONE).updated_at.year > 2001
    Relation.objects.filter(target__slug=ONE).delete()
    # As if it were new here; what was public is never deleted.
    Agreement.objects.filter(slug=ONE).update(first_published_at=None)
    Agreement.objects.get(slug=ONE).delete()
    load(content)
    made = Agreement.objects.get(slug=ONE)
    recently = timezone.now() - datetime.timedelta(minutes=5)
    assert made.updated_at > recently
    assert made.first_published_at > recently


def test_a_package_from_before_a_withdrawal_changes_nothing():
    content = packed(ONE, RICH)
    assert Relation.objects.filter(agreement__slug=RICH, target__slug=ONE).exists()
    Agreement.objects.filter(slug=ONE).update(
        state="withdrawn", withdrawal_kind="by_parties", withdrawal_reason="Ended."
    )
    before = everything()
    assert load(content).changed == 0
    assert everything() == before


def test_columns_that_are_worked_out_may_be_left_out():
    def only_stated(row):
        for column in TABLES["agreements"].columns:
            if column.derived:
                del row[column.name]

    content = edited(table("agreements", ONE), only_stated)
    assert load(content).unchanged == 1


def test_terms_and_agencies_can_be_added_changed_and_moved_under_new_parents():
    header, row = table("agencies", ONE).splitlines(keepends=True)[:2]

    def agencies(parent_of_parent):
        """A child and, after it, its parent: both new."""
        rows = [("made-up-child", "made-up-parent"), ("made-up-parent", parent_of_parent)]
        keys = iter(rows)
        return edited(
            header + row + row,
            lambda cells: cells.update(zip(("key", "parent"), next(keys), strict=True)),
        )

    faults = refused(agencies("made-up-child"))
    assert "An agency cannot belong to itself, directly or through others." in faults[0]
    load(agencies(""))
    assert Agency.objects.get(key="made-up-child").parent.key == "made-up-parent"
    areas = edited(table("areas", ONE), lambda row: row.update(description="Changed."))
    planned = plan(read("areas.csv", io.BytesIO(areas)))
    assert (len(planned.changed), len(planned.tables["areas"].changed)) == (0, 43)
    planned.apply(reason="test", name="test")
    assert not CooperationArea.objects.exclude(description="Changed.").exists()


# --- Plan and apply -----------------------------------------------------------------------------


def test_a_plan_tells_what_changes_in_words_and_writes_nothing():
    make.agreement(slug="untouched")
    files = unpacked(packed(ONE, RICH, "untouched"))
    files["agreements.csv"] = edited(
        files["agreements.csv"],
        lambda row: row.update(
            {"summary": "Changed.", "signed_on": "2003-01"} if row["id"] == ONE else {}
        ),
    )
    files["signatories.csv"] = edited(
        files["signatories.csv"],
        lambda row: row.update({"capacity": "witnessed"} if row["position"] == "1" else {}),
    )
    before = everything()
    with CaptureQueriesContext(connection) as captured:
        planned = plan(read("changed.zip", io.BytesIO(repacked(files))))
    statements = {each["sql"].split()[0].upper() for each in captured}
    assert statements <= {"SELECT", "DECLARE", "FETCH", "CLOSE"}
    assert everything() == before
    assert (planned.added, planned.unchanged) == ([], 1)
    told = {
        (change.slug, field.label): (field.before, field.after)
        for change in planned.changed
        for difference in differences(change.before, change.after)
        for field in difference.fields
    }
    assert told[ONE, "date of signature"] == ("2002", "January 2003")
    assert told[ONE, "summary"][1] == "Changed."
    assert told[RICH, "capacity"] == ("Signed", "Witnessed")
    assert len(told) == 3
    result = planned.apply(reason="one reason", name="test")
    assert (result.added, result.changed, result.unchanged) == (0, 2, 1)
    newest = Revision.objects.filter(reason="one reason")
    assert set(newest.values_list("agreement__slug", flat=True)) == {ONE, RICH}
    assert plan(read("changed.zip", io.BytesIO(repacked(files)))).changed == []
    for revision in newest:
        assert revision.snapshot == snapshot(revision.agreement)


def test_progress_is_told_while_planning_and_while_applying():
    content = edited(table("agreements", ONE, RICH), lambda row: row.update(summary="Changed."))
    steps = []
    planned = plan(read("file", io.BytesIO(content)), lambda *step: steps.append(step))
    assert steps == [(2, 2)]
    planned.apply(reason="test", name="test", progress=lambda *step: steps.append(step))
    assert steps == [(2, 2), (2, 2)]


def test_a_plan_that_the_register_has_overtaken_is_refused():
    content = edited(table("agreements", ONE), lambda row: row.update(summary="From the file."))
    planned = plan(read("file", io.BytesIO(content)))
    Agreement.objects.filter(slug=ONE).update(summary="Typed meanwhile.")
    after_change.record_change(
        Agreement.objects.filter(slug=ONE).values_list("pk", flat=True), reason=""
    )
    with pytest.raises(ImportRefused, match="The register has changed since"):
        planned.apply(reason="test", name="test")
    assert Agreement.objects.get(slug=ONE).summary == "Typed meanwhile."


def test_a_plan_holds_if_something_else_has_changed():
    content = edited(table("agreements", ONE), lambda row: row.update(summary="From the file."))
    planned = plan(read("file", io.BytesIO(content)))
    derive([])
    assert planned.apply(reason="test", name="test").changed == 1


def test_an_import_that_is_killed_leaves_nothing_behind(monkeypatch):
    files = unpacked(packed(ONE, RICH))
    for name in ("agreements", "agencies", "areas"):
        column = {"agreements": "summary", "agencies": "note", "areas": "description"}[name]
        files[f"{name}.csv"] = edited(
            files[f"{name}.csv"], lambda row, column=column: row.update({column: "Changed."})
        )
    before = everything()

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "record_written", killed)
    with pytest.raises(KeyboardInterrupt):
        load(repacked(files))
    assert everything() == before


# --- Files with faults --------------------------------------------------------------------------


def changed(name, /, **cells):
    return edited(table(name, RICH), lambda row: row.update(cells))


@pytest.mark.parametrize(
    ("name", "cells", "fault"),
    [
        (
            "agreements",
            {"instrument_type": "pact"},
            "line 2 (hsa-mhlw-moc-2026), instrument_type: ",
        ),
        ("agreements", {"signed_on": "2010-13"}, "signed_on: There is no month 13."),
        ("agreements", {"product_codes": "pills"}, "product_codes: there is no product category"),
        ("agreements", {"text_url": "javascript:alert(1)"}, "text_url: Enter a valid URL."),
        ("agreements", {"id": ""}, "id: This field cannot be blank."),
        ("agreements", {"title": " \u3000"}, "title: This field cannot be blank."),
        ("agreements", {"id": "a b"}, "id: Use small letters"),
        ("agreements", {"updated_at": "yesterday"}, "updated_at: must be a time with its zone"),
        ("agreements", {"updated_at": "2020-13-01T00:00:00Z"}, "updated_at: must be a time"),
        ("agreements", {"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at: must be a time"),
        ("agreements", {"updated_at": "9999-12-31T23:59:59-14:00"}, "updated_at: must be a time"),
        ("agreements", {"updated_at": "2999-01-01T00:00:00Z"}, "updated_at: lies in the future"),
        ("agreements", {"former_slugs": "a b"}, "former_slugs, slug: Use small letters"),
        ("agreements", {"former_slugs": ONE}, "A record of the register has this address now."),
        (
            "agreements",
            {"summary": "x" * 1_000_001},
            "summary: has more than 1,000,000 characters.",
        ),
        ("participations", {"agency": "nobody"}, "line 2, agency: there is no agency “nobody”."),
        ("participations", {"agency": ""}, "line 2, agency: This field cannot be blank."),
        ("participations", {"position": "first"}, "line 2, position: must be a whole number."),
        ("participations", {"position": "9" * 19}, "position: Ensure this value is less than"),
        ("participations", {"position": "9" * 99}, "position: must be a whole number."),
        ("participations", {"agreement": "nowhere"}, "agreement: there is no agreement “nowhere”"),
        ("participations", {"left_on": "1999", "joined_on": "2001"}, "cannot leave before it"),
        ("signatories", {"name": "", "post": ""}, "Give the person's name or, if it is not known"),
        ("sources", {"retrieved_on": "20 May"}, "retrieved_on: must be a day like 2026-04-20."),
        ("sources", {"retrieved_on": "20240501"}, "retrieved_on: must be a day like 2026-04-20."),
        ("sources", {"retrieved_on": "2024-02-30"}, "retrieved_on: “2024-02-30” value has the"),
        ("outcomes", {"figure": "1e5"}, "figure: must be a number like 12 or 0.5."),
        ("outcomes", {"figure": "1_0"}, "figure: must be a number like 12 or 0.5."),
        ("outcomes", {"figure": "１２"}, "figure: must be a number like 12 or 0.5."),
        ("provisions", {"direction": "one_way"}, "A one-way provision names the relying"),
        ("provisions", {"source": "99"}, "source: there is no source “99”."),
        ("evidence", {"verbatim": "maybe"}, "verbatim: must be true or false."),
        (
            "agencies",
            {"jurisdiction": "XX"},
            "jurisdiction: “XX” must be one of: the codes of the",
        ),
        ("areas", {"name": "Same"}, "Cooperation area with this Name already exists."),
    ],
)
def test_a_fault_in_a_table_is_told_with_file_line_and_column(name, cells, fault):
    content = changed(name, **cells)
    before = everything()
    with pytest.raises(ImportRefused) as refusal:
        load(content)
    assert everything() == before
    assert any(fault in each for each in refusal.value.faults), refusal.value.faults[:3]
    assert all(each.startswith("file, line ") for each in refusal.value.faults)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda c: b"", "file, line 1, column 1: the file is empty."),
        (lambda c: c.decode("utf-8-sig").encode("utf-16"), "file: is UTF-16."),
        (lambda c: c.decode("utf-8-sig").encode("utf-16-le"), "line 1, column 2: a NUL character"),
        (
            lambda c: c.decode("utf-8-sig").replace("HSA", "厚生").encode("utf-16-le"),
            "line 1, column 2: a NUL character",
        ),
        (lambda c: c.decode("utf-8-sig").replace("HSA", "厚生").encode("cp932"), "Shift_JIS"),
        (lambda c: c.replace(b"HSA", b"\xe9t\xe9"), "Latin-1"),
        (lambda c: c[:-40], "cut short"),
        (lambda c: c[: c.rfind(b'"')], "cut short"),
        (lambda c: c.rstrip(b"\r\n"), "the last line has no end"),
        (lambda c: c.replace(b",post,", b",poste,"), "signatories has no column “poste”."),
        (lambda c: c.replace(b",post,", b",poste,"), "the column “post” is missing."),
        (lambda c: c.replace(b",post,", b",name,"), "the column “name” is given twice."),
        (lambda c: c.replace(b",", b";"), "Its cells must be separated by commas."),
        (lambda c: b"a,b\r\n1,2\r\n", "line 1: no table of the register has this header."),
        (lambda c: c + b'x,"y" z\r\n', "',' expected after '\"'"),
        (lambda c: c + b"x,y\r\n", "has 2 cells instead of 9"),
        (lambda c: c.replace(b"HSA", b"HS\0A"), "a NUL character"),
    ],
)
def test_a_damaged_table_is_refused_with_the_place(damage, fault):
    content = table("signatories", RICH)
    assert load(content).unchanged == 1
    content = content.replace(b"Health Sciences Authority", b"HSA")
    faults = refused(damage(content))
    assert any(fault in each for each in faults), faults


def test_a_record_given_twice_is_refused_with_both_places():
    header, row = table("areas", ONE).splitlines(keepends=True)[:2]
    faults = refused(header + row + row)
    assert len(faults) == 1
    assert faults[0].startswith("file, line 3 (")
    assert "stands already in file, line 2 (" in faults[0]
    source = table("sources", RICH).splitlines(keepends=True)
    faults = refused(source[0] + source[1] + source[1])
    assert "file, line 3 (1): Two sources of this agreement have the same number." in faults


def cut_at_a_line_end(name, slug):
    """A table of one agreement without its last row."""
    rows = table(name, slug).splitlines(keepends=True)
    assert len(rows) > 2
    return b"".join(rows[:-1])


def test_a_table_cut_at_a_line_end_is_refused_unless_it_is_said_to_be_whole(tmp_path):
    path = tmp_path / "milestones.csv"
    path.write_bytes(cut_at_a_line_end("milestones", "project-orbis"))
    had = Agreement.objects.get(slug="project-orbis").milestones.count()
    told = f"ends with project-orbis, of whose {had} milestones it has {had - 1}."
    before = everything()
    with pytest.raises(CommandError, match=re.escape(told)):
        call_command("import_register", str(path))
    assert everything() == before
    call_command("import_register", str(path), whole=True, stdout=io.StringIO())
    assert Agreement.objects.get(slug="project-orbis").milestones.count() == had - 1
    # A cut takes rows from the last record only: another one may lose some on purpose.
    others = table("milestones", "project-orbis").partition(b"\r\n")[2]
    path.write_bytes(cut_at_a_line_end("milestones", "access-consortium") + others)
    out = io.StringIO()
    call_command("import_register", str(path), stdout=out)
    assert out.getvalue() == "Agreements: 0 added, 1 changed, 1 unchanged.\n"


def test_what_programs_do_to_a_file_on_the_way_is_no_fault():
    files = unpacked(packed(ONE))
    assert load(repacked(files | {"__MACOSX/._areas.csv": b"\0"})).unchanged == 1
    evidence = table("evidence", RICH)
    in_excel = evidence.replace(b",true,", b",TRUE,").replace(b",false,", b",FALSE,")
    assert in_excel != evidence
    assert load(in_excel).unchanged == 1


def test_empty_rows_that_a_spreadsheet_leaves_behind_are_passed_over():
    assert load(table("signatories", RICH) + b"\r\n,,,,,,,,\r\n").unchanged == 1


def bomb(size):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("agreements.csv", b"\0" * size)
    return file.getvalue()


def test_a_damaged_package_is_refused(monkeypatch):
    whole = packed(ONE)
    files = unpacked(whole)
    assert "cannot be unpacked, it is damaged or cut short" in refused(whole[: len(whole) // 2])[0]
    assert "no file of a package has this name" in refused(repacked(files | {"x.csv": b""}))[0]
    assert "no file of a package has this name" in refused(repacked({"../x": b"", **files}))[0]
    assert "holds no table" in refused(repacked({"README.txt": b""}))[0]
    assert "holds no table" in refused(repacked({}))[0]
    workbook = {"[Content_Types].xml": b"", "xl/workbook.xml": b""}
    assert refused(repacked(workbook)) == [
        "file: is a workbook. Save each table as “CSV UTF-8”, and bring it by itself."
    ]
    foldered = repacked({f"package/{name}": content for name, content in files.items()})
    assert "the files stand in a folder." in refused(foldered)[0]
    assert "areas.csv, line 1: the file is empty." in refused(repacked({"areas.csv": b"\r\n"}))
    other = json.dumps({"format": "moctracker package 999"}).encode()
    assert '"format" must be' in refused(repacked(files | {"datapackage.json": other}))[0]
    for nonsense in (b"[]", b"{", b"[" * 100_000):
        assert '"format" must' in refused(repacked(files | {"datapackage.json": nonsense}))[0]
    sums = io.BytesIO()
    with zipfile.ZipFile(sums, "w") as archive:
        for name, content in files.items():
            if name != "relations.csv":
                archive.writestr(name, content + b" " if name == "agencies.csv" else content)
    faults = refused(sums.getvalue())
    assert any("agencies.csv: is not what SHA256SUMS says" in fault for fault in faults)
    assert any("relations.csv is missing in the package" in fault for fault in faults)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("areas.csv", files["areas.csv"])
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("areas.csv", files["areas.csv"])
    assert "stands twice in the package" in refused(twice.getvalue())[0]
    monkeypatch.setattr(document, "MAX_BYTES", 100_000)
    assert "more than a register has" in refused(bomb(200_000))[0]
    assert "more than 100,000 bytes" in refused(b"x" * 100_001)[0]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_package_with_any_byte_damaged_is_refused(compression):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("areas.csv", table("areas", ONE))
    whole = file.getvalue()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        # Damage to a date or an attribute is none to the content.
        with suppress(ImportRefused):
            read("file", io.BytesIO(damaged))


def test_more_faults_than_a_person_reads_are_counted():
    rows = table("participations").splitlines(keepends=True)
    many = b"".join([rows[0], *([rows[1].replace(b"access-consortium", b"nowhere")] * 1100)])
    faults = refused(edited(many, lambda row: row.update(position="x")))
    assert len(faults) == 1001
    assert faults[-1] == "... and 100 more."


def test_the_commands_write_and_read_a_package(tmp_path):
    path = tmp_path / "package.zip"
    call_command("export_register", package=path, base_url=BASE)
    out = io.StringIO()
    call_command("import_register", str(path), stdout=out)
    count = Agreement.objects.count()
    assert out.getvalue() == f"Agreements: 0 added, 0 changed, {count} unchanged.\n"
    areas = edited(table("areas", ONE), lambda row: row.update(description="Changed."))
    (tmp_path / "areas.csv").write_bytes(areas)
    out = io.StringIO()
    call_command("import_register", str(tmp_path / "areas.csv"), stdout=out)
    assert out.getvalue().startswith("Areas: 0 added, 43 changed, 0 unchanged.\n")
    sources = edited(table("sources", ONE), lambda row: row.update(title="Changed."))
    (tmp_path / "sources.csv").write_bytes(sources)
    Agreement.objects.filter(slug=ONE).update(state="draft")
    out = io.StringIO()
    call_command("import_register", str(tmp_path / "sources.csv"), stdout=out)
    assert out.getvalue().endswith(f"  {ONE} is not public: Draft.\n")
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("export_register", package=tmp_path)


# --- Rules in memory ----------------------------------------------------------------------------


@given(st.data())
@hypothesis_settings(max_examples=60)
def test_the_conditions_of_the_tables_decide_in_memory_as_in_the_database(data):
    model = data.draw(st.sampled_from(sorted(PUBLIC, key=lambda m: m.__name__)))
    values = {}
    for field in model._meta.concrete_fields:
        if field.is_relation and field.related_model is not Agreement:
            values[field.attname] = data.draw(st.sampled_from([None, 1, 2]))
        elif field.choices and not hasattr(field, "countries"):
            values[field.name] = data.draw(st.sampled_from(["", *dict(field.flatchoices)]))
        elif isinstance(field, models.DateField):
            values[field.name] = data.draw(
                st.sampled_from([None, datetime.date(2001, 1, 1), datetime.date(2002, 1, 1)])
            )
        elif field.name in ("date", "until", "figure"):
            values[field.name] = data.draw(st.sampled_from([None, "2001"]))
        elif isinstance(field, models.CharField | models.TextField) and not field.null:
            values[field.name] = data.draw(st.sampled_from(["", "x"]))
    instance = model(**values)
    for holds, constraint in checks.checks_of(model).conditions:
        try:
            constraint.validate(model, instance)
            allowed = True
        except Exception:
            allowed = False
        assert (holds(instance) is not False) == allowed, constraint.name


def test_a_draft_without_its_kind_of_instrument_has_search_terms_and_a_revision():
    draft = make.agreement(state="draft", instrument_type="", title="Zyxwvut")
    assert after_change.record_change([draft.pk], reason="typed", name="test") == 1
    assert draft in Agreement.objects.search("zyxwvut")


def test_an_import_keeps_the_state_and_the_staff_notes_of_a_draft_and_counts_as_a_change():
    draft = make.agreement(state="draft", staff_notes="Only for us.")
    known = Agreement.objects.get(slug=ONE)
    Agreement.objects.filter(pk=known.pk).update(staff_notes="Only for us.")
    rows = edited(table("agreements", ONE), lambda row: row.update(summary="Changed."))
    load(edited(rows, lambda row: row.update(id=draft.slug)))
    load(rows)
    for slug, state in ((draft.slug, "draft"), (ONE, "published")):
        after = Agreement.objects.get(slug=slug)
        assert (after.state, after.staff_notes) == (state, "Only for us.")
        assert after.summary == "Changed."
    # Whoever has the form open is told that it is no longer what they saw.
    assert after.lock_version == known.lock_version + 1
