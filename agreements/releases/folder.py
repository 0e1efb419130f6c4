"""The folder of releases: for each a ZIP and, beside it, a small JSON that says what it is.

A release is there once its JSON is. Both are written elsewhere and moved here whole, the JSON
last, so that nobody ever reads half of one. A ZIP that the operator has taken away leaves its JSON:
the release is then told of, and no longer offered. So is one whose ZIP a disk has damaged. A JSON
that cannot be read is left out. The log names what is damaged.
"""

import datetime
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from .changed import MOVED

logger = logging.getLogger(__name__)

PREFIX = "moctracker-"
#: The day, and a number where it is not the first of its day.
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(?:-([1-9]\d{0,3}))?", re.ASCII)


@dataclass(frozen=True)
class Release:
    """One release. ``changes`` has, for each of agreements, agencies, areas and products, the rows
    ``added``, ``changed`` (each with ``what``, in words) and ``withdrawn``, by id, key or code;
    it is empty in the first release. ``columns`` is the version of the columns."""

    name: str
    day: str
    size: int
    sha256: str
    rows: dict[str, int]
    columns: int
    before: str = ""
    changes: dict[str, dict[str, list[dict[str, str]]]] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Under which name it is downloaded."""
        return f"{PREFIX}{self.name}.zip"

    @property
    def path(self) -> Path:
        """Where its ZIP lies."""
        return settings.RELEASES_ROOT / self.file_name

    @property
    def offered(self) -> bool:
        """Whether its ZIP can be had, whole."""
        return self.path.is_file() and not self.damaged

    @property
    def damaged(self) -> bool:
        """Whether a file lies in the place of its ZIP that is not the one that was built."""
        try:
            found = self.path.stat()
            return not _is_whole(self.path, found.st_size, found.st_mtime_ns, self.sha256)
        except FileNotFoundError:
            return False
        except OSError as error:
            logger.warning("The release %s cannot be read: %s.", self.file_name, error.strerror)
            return True

    @property
    def date(self) -> datetime.date:
        """Its day."""
        return datetime.date.fromisoformat(self.day)

    @property
    def total_rows(self) -> int:
        """The rows of all its tables."""
        return sum(self.rows.values())

    @property
    def counts(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """How many rows were added, changed and withdrawn, by noun; what is none is left out."""
        return [
            (noun, [(kind, len(rows)) for kind, rows in kinds.items() if rows])
            for noun, kinds in self.changes.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """What is kept beside the ZIP, and what programs are told."""
        return asdict(self)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1024)
def _is_whole(path: Path, size: int, changed: int, sha256: str) -> bool:
    """Whether a file has this checksum. It is read, and damage told, once for each ``size`` in
    bytes and time ``changed`` in nanoseconds: a large file is not read at each request."""
    whole = checksum(path) == sha256
    if not whole:
        logger.warning("The release %s is damaged: its checksum is another one.", path.name)
    return whole


def _order(name: str) -> tuple[str, int]:
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2] or 1)) if found else ("", 0)


def every() -> list[str]:
    """The names of all releases, newest first."""
    names = (path.stem.removeprefix(PREFIX) for path in settings.RELEASES_ROOT.glob("*.json"))
    return sorted(filter(_NAME.fullmatch, names), key=_order, reverse=True)


def named(name: str) -> Release | None:
    """The release of this name, if there is one that can be read."""
    if not _NAME.fullmatch(name):
        return None
    path = settings.RELEASES_ROOT / f"{PREFIX}{name}.json"
    try:
        return Release(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("The release file %s cannot be read: %s.", path.name, error)
        return None


def newest() -> Release | None:
    """The newest release that is offered."""
    for name in every():
        release = named(name)
        if release and release.offered:
            return release
    return None


def mark() -> str:
    """A digest of the names in the folder: another one after each release, and the same on every
    machine that has the same releases."""
    try:
        return _names(settings.RELEASES_ROOT, settings.RELEASES_ROOT.stat().st_mtime_ns)
    except FileNotFoundError:
        return ""


# The folder is looked into only where its time says that something came or went.
@lru_cache(maxsize=1)
def _names(folder: Path, changed: int) -> str:
    return hashlib.sha256("\n".join(sorted(os.listdir(folder))).encode()).hexdigest()


def withdrawn_since(release: Release) -> list[dict[str, str]]:
    """The agreements of a release that a later release no longer has: by their last ``id``, and
    ``what`` the release itself calls one that moved before it went."""
    later = [name for name in every() if _order(name) > _order(release.name)]
    gone: dict[str, dict[str, str]] = {}
    came: set[str] = set()
    called: dict[str, str] = {}
    for told in _told(reversed(later)):
        for row in told["changed"]:
            former = row["what"].partition(";")[0]
            if not former.startswith(MOVED):
                continue
            former = former.removeprefix(MOVED)
            if former in came:
                came.add(row["id"])
            else:
                called[row["id"]] = called.pop(former, former)
        for row in told["added"]:
            if row["id"] in gone:
                del gone[row["id"]]
            else:
                came.add(row["id"])
        for row in told["withdrawn"]:
            key = row["id"]
            if key in came:
                came.discard(key)
            else:
                gone[key] = {"id": key}
                if key in called:
                    gone[key]["what"] = f"here {called[key]}"
    return list(gone.values())


def _told(names: Iterator[str]) -> Iterator[dict[str, list[dict[str, str]]]]:
    for name in names:
        release = named(name)
        if release and "agreements" in release.changes:
            yield release.changes["agreements"]


def free_name(day: datetime.date) -> str:
    """The name of the next release of a day."""
    today = [_order(name) for name in every() if name.startswith(day.isoformat())]
    return f"{day.isoformat()}-{today[0][1] + 1}" if today else day.isoformat()
