"""Builds a release, if anything public changed since the last."""

import contextlib
import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from ..exports import COLUMN_VERSION, RegisterChanged, package
from ..models import Agreement, Edition
from .changed import changes
from .folder import PREFIX, Release, checksum, free_name, newest

#: Beside the releases, so that a finished file is moved and not copied.
_WORKSHOP = ".building"


class UnderWay(Exception):
    """Another process is building."""


def build(day: datetime.date, base_url: str) -> Release | None:
    """A new release of the public register; None if nothing changed since the last one.

    ``day`` is the day it bears and its statuses are told for, ``base_url`` what its addresses begin
    with. Raises UnderWay, RegisterChanged and OSError; then nothing is left behind.
    """
    with _alone() as workshop:
        edition, last = Edition.current(), newest()
        # Another edition may have the same package; so what has been looked at is noted too, and
        # against which release: the one that was may be taken away or damaged.
        looked_at = workshop / "looked-at.json"
        if last and _read(looked_at) == [edition, day.isoformat(), last.name]:
            return None
        unfinished = workshop / "package.zip"
        try:
            release = _built(unfinished, last, day, base_url, edition)
        finally:
            unfinished.unlink(missing_ok=True)
        if now := release or last:
            _write(looked_at, [edition, day.isoformat(), now.name], workshop)
        return release


def _built(
    file: Path, last: Release | None, day: datetime.date, base_url: str, edition: str
) -> Release | None:
    register = Agreement.objects.register()
    if not last and not register.exists():
        return None
    with file.open("wb") as opened:
        rows = package(register, day, base_url, opened)
        opened.flush()
        os.fsync(opened.fileno())
    if Edition.current() != edition:
        # Something public changed meanwhile: the package may hold half of it.
        raise RegisterChanged
    changed = changes(last.path, file) if last else {}
    if last and not changed:
        return None
    release = Release(
        name=free_name(day),
        day=day.isoformat(),
        size=file.stat().st_size,
        sha256=checksum(file),
        rows=rows,
        columns=COLUMN_VERSION,
        before=last.name if last else "",
        changes=changed,
    )
    file.replace(release.path)
    _write(settings.RELEASES_ROOT / f"{PREFIX}{release.name}.json", release.as_json(), file.parent)
    return release


def _write(path: Path, content: object, workshop: Path) -> None:
    unfinished = workshop / "unfinished.json"
    with unfinished.open("w", encoding="utf-8") as opened:
        opened.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
        opened.flush()
        # Else a power failure can leave the name of the new file with nothing in it.
        os.fsync(opened.fileno())
    unfinished.replace(path)


def _read(path: Path) -> object:
    """What ``_write`` wrote there; None if nothing can be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _alone() -> Iterator[Path]:
    """The folder to work in, for one process at a time; the system lifts the lock of a dead one."""
    workshop = settings.RELEASES_ROOT / _WORKSHOP
    workshop.mkdir(parents=True, exist_ok=True)
    with (workshop / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnderWay from error
        yield workshop
