"""A full disk or a busy database is told as what it is, and nothing is changed."""

import errno
import json
import sqlite3
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.test import Client

from agreements import releases
from agreements.faces.storage_errors import FULL as FULL_DISK
from agreements.faces.storage_errors import storage_fault, unavailable
from tests.signing_in import PASSWORD, give_password

pytestmark = [pytest.mark.django_db, pytest.mark.database]


class Driver(Exception):
    """What either driver says of itself."""

    def __init__(self, **codes):
        super().__init__("Made up.")
        vars(self).update(codes)


BUSY = [{"sqlite_errorcode": 5}, {"sqlite_errorcode": 517}, {"sqlstate": "55P03"}]
FULL = [{"sqlite_errorcode": 13}, {"sqlstate": "53100"}]


def refusing(table, codes):
    """Every write to this table fails with what the driver says."""

    real = CursorWrapper._execute

    def execute(cursor, sql, params, *args):
        if table in sql and not sql.startswith("SELECT"):
            raise OperationalError("Made up.") from Driver(**codes)
        return real(cursor, sql, params, *args)

    return patch.object(CursorWrapper, "_execute", execute)


@pytest.fixture
def visitor():
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("codes", "told", "wait"),
    [(codes, "the database is busy", "30") for codes in BUSY]
    + [(codes, "the disk is full", "600") for codes in FULL],
)
@pytest.mark.parametrize("table", ["moctracker_cache", "django_session"])
def test_signing_in_while_nothing_can_be_written_is_no_lockout(
    visitor, staff, table, codes, told, wait
):
    with refusing(table, codes):
        answer = give_password(visitor)
    assert answer.status_code == 503
    assert answer["Retry-After"] == wait
    assert told in answer.content.decode()
    assert give_password(visitor).url == "/admin/"


@pytest.mark.parametrize("codes", [BUSY[0], FULL[1]])
def test_a_session_that_cannot_be_saved_is_not_taken_for_a_deleted_one(visitor, staff, codes):
    give_password(visitor)
    session = visitor.session
    session["last_seen"] = 0
    session.save()
    with refusing("django_session", codes):
        answer = visitor.get("/admin/")
    assert answer.status_code == 503
    assert "may or may not have been saved" in answer.content.decode()
    assert visitor.get("/admin/").status_code == 200


def test_a_record_that_cannot_be_saved_is_told_so_and_any_other_error_is_not(visitor, staff):
    visitor.force_login(staff)
    typed = {"name": "Made-up role"}
    with refusing("auth_group", FULL[0]):
        assert visitor.post("/admin/auth/group/add/", typed).status_code == 503
    with refusing("auth_group", {"sqlite_errorcode": 1, "sqlstate": "42P01"}):
        assert visitor.post("/admin/auth/group/add/", typed).status_code == 500


def test_a_record_that_was_saved_before_its_session_was_not_is_not_said_to_be_lost(visitor, staff):
    visitor.force_login(staff)
    session = visitor.session
    session["last_seen"] = 0
    session.save()
    with refusing("django_session", BUSY[0]):
        answer = visitor.post("/admin/auth/group/add/", {"name": "Made-up role"})
    assert Group.objects.filter(name="Made-up role").exists()
    assert "check whether it was saved" in answer.content.decode()


def test_the_public_and_programs_are_told_to_try_again_and_no_more(visitor, rf):
    page = unavailable(rf.get("/agreements/"), FULL_DISK).content.decode()
    assert "Try again in a few minutes" in page
    assert "disk" not in page
    face = unavailable(rf.get("/agreements.json"), FULL_DISK)
    assert (face.status_code, face["Retry-After"]) == (503, "600")
    assert json.loads(face.content)["status"] == 503
    assert face["Access-Control-Allow-Origin"] == "*"


def test_an_error_of_ours_that_hides_a_lock_is_still_an_error_of_ours():
    def fail():
        try:
            raise OperationalError from Driver(sqlite_errorcode=5)
        except OperationalError:
            raise ValueError("Ours.") from None

    with pytest.raises(ValueError, match="Ours") as ours:
        fail()
    assert storage_fault(ours.value) == ""


def test_a_count_that_cannot_be_written_is_an_error_and_one_that_is_there_is_not():
    assert cache.add("made-up", 1)
    assert not cache.add("made-up", 2)
    for write in (cache.add, cache.set):
        with refusing("moctracker_cache", FULL[0]), pytest.raises(OperationalError):
            write("made-up-other", 1)
    assert cache.get("made-up-other") is None


@pytest.mark.skipif(connection.vendor != "sqlite", reason="It is SQLite that locks the whole file")
@pytest.mark.django_db(transaction=True)
def test_a_correct_password_during_a_lock_of_sqlite_gets_503(visitor, staff):
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = give_password(visitor, password=PASSWORD)
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert answer.status_code == 503
    assert give_password(visitor).url == "/admin/"


def test_a_release_for_which_there_is_no_room_names_the_folder(settings, monkeypatch, tmp_path):
    settings.RELEASES_ROOT = tmp_path

    def no_room(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(releases, "build", no_room)
    with pytest.raises(CommandError, match=f"{tmp_path}: No space left on device."):
        call_command("build_package")
