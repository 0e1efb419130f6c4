"""Every table under one contract: the same question as the list, the same rows in every form."""

import contextlib
import csv
import datetime
import gc
import http.client
import io
import os
import re
import socket
import subprocess
import sys
import time
from functools import cache
from itertools import cycle, product
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone
from openpyxl import load_workbook

from agreements import exports
from agreements.exports import TABLES
from agreements.exports.package import COUNTING_RULES
from agreements.exports.records import children_of, in_term_order, plain_value
from agreements.faces import tables
from agreements.models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Evidence,
    Outcome,
    Participation,
    ProductCategory,
    Relation,
    Signatory,
)
from agreements.models.querysets import PublicationState
from agreements.rules.coverage import Commitment, Depth
from tests import make
from tests.make import AWKWARD
from tests.questions import PROBLEMS, QUESTIONS, slugs_on_pages

pytestmark = [pytest.mark.django_db, pytest.mark.database]
DAY = datetime.date(2026, 6, 1)
BASE = "https://example.org"
OF_AGREEMENTS = [name for name, table in TABLES.items() if table.owner == "agreement"]
VOCABULARIES = ["areas", "products"]


def read(client, name, query=""):
    """The rows of a table as its reader has them, apostrophes before formulas taken away."""
    response = client.get(f"/{name}.csv?{query}")
    assert response.status_code == 200, (name, query)
    text = b"".join(response).decode()
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert rows[0] == list(TABLES[name].header)
    assert len(rows) - 1 == int(response["X-Total-Rows"])
    numeric = [column.numeric for column in TABLES[name].columns]
    return [
        [
            cell if number else exports.unguard(cell)
            for cell, number in zip(row, numeric, strict=True)
        ]
        for row in rows[1:]
    ]


# --- The plain way: one record after the other, through the models. The yardstick of the quick one.


def plainly_flat(agreement, day):
    ruling = agreement.ruling_on(day)
    whole = {cell.stage: cell for cell in agreement.stages}
    taking_part = [part.agency for part in agreement.participations_on(day)]
    own = {
        column.name: plain_value(agreement, column.field)
        for column in TABLES["agreements"].columns
        if column.field and column.field != "former_slugs"
    }
    return own | {
        "participants": [agency.short_name for agency in taking_part],
        "participant_jurisdictions": list(
            filter(None, dict.fromkeys(str(agency.jurisdiction) for agency in taking_part))
        ),
        "signed_on_earliest": agreement.signed_on_earliest,
        "signed_on_latest": agreement.signed_on_latest,
        "status": ruling.status.value,
        "status_day": day,
        "status_because": ruling.because,
        **{
            f"coverage_{stage.value}": str(cell) if cell.provisions else ""
            for stage, cell in whole.items()
        },
        "cross_cutting_areas": list(
            dict.fromkeys(p.area.name for p in agreement.provisions.all() if not p.stage)
        ),
        "products": [product.name for product in in_term_order(agreement.products.all())],
        "relations": [
            f"{relation.kind}: {relation.target.slug if relation.target else relation.target_title}"
            for relation in agreement.public_relations
        ],
        "sources": [
            source.url or f"{source.publisher}: {source.title}"
            for source in agreement.sources.all()
        ],
        "url": BASE + agreement.get_absolute_url(),
        "updated_at": agreement.updated_at.isoformat(timespec="seconds"),
        "former_slugs": sorted(former.slug for former in agreement.former_slugs.all()),
    }


def plainly(table, record, day):
    """The rows of one record, itself or what belongs to it, as text."""
    if table.name == "agreements":
        found = [plainly_flat(record, day)]
    elif not table.owner:
        found = [{c.name: plain_value(record, c.field) for c in table.columns}]
    else:
        owner = {table.owner: getattr(record, exports.NATURAL_KEY[type(record)])}
        found = [
            owner
            | {c.name: plain_value(child, c.field) for c in table.columns if c.field}
            | {
                name: attrgetter(path.replace("__", "."))(child)
                for name, path in table.worked_out.items()
            }
            for child in children_of(record, table.relation)
        ]
    return [[column.text(row[column.name]) for column in table.columns] for row in found]


def expected(table, day):
    agreements = Agreement.objects.register().newest_first().with_related()
    agencies = sorted(Agency.objects.register(), key=attrgetter("key"))
    records = {
        "areas": in_term_order(CooperationArea.objects.all()),
        "products": in_term_order(ProductCategory.objects.all()),
        "agencies": agencies,
        "agency_names": agencies,
    }.get(table.name, agreements)
    return [row for record in records for row in plainly(table, record, day)]


def told(table, day=DAY):
    ids = list(Agreement.objects.register().newest_first().values_list("pk", flat=True))
    found = [list(row) for batch in exports.table_rows(table, ids, day, BASE) for row in batch]
    assert len(found) == exports.row_count(table, ids)
    return found


@pytest.fixture
def awkward_register(empty_register):
    """Every noun, with text that tables and databases stumble over."""
    ministry = make.agency(name="Ministry", jurisdiction="SG")
    agencies = [
        make.agency(
            name=f"{text} agency", acronym=text[:20], parent=ministry, jurisdiction="SG", note=text
        )
        for text in AWKWARD
    ]
    AgencyName.objects.create(agency=agencies[0], name="zeta", kind="former_name")
    AgencyName.objects.create(
        agency=agencies[0], name="Äpfel", kind="former_name", used_from="1999"
    )
    AgencyName.objects.create(agency=agencies[0], name="alpha", kind="abbreviation")
    made = []
    for number, text in enumerate(AWKWARD):
        agreement = make.agreement(
            slug=f"awkward-{number}",
            title=text,
            summary=text,
            areas_stated=f"one | two \\ {text}",
            signed_on=["2010", "2010-05", "2010-05-13", None][number % 4],
            participants=[agencies[number], agencies[number - 1]],
            signed_country="JP",
            provisions=[
                {"statement": text, "products": ["medicines", "ctgtp"]},
                {"area": "staff-training", "depth": "dialogue", "condition": text},
                {"commitment": "excluded"},
                {
                    "direction": "one_way",
                    "relying": agencies[number],
                    "reference": agencies[number - 1],
                    "depth": Depth.values[number % 5],
                    "commitment": Commitment.values[number % 4],
                },
            ],
            milestones=[
                ("entered_into_force", "2011", "2015-03"),
                ("renewed", "2012", "2015-03"),
                ("terminated", None) if number % 3 else ("announced", "2010-05-13"),
            ],
        )
        source = make.source(agreement, title=text, url="https://example.org/?a=1&b='2'")
        make.source(agreement, number=2, title=text, retrieved_on="2026-01-02")
        Participation.objects.filter(agreement=agreement, agency=agencies[number - 1]).update(
            left_on="2020", left_on_earliest="2020-01-01", left_on_latest="2020-12-31"
        )
        Signatory.objects.create(agreement=agreement, capacity="signed", name=text, post=text)
        Outcome.objects.create(
            agreement=agreement, statement=text, figure="-3.500", unit="days", source=source
        ).products.set(ProductCategory.objects.all())
        Evidence.objects.create(
            agreement=agreement, topic="title", statement=text, verbatim=True, source=source
        )
        agreement.products.set(ProductCategory.objects.all())
        made.append(agreement)
    draft = make.agreement(slug="draft", state=PublicationState.DRAFT)
    for agreement in made[:2]:
        Relation.objects.create(agreement=agreement, kind="renews", target=made[2])
        Relation.objects.create(agreement=agreement, kind="amends", target=draft)
        Relation.objects.create(agreement=agreement, kind="amends", target_title="=1+1 | \\")
    made[5].slug = "moved"
    made[5].save()
    make.derived(*made)
    return made


@pytest.mark.parametrize("day", [DAY, datetime.date(2012, 1, 1)])
@pytest.mark.parametrize("name", TABLES)
def test_the_quick_rows_of_the_shipped_register_are_the_plain_ones(name, day):
    rows = told(TABLES[name], day)
    assert rows == expected(TABLES[name], day)
    assert len(rows) > 5


def test_the_quick_rows_of_an_awkward_register_are_the_plain_ones(awkward_register):
    for table in TABLES.values():
        rows = told(table)
        assert rows == expected(table, DAY), table.name
        assert rows, table.name


@pytest.mark.parametrize(
    "day", ["0001-01-01", "2010-05-13", "2019-12-31", "2020-01-01", "2020-12-31"]
)
def test_the_flat_table_is_that_of_any_day(awkward_register, day):
    """Participants join and leave, and the same line tells each day."""
    joined = awkward_register[3].participations.first()
    joined.joined_on = "2020"
    joined.save()
    make.derived(awkward_register[3])
    day = datetime.date.fromisoformat(day)
    assert told(TABLES["agreements"], day) == expected(TABLES["agreements"], day)


def test_the_quick_records_are_the_plain_ones(awkward_register):
    """What a revision keeps, of drafts and what they relate to as well."""
    working_copy = make.agreement(state=PublicationState.DRAFT, revises=awkward_register[0])
    ids = list(Agreement.objects.values_list("pk", flat=True))
    plain = {a.pk: exports.record(a, staff=True) for a in Agreement.objects.with_related()}
    plain[working_copy.pk]["slug"] = awkward_register[0].slug
    quick = exports.recorded(ids)
    assert quick == plain
    assert [*quick[ids[0]]] == [*plain[ids[0]]], "in the same order"


@pytest.mark.parametrize("text", ['\n"t', '"\n"t', '\n"d\n"h,', 'a\r\n"t","\n"', '"', '\n"'])
def test_no_text_of_a_record_is_taken_for_a_mark_of_its_line(empty_register, text):
    agency = make.agency(name=text, acronym=text)
    make.agreement(
        title=text, summary=text, areas_stated=text, participants=[agency, make.agency()]
    )
    assert told(TABLES["agreements"]) == expected(TABLES["agreements"], DAY)


# --- One question, every table ------------------------------------------------------------------


@cache
def list_of(client, query):
    return slugs_on_pages(client, query)


def test_a_companion_holds_exactly_the_rows_of_the_agreements_that_answer(client):
    whole = {name: told(TABLES[name]) for name in OF_AGREEMENTS}
    for query, name in product(QUESTIONS, OF_AGREEMENTS):
        ids = list_of(client, query)
        rows = read(client, name, query)
        assert sorted(rows) == sorted(row for row in whole[name] if row[0] in ids)
        # In the order of the list.
        assert list(dict.fromkeys(row[0] for row in rows)) == [
            slug for slug in ids if any(row[0] == slug for row in rows)
        ]


def test_the_agencies_are_those_that_the_agreements_name_and_what_they_belong_to(client):
    for query in (
        "participant=hsa&participant=pmda&participant_match=all",
        "q=medicrime",
        "type=mra",
    ):
        slugs = [row[0] for row in read(client, "agreements", query)]
        named = set()
        for record in Agreement.objects.filter(slug__in=slugs).with_related():
            named |= {part.agency for part in record.participations.all()}
            named |= {each.agency for each in record.signatories.all()}
            named |= {p.relying for p in record.provisions.all()}
            named |= {p.reference for p in record.provisions.all()}
        named.discard(None)
        keys = set()
        while named:
            keys |= {agency.key for agency in named}
            named = {agency.parent for agency in named if agency.parent}
        rows = read(client, "agencies", query)
        assert {row[0] for row in rows} == keys
        assert {row[0] for row in read(client, "agency_names", query)} <= keys


def test_without_a_question_the_tables_are_those_of_the_package(client):
    register = {agency.key for agency in Agency.objects.register()}
    assert {row[0] for row in read(client, "agencies")} == register
    for name in TABLES:
        assert (
            read(client, name) == told(TABLES[name], timezone.localdate()) or name == "agreements"
        )


def test_vocabularies_are_whole_whatever_is_asked(client):
    for name in VOCABULARIES:
        assert read(client, name, "type=mra") == read(client, name)


def test_every_table_refuses_what_the_list_refuses(client):
    # Each problem and each table at least once: one view answers for all tables.
    for query, name in zip(PROBLEMS, cycle(TABLES), strict=False):
        parameter = query.partition("=")[0][:40]
        response = client.get(f"/{name}.csv?{query}")
        assert response.status_code == 400, name
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert parameter in response.content.decode()


def test_an_answer_without_agreements_has_headers_only(client):
    for name in TABLES:
        rows = read(client, name, "q=nothingatallmatchesthis")
        assert bool(rows) == (name in VOCABULARIES)


def test_a_file_is_named_by_its_table_its_day_and_whether_it_was_filtered(client):
    day = timezone.localdate().isoformat()
    for name in TABLES:
        plain = client.get(f"/{name}.csv")["Content-Disposition"]
        asked = client.get(f"/{name}.csv?type=mra&q=")["Content-Disposition"]
        assert plain == f'attachment; filename="{name}-{day}.csv"'
        filtered = "" if name in VOCABULARIES else "-filtered"
        assert asked == f'attachment; filename="{name}-{day}{filtered}.csv"'
        # Another order leaves nothing out.
        assert client.get(f"/{name}.csv?sort=oldest")["Content-Disposition"] == plain


def test_a_table_is_utf_8_with_a_mark_and_crlf_and_no_formula(client, awkward_register):
    for name, table in TABLES.items():
        response = client.get(f"/{name}.csv")
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        text = b"".join(response).decode()
        assert text.startswith("\ufeff" + table.header[0])
        assert "\n" not in re.sub(r'"(?:[^"]|"")*"', "", text).replace("\r\n", "")
        for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")):
            for column, cell in zip(table.columns, row, strict=True):
                assert column.numeric or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_every_table_may_be_read_by_any_site_and_asked_for_its_head(client):
    for name in TABLES:
        got, head = client.get(f"/{name}.csv"), client.head(f"/{name}.csv")
        assert head.status_code == 200
        assert b"".join(head) == b""
        assert b"".join(got)
        for header in ("Content-Type", "Content-Disposition", "X-Total-Rows", "ETag"):
            assert head[header] == got[header], header
        assert got["Access-Control-Allow-Origin"] == "*"
        assert "X-Total-Rows" in got["Access-Control-Expose-Headers"]
        assert client.post(f"/{name}.csv").status_code == 405
        again = client.get(f"/{name}.csv", headers={"If-None-Match": got["ETag"]})
        assert again.status_code == 304
    make.agreement()
    assert client.get("/sources.csv", headers={"If-None-Match": got["ETag"]}).status_code == 200


# --- The workbook -------------------------------------------------------------------------------


def opened(client, query=""):
    response = client.get(f"/agreements.xlsx?{query}")
    assert response.status_code == 200
    return load_workbook(io.BytesIO(b"".join(response)))


def sheet_rows(sheet, table):
    """A sheet as text, numbers written as the CSV writes them."""
    return [
        ["" if cell is None else f"{cell}" for cell in row[: len(table.columns)]]
        for row in sheet.iter_rows(min_row=2, values_only=True)
    ]


def test_the_workbook_holds_the_cells_of_the_csv_without_apostrophes(client, awkward_register):
    book = opened(client)
    assert book.sheetnames == ["about", *TABLES]
    for name, table in TABLES.items():
        sheet = book[name]
        assert [cell.value for cell in sheet[1]] == list(table.header)
        # A carriage return before a line feed is a line end to XML.
        rows = [[cell.replace("\r\n", "\n") for cell in row] for row in read(client, name)]
        assert [[c.replace("_x000D_", "") for c in row] for row in sheet_rows(sheet, table)] == rows
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
        kinds = {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row}
        assert kinds <= {"s", "n", "inlineStr"}, "no formula, no date, no error"
        assert not any(cell.hyperlink for row in sheet.iter_rows() for cell in row)


def test_the_workbook_answers_the_question_and_says_what_was_asked(client):
    query = "participant=hsa&as_of=2020-01-01"
    book = opened(client, query)
    about = {row[0]: row[1:] for row in book["about"].iter_rows(values_only=True) if row[0]}
    assert about["What was asked"][1].endswith("agreements, with HSA, as of 1 January 2020")
    assert about["Address"][1] == f"http://testserver/agreements.xlsx?{query}"
    assert about["Day of the statuses"][1] == "2020-01-01"
    for name, table in TABLES.items():
        rows = read(client, name, query)
        assert sheet_rows(book[name], table) == rows
        assert about[name][0] == len(rows)
    words = [row[2] for row in book["about"].iter_rows(values_only=True)]
    assert set(COUNTING_RULES) <= set(words)


def test_a_text_longer_than_a_cell_is_cut_and_says_so(client):
    long = "日本🧪" * 9000
    made = make.agreement(signed_on="1998-07-01", summary=long, source_notes="x" * 32_767)
    book = opened(client, "signed_after=1998-07-01&signed_before=1998-07-01")
    row = dict(
        zip(TABLES["agreements"].header, (c.value for c in book["agreements"][2]), strict=True)
    )
    assert row["id"] == made.slug
    assert row["source_notes"] == "x" * 32_767
    cut = row["summary"].removesuffix(" … [cut: the CSV has the whole text]")
    assert len(cut) < len(row["summary"])
    assert long.startswith(cut)
    assert 32_700 < len(row["summary"].encode("utf-16-le")) // 2 <= 32_767
    told = [r for r in book["about"].iter_rows(values_only=True) if r[0] == "agreements"]
    assert [r[1] for r in told] == [1, 1], "one row, one cell cut"


def test_the_workbook_refuses_as_the_tables_do(client, monkeypatch):
    assert client.get("/agreements.xlsx?stage=nowhere").status_code == 400
    head = client.head("/agreements.xlsx?type=mra")
    day = timezone.localdate()
    assert head["Content-Disposition"] == f'attachment; filename="agreements-{day}-filtered.xlsx"'
    assert head["Access-Control-Allow-Origin"] == "*"
    monkeypatch.setattr("agreements.faces.tables.WORKBOOK_LIMIT", 10)
    response = client.get("/agreements.xlsx")
    assert response.status_code == 413
    assert "at most 10 agreements" in response.content.decode()


# --- Whether it is whole, and whether others can still read --------------------------------------


@pytest.mark.shipped
def test_each_batch_of_the_flat_table_is_one_statement(client, django_assert_num_queries):
    """So no row mixes two states of a record; ``docs/data.md`` promises it."""
    pieces = iter(client.get("/agreements.csv"))
    assert next(pieces).decode().startswith("\ufeffid,")
    # A first short one, then the rest of so few.
    for _ in range(2):
        with django_assert_num_queries(1):
            assert next(pieces)
    with django_assert_num_queries(0):
        assert list(pieces) == []


@pytest.mark.shipped
def test_a_record_that_changes_while_the_table_is_sent_stands_as_it_was_when_it_was_read(client):
    first, *_, last = Agreement.objects.register().newest_first()
    pieces = iter(client.get("/agreements.csv"))
    sent = [next(pieces), next(pieces)]
    for agreement in (first, last):
        Agreement.objects.filter(pk=agreement.pk).update(title="Kanarienvogel")
        make.derived(agreement)
    text = b"".join([*sent, *pieces]).decode("utf-8-sig")
    titles = {row["id"]: row["title"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert titles[first.slug] == first.title
    assert titles[last.slug] == "Kanarienvogel"


def test_a_record_withdrawn_meanwhile_breaks_the_table_off(client, monkeypatch):
    for name in ("agreements", "provisions"):
        response = client.get(f"/{name}.csv")
        pieces = iter(response)
        assert next(pieces).decode().startswith("\ufeff" + TABLES[name].header[0])
        withdrawn = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
        withdrawn.state = "withdrawn"
        withdrawn.save()
        make.derived(withdrawn)
        with pytest.raises(exports.RegisterChanged):
            list(pieces)
        withdrawn.state = "published"
        withdrawn.save()
        make.derived(withdrawn)


@pytest.mark.shipped
def test_a_term_that_is_newer_than_the_table_stands_in_it(client):
    last = Agreement.objects.register().newest_first().last()
    pieces = iter(client.get("/agreements.csv"))
    sent = [next(pieces), next(pieces)]
    last.participations.create(agency=make.agency(name="Made-up agency"), position=99)
    area = CooperationArea.objects.create(code="made-up", name="Made-up area", position=99)
    make.provision(last, area=area.code)
    last.products.add(
        ProductCategory.objects.create(code="made-up", name="Made-up product", position=99)
    )
    make.derived(last)
    text = b"".join([*sent, *pieces]).decode("utf-8-sig")
    row = list(csv.DictReader(io.StringIO(text, newline="")))[-1]
    assert row["participants"].endswith("Made-up agency")
    assert "Made-up area" in row["cross_cutting_areas"].split(" | ")
    assert "Made-up product" in row["products"].split(" | ")


def test_a_record_withdrawn_meanwhile_puts_off_the_workbook_and_frees_its_place(
    client, monkeypatch
):
    def meanwhile(*arguments):
        raise exports.RegisterChanged

    monkeypatch.setattr(tables, "write_workbook", meanwhile)
    for _ in range(tables.AT_ONCE + 1):
        response = client.get("/agreements.xlsx?type=mra")
        assert (response.status_code, response["Retry-After"]) == (503, "10")
        assert response.content.decode().startswith("The register changed meanwhile.")


#: The site, but the flat table fails after its first piece.
BROKEN = """
from moctracker.wsgi import application
from agreements.faces import tables

whole = tables.table_csv

def breaking(table, *arguments):
    pieces = whole(table, *arguments)
    yield next(pieces) + next(pieces)
    if table.name == "agreements":
        raise RuntimeError("The database went away.")
    yield from pieces

tables.table_csv = breaking
"""


@pytest.fixture
def breaking_server(tmp_path):
    """The port of the production server over the database of the tests."""
    (tmp_path / "breaking.py").write_text(BROKEN)
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": f"{tmp_path}:{root}"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "breaking", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        [*command, "--threads", "4", "--log-level", "critical"],
        cwd=root,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    yield port
    server.terminate()
    server.wait()


@pytest.mark.shipped
def test_a_table_that_breaks_off_does_not_look_whole(breaking_server):
    def asked(path, **headers):
        server = http.client.HTTPConnection("127.0.0.1", breaking_server, timeout=20)
        with contextlib.closing(server):
            server.request("GET", path, headers=headers)
            response = server.getresponse()
            with response:
                return response.headers, response.read()

    # HTTP/1.1: the last chunk never comes, and every client reports it.
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        with pytest.raises(http.client.IncompleteRead) as broken:
            asked("/agreements.csv", **headers)
        assert broken.value.partial
    # HTTP/1.0, as old proxies speak it, has no last chunk: the number of rows tells.
    with socket.create_connection(("127.0.0.1", breaking_server), timeout=20) as plain:
        plain.sendall(b"GET /agreements.csv HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, body = b"".join(iter(lambda: plain.recv(65536), b"")).partition(b"\r\n\r\n")
    total = int(re.search(rb"X-Total-Rows: (\d+)", head)[1])
    rows = list(csv.reader(io.StringIO(body.decode(), newline="")))[1:]
    assert 0 < len(rows) < total == Agreement.objects.register().count()
    # The place is free again, and a table that is whole says so.
    for _ in range(2 * tables.AT_ONCE):
        with pytest.raises(http.client.IncompleteRead):
            asked("/agreements.csv")
    headers, body = asked("/areas.csv")
    rows = list(csv.reader(io.StringIO(body.decode(), newline="")))[1:]
    assert len(rows) == int(headers["X-Total-Rows"])


def test_too_many_downloads_at_once_are_asked_to_come_again(client):
    under_way = [client.get("/sources.csv") for _ in range(tables.AT_ONCE)]
    assert {response.status_code for response in under_way} == {200}
    for path in ("/agreements.csv", "/agreements.xlsx"):
        response = client.get(path)
        assert response.status_code == 503
        assert response["Retry-After"] == str(tables.RETRY_AFTER)
        assert response["Access-Control-Allow-Origin"] == "*"
        # Kept under the entity tag of the table, it would be answered 304 from then on.
        assert "ETag" not in response
        assert response["Cache-Control"] == "no-store"
        assert client.head(path).status_code == 200
    assert client.get("/agreements/").status_code == 200
    # Read to the end, or thrown away unread: each leaves its place.
    b"".join(under_way.pop())
    assert client.get("/agreements.csv").status_code == 200
    response = None
    under_way.clear()
    gc.collect()
    again = [client.get("/sources.csv") for _ in range(tables.AT_ONCE)]
    assert {response.status_code for response in again} == {200}
