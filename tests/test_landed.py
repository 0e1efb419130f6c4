"""Landed migrations never change."""

import re
import subprocess

import pytest

from tests import landed


def test_no_landed_migration_was_changed_or_removed():
    assert landed.faults() == []


def test_no_line_of_the_checksums_was_ever_altered():
    """Whoever changes a migration and its line together is found by the history of the file."""
    # Along the main line: what a branch tried before it was merged has not landed.
    log = ["git", "log", "--first-parent", "--diff-merges=first-parent", "--patch", "--format="]
    log += ["--", str(landed.SUMS)]
    told = subprocess.run(log, cwd=landed.PROJECT, capture_output=True, text=True)
    assert [line for line in told.stdout.splitlines() if re.match(r"-[0-9a-f]{64}  ", line)] == []


def test_every_migration_is_held_from_the_day_it_lands():
    missing = sorted(set(landed.present()) - set(landed.landed()))
    assert missing == [], "once they are final, run: python -m tests.landed"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A made-up folder of one landed migration."""
    monkeypatch.setattr(landed, "FOLDER", tmp_path)
    monkeypatch.setattr(landed, "SUMS", tmp_path / "sums")
    (tmp_path / "sums").write_text("")
    (tmp_path / "0001_made_up.py").write_text("first")
    landed.add()
    return tmp_path


def test_a_new_migration_is_added_and_no_line_is_altered(folder):
    before = landed.SUMS.read_text()
    (folder / "0002_made_up.py").write_text("second")
    landed.add()
    assert landed.SUMS.read_text().startswith(before)
    assert list(landed.landed()) == ["0001_made_up.py", "0002_made_up.py"]


def test_a_changed_or_removed_migration_is_named_and_nothing_is_added(folder):
    before = landed.SUMS.read_text()
    (folder / "0002_made_up.py").write_text("second")
    (folder / "0001_made_up.py").write_text("other")
    with pytest.raises(SystemExit, match=r"^0001_made_up.py has landed and was changed"):
        landed.add()
    (folder / "0001_made_up.py").unlink()
    with pytest.raises(SystemExit, match=r"^0001_made_up.py has landed and was removed"):
        landed.add()
    assert landed.SUMS.read_text() == before
