"""The benchmark still fits the application: what it makes up is a register, and its yardstick asks
for the columns of the flat table."""

import json
import random
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from agreements.models import Agreement
from tests.bench import desk, edits, importing, register, tables  # noqa: F401
from tests.make import import_register

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def made_up(empty_register):
    register.fill(40)


def test_a_made_up_register_is_one_that_could_be_imported(made_up):
    edits.EDITS["a new record"](0, random.Random(1))  # noqa: S311
    exported = StringIO()
    call_command("export_register", stdout=exported)
    result = import_register(json.loads(exported.getvalue()), reason="Made up.")
    assert (result.added, result.changed, result.unchanged) == (0, 0, 41)


def test_the_joined_query_has_a_row_for_each_record_and_its_columns(made_up, client):
    answer = client.get(tables.PATH).getvalue().decode("utf-8-sig")
    header = answer.splitlines()[0].split(",")
    with connection.cursor() as cursor:
        cursor.execute(tables.joined_query(header))
        rows = cursor.fetchall()
    assert sorted(row[0] for row in rows) == sorted(
        Agreement.objects.published().values_list("slug", flat=True)
    )
    assert {len(row) for row in rows} == {len(header)}
    parties = header.index("participants")
    assert all(" | " in row[parties] for row in rows)
