"""What every process does first, what the environment variables may say, and who can read the
data folder. Each in a process of its own, as an operator starts it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
#: Writes to every place in the data folder, then prints each file and folder that others can read.
WRITE_ALL = """
from pathlib import Path
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
str(settings.SECRET_KEY)
connection.cursor().execute("CREATE TABLE made_up (id)")
default_storage.save("sources/made-up.txt", ContentFile(b"x"))
settings.RELEASES_ROOT.mkdir()
(settings.RELEASES_ROOT / "made-up.zip").write_bytes(b"x")
found = [settings.VAR_DIR, *settings.VAR_DIR.rglob("*")]
names = {path.name for path in found}
assert names > {"secret_key", "moctracker.sqlite3", "moctracker.sqlite3-wal", "made-up.txt"}
print([path.name for path in found if path.stat().st_mode & 0o077])
"""


def started(var, *argv, umask=0o022, **environment):
    """A process in an environment that says nothing but this; its answer."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=PROJECT,
        env={**kept, "MOCTRACKER_VAR": str(var), **environment},
        umask=umask,
        capture_output=True,
        text=True,
    )


def hsts(tmp_path, **environment):
    """What a public site would tell browsers, or what was wrong."""
    ask = "from moctracker import settings as s; print(s.SECURE_HSTS_SECONDS, "
    ask += "s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    done = started(tmp_path, "-c", ask, MOCTRACKER_HOSTS="a.example", **environment)
    return done.stdout + done.stderr


def test_no_other_account_reads_anything_in_the_data_folder(tmp_path):
    done = started(tmp_path / "var", "manage.py", "shell", "--no-imports", "-c", WRITE_ALL)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_a_server_writes_for_its_own_account_only(tmp_path, server):
    ask = f"import os, moctracker.{server}; print(oct(os.umask(0)))"
    assert started(tmp_path, "-c", ask).stdout == "0o77\n"


def test_reading_the_settings_writes_nothing(tmp_path):
    ask = "import django; django.setup()"
    done = started(tmp_path / "var", "-c", ask, DJANGO_SETTINGS_MODULE="moctracker.settings")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "var").exists()


def test_processes_that_start_together_have_one_key(tmp_path):
    ask = "from moctracker import settings; print(settings.SECRET_KEY)"
    with ThreadPoolExecutor(4) as pool:
        keys = {done.stdout for done in pool.map(lambda _: started(tmp_path, "-c", ask), range(4))}
    assert keys == {(tmp_path / "secret_key").read_text() + "\n"}
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_data_folder_that_cannot_be_made_is_one_plain_sentence(tmp_path):
    (tmp_path / "made-up").write_text("")
    done = started(tmp_path / "made-up" / "var", "manage.py", "migrate")
    assert done.returncode == 1
    assert done.stderr == (
        f"The settings cannot be used: {tmp_path / 'made-up' / 'var'}: Not a directory.\n"
    )


YEAR = {"MOCTRACKER_HSTS": "31536000"}
SUBDOMAINS = {"MOCTRACKER_HSTS_SUBDOMAINS": "1"}
PRELOAD = {"MOCTRACKER_HSTS_PRELOAD": "1"}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "3600 False False"),
        ({"MOCTRACKER_HSTS": "0"}, "0 False False"),
        (YEAR | SUBDOMAINS, "31536000 True False"),
        (YEAR | SUBDOMAINS | PRELOAD, "31536000 True True"),
    ],
)
def test_a_public_site_binds_browsers_to_https_only_as_far_as_the_operator_says(
    tmp_path, environment, told
):
    assert hsts(tmp_path, **environment) == told + "\n"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MOCTRACKER_HSTS": "a year"}, "MOCTRACKER_HSTS must be a number from 0 to 63,072,000"),
        ({"MOCTRACKER_HSTS": "9" * 5000}, "MOCTRACKER_HSTS must be a number from 0 to"),
        ({"MOCTRACKER_HSTS_SUBDOMAINS": "yes"}, "MOCTRACKER_HSTS_SUBDOMAINS must be 1 or 0"),
        (YEAR | PRELOAD, "MOCTRACKER_HSTS_PRELOAD=1 needs"),
        (SUBDOMAINS | PRELOAD, "MOCTRACKER_HSTS_PRELOAD=1 needs"),
    ],
)
def test_an_hsts_setting_that_cannot_be_meant_is_refused(tmp_path, environment, said):
    assert said in hsts(tmp_path, **environment)
