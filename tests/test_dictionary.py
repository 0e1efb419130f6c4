"""The dictionary says what every table, column, filter and vocabulary is, and says it truly."""

import csv
import datetime
import html
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest
from django.db import connection

from agreements.exports import (
    CHILDREN,
    COLUMN_VERSION,
    COLUMNS,
    DERIVED,
    PARTNER_COLUMNS,
    PARTNERS,
    PUBLIC,
    TABLES,
    package,
)
from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    Edition,
    ProductCategory,
    Provision,
    meaning,
)
from agreements.pages import dictionary
from agreements.question import AgreementFilterSet, CoverageFilterSet
from tests import make

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 24)
DOCUMENT = (Path(__file__).parents[1] / "docs/data.md").read_text()
#: Every column in its order: a version of the columns, a table, what that version appended to it.
FROZEN = Path(__file__).parent / "data/columns.txt"


@pytest.fixture(scope="module")
def whole(django_db_setup, django_db_blocker):
    """The files of the package of the shipped register."""
    with django_db_blocker.unblock():
        file = io.BytesIO()
        package(Agreement.objects.register(), DAY, "https://register.example", file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


# --- Columns are only ever added ----------------------------------------------------------------


def test_no_column_is_renamed_removed_or_moved_and_a_new_one_stands_at_the_end():
    frozen = defaultdict(list)
    for line in FROZEN.read_text().splitlines():
        version, table, header = line.split()
        frozen[table] += [(column, int(version)) for column in header.split(",")]
    tables = {name: table.columns for name, table in TABLES.items()} | {"coverage": PARTNERS}
    for name, columns in tables.items():
        stands = [(column.name, column.since) for column in columns]
        old = len(frozen[name])
        assert stands[:old] == frozen[name], f"Put the columns of {name} back: others read them."
        assert not stands[old:], f"A new column of {name}: append it to tests/data/columns.txt."
    assert set(frozen) == set(tables)
    assert max(since for each in frozen.values() for _, since in each) == COLUMN_VERSION


# --- What is said is so -------------------------------------------------------------------------


def test_every_column_of_every_table_is_described(whole):
    entries = dictionary.tables()
    assert [entry.table.name for entry in entries] == list(TABLES)
    for entry in entries:
        assert [column.name for column in entry.columns] == list(entry.table.header)
        for column in entry.columns:
            assert len(column.meaning) > 5, column
            assert column.type, column
            assert column.allowed, column
            assert column.since >= 1, column


def test_every_public_field_means_something_and_only_public_fields_do():
    for model, names in PUBLIC.items():
        assert all(len(meaning(model, name)) > 5 for name in names), model
        stated = {n for each in model.__mro__ for n in vars(each).get("MEANINGS", {})}
        assert stated <= set(names), model


def test_an_example_is_a_value_of_the_register(whole):
    for entry in dictionary.tables():
        values = rows(whole[f"{entry.table.name}.csv"])
        for column in entry.columns:
            there = [row[column.name] for row in values if row[column.name]]
            if column.name in ("url", "status_day"):
                continue
            if column.example.endswith("…"):
                assert any(value.startswith(column.example[:-1]) for value in there)
                assert not any(len(value) <= 60 for value in there)
            else:
                assert column.example in there or column.example == "" == "".join(there), column


def test_no_example_outlives_its_record(empty_register):
    made = make.agreement(slug="made-up-one", title="Kanarienvogel")
    found = {c.name: c.example for c in dictionary.tables()[0].columns}
    assert found["title"] == "Kanarienvogel"
    make.agreement(slug="made-up-draft", title="A draft", state="draft")
    Agreement.objects.filter(pk=made.pk).update(state="in_review")
    Edition.renew()
    assert {c.example for c in dictionary.tables()[0].columns} == {""}


def test_a_record_withdrawn_while_examples_are_looked_for_leaves_the_page_without_any(client):
    Edition.renew()
    newest = Agreement.objects.register().newest_first().first()

    def withdrawn_meanwhile(execute, sql, *given):
        # The record is among those chosen, and its row is about to be read.
        if sql.startswith("SELECT") and '"agreements_digest"."line"' in sql:
            Agreement.objects.filter(pk=newest.pk).update(state="withdrawn")
            make.derived(newest)
        return execute(sql, *given)

    with connection.execute_wrapper(withdrawn_meanwhile):
        shown = page(client)
    assert "not looked up: the register just changed" in shown
    assert "none recorded" not in shown
    # What failed is not kept.
    assert "not looked up" not in page(client)
    assert "none recorded" in page(client)


def test_every_code_of_the_register_is_a_code_of_the_vocabulary_that_is_named(whole):
    known = {each.anchor: {code for code, _ in each.values} for each in dictionary.vocabularies()}
    looked_at = 0
    for entry in dictionary.tables():
        for column in entry.columns:
            if column.vocabulary in known:
                values = {row[column.name] for row in rows(whole[f"{entry.table.name}.csv"])}
                assert values - {""} <= known[column.vocabulary], column
                looked_at += 1
    assert looked_at >= 20


def test_every_list_of_codes_has_its_name_its_source_and_the_columns_that_take_it():
    listed = dictionary.vocabularies()
    assert len({each.anchor for each in listed}) == len(listed)
    taken = {column for each in listed for column in each.columns}
    assert taken == {
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if column.allowed
    }
    for each in listed:
        assert each.source
        assert each.values
    for table in TABLES.values():
        for column in table.columns:
            if column.allowed:
                choices = dictionary._choices(column.allowed)
                assert set(column.allowed) == {(str(v), str(t)) for v, t in choices.choices}


#: What one says to a person who types.
TO_STAFF = re.compile(
    r"(?:^|[.:;] )(?:Type|Leave|Choose|Tick|Save|Start|Never|Give|Describe|Needed|Public)\b"
    r"|\b(?i:you|your|our|below|staff|screen readers)\b"
)


def test_no_meaning_tells_its_reader_what_to_type(client, whole):
    schemas = client.get("/api/openapi.json").json()["components"]["schemas"]
    told = {
        "dictionary": [c.meaning for entry in dictionary.tables() for c in entry.columns],
        "datapackage.json": [
            field["description"]
            for resource in json.loads(whole["datapackage.json"])["resources"]
            for field in resource["schema"]["fields"]
        ],
        "csv-metadata.json": [
            column["dc:description"]
            for table in json.loads(whole["csv-metadata.json"])["tables"]
            for column in table["tableSchema"]["columns"]
        ],
        "openapi.json": [
            schemas["AgencyRecord" if model is Agency else model.__name__]["properties"][name][
                "description"
            ]
            for model, names in PUBLIC.items()
            for name in names
        ],
    }
    for where, meanings in told.items():
        assert len(meanings) > 90
        assert [each for each in meanings if TO_STAFF.search(each)] == [], where
    # The words for staff stay theirs.
    assert TO_STAFF.search(Provision._meta.get_field("area").help_text)


def test_every_filter_is_described_and_a_described_one_is_taken(client):
    for found, declared, address in (
        (dictionary.filters(), AgreementFilterSet, "/agreements/"),
        (dictionary.coverage_filters(), CoverageFilterSet, "/coverage/"),
    ):
        assert [each.name for each in found] == list(declared.base_filters)
        for each in found:
            assert len(each.meaning) > 10, each
            assert each.allowed, each
        known = {each.name: each for each in found}
        assert known["status"].several
        assert known["status"].vocabulary == "status"
        assert client.get(f"{address}?made_up=1").status_code == 400


def test_every_column_of_the_table_of_partners_is_described():
    assert len({column.name for column in PARTNERS}) == len(PARTNER_COLUMNS)
    assert all(len(column.meaning) > 5 for column in PARTNERS)


# --- The page and the document ------------------------------------------------------------------


def page(client, address="/data/dictionary/"):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_has_every_table_column_filter_code_area_and_product(client):
    shown = page(client)
    for name, table in TABLES.items():
        section = shown.partition(f'id="table-{name}"')[2].partition("</section>")[0]
        for column in table.header:
            assert f"<code>{column}</code>" in section, (name, column)
    for name in (*AgreementFilterSet.base_filters, *CoverageFilterSet.base_filters):
        assert f"<code>{name}</code>" in shown, name
    for name in PARTNER_COLUMNS:
        assert f"<code>{name}</code>" in shown, name
    for each in dictionary.vocabularies():
        section = shown.partition(f'id="{each.anchor}"')[2].partition("</section>")[0]
        assert all(f"<code>{code}</code>" in section for code, _ in each.values), each.title
    for model in (CooperationArea, ProductCategory):
        assert all(f"<code>{term.code}</code>" in shown for term in model.objects.all())


def test_every_link_inside_the_page_leads_somewhere(client):
    for address in ("/data/dictionary/", "/data/loading/"):
        shown = page(client, address)
        ids = re.findall(r'\bid="([^"]+)"', shown)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'href="#([^"]+)"', shown)) <= set(ids)


def lines(shown, anchor):
    """The lines of the table in the section of the page with this id: name -> the other cells."""
    section = shown.partition(f'id="{anchor}"')[2].partition("</section>")[0]
    cells = re.compile(r"<(?:th scope=\"row\"|td)>(.*?)</t[hd]>", re.DOTALL)
    text = re.compile(r"<[^>]*>|(?<=\s)\s+")
    told = (
        [html.unescape(text.sub("", cell)).strip() for cell in cells.findall(line)]
        for line in section.split("<tr>")[2:]
    )
    return {name: others for name, *others in told}


def test_the_page_gives_every_column_its_meaning_type_unit_and_what_is_allowed(client):
    shown = page(client)
    units = {"partial date", "date", "time", "number", "decimal"}
    for name, table in TABLES.items():
        told = lines(shown, f"table-{name}")
        assert list(told) == list(table.header)
        for column in table.columns:
            meaning, kind, allowed, example, since = told[column.name]
            assert meaning == column.meaning
            assert kind.partition(",")[0].removeprefix("list of ") == column.kind
            assert (", " in kind) == (column.kind in units), (name, column.name)
            assert allowed.removesuffix("(never empty)"), (name, column.name)
            assert example, (name, column.name)
            assert since == str(column.since)
    assert set(DERIVED) <= set(COLUMNS), "the JSON names them as the table does"
    told = lines(shown, "partners")
    assert told == {each.name: [each.meaning, str(each.since)] for each in PARTNERS}


def test_the_page_has_every_vocabulary_as_it_is(client):
    shown = html.unescape(page(client))
    for each in dictionary.vocabularies():
        section = shown.partition(f'id="{each.anchor}">{each.title}<')[2].partition("</section>")[0]
        assert f"Source: {each.source}. In" in section, each.title
        codes = re.findall(r"<li>\s*<code>(\w+)</code> ([^<]+?)\s*</li>", section)
        assert codes == list(each.values), each.title


def test_the_api_gives_every_public_field_the_meaning_that_its_model_states(client):
    schemas = client.get("/api/openapi.json").json()["components"]["schemas"]
    for model, names in PUBLIC.items():
        told = schemas["AgencyRecord" if model is Agency else model.__name__]["properties"]
        for name in names:
            assert told[name]["description"] == meaning(model, name), (model, name)


def test_the_document_names_the_rows_that_belong_to_a_record():
    section = DOCUMENT.partition("## The register document\n")[2]
    for children in CHILDREN.values():
        assert all(f"`{name}`" in section for name in children)


# --- Loading ------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="the program sqlite3 is not installed")
def test_the_lines_for_sqlite_count_what_the_table_says(client, tmp_path, whole):
    (tmp_path / "provisions.csv").write_bytes(whole["provisions.csv"])
    shown = page(client, "/data/loading/")
    lines = re.search(r'<pre class="code" id="load-sqlite">(.*?)</pre>', shown, re.DOTALL)
    script = html.unescape(lines[1])
    done = subprocess.run(
        ["sqlite3"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    counted = dict(line.split(",") for line in done.stdout.split())
    stated = {}
    for row in rows(whole["provisions.csv"]):
        if row["stage"] and row["commitment"] != "excluded":
            stated.setdefault(row["stage"], set()).add(row["agreement"])
    assert counted == {stage: str(len(ids)) for stage, ids in stated.items()}


# --- The validators see a fault -----------------------------------------------------------------


@pytest.fixture
def unpacked(tmp_path, whole):
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def frictionless_faults(folder):
    from frictionless import Package

    report = Package(str(folder / "datapackage.json")).validate()
    return {fault[0] for fault in report.flatten(["type"])}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column", "value", "fault"),
    [
        ("provisions", "depth", "very deep", "constraint-error"),
        ("agreements", "signed_on", "May 2010", "constraint-error"),
        ("sources", "number", "first", "type-error"),
        ("participations", "agency", "nobody", "foreign-key"),
        ("agreements", "title", "", "constraint-error"),
    ],
)
def test_frictionless_finds_a_value_that_its_description_does_not_allow(
    unpacked, table, column, value, fault
):
    broken = rows((unpacked / f"{table}.csv").read_bytes())
    broken[0][column] = value
    with (unpacked / f"{table}.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, broken[0])
        writer.writeheader()
        writer.writerows(broken)
    assert fault in frictionless_faults(unpacked)


def test_csvw_finds_a_broken_value_and_a_broken_reference(unpacked):
    import csvw

    def group():
        return csvw.TableGroup.from_file(unpacked / "csv-metadata.json")

    assert group().check_referential_integrity()
    file = unpacked / "sources.csv"
    lines = file.read_bytes().split(b"\r\n", 2)
    fields = lines[1].split(b",", 2)
    file.write_bytes(b"\r\n".join([lines[0], b",".join([b"nobody", *fields[1:]]), lines[2]]))
    with pytest.raises(ValueError, match="Key `nobody` not found"):
        group().check_referential_integrity()
    cells = b",".join([fields[0], b"first", fields[2]])
    file.write_bytes(b"\r\n".join([lines[0], cells, lines[2]]))
    table = next(each for each in group().tables if str(each.url) == "sources.csv")
    with pytest.raises(ValueError, match="first"):
        list(table.iterdicts(strict=True))
