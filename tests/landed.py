"""Landed migrations never change: each has its checksum in ``tests/data/migrations.sha256``.

    python -m tests.landed          add the migrations that have none yet

Whoever has run a migration does not run it again: a change in it reaches new databases only, and
the others fail later, or lose what the next one expects. So no line of the file ever changes.
"""

import hashlib
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SUMS = PROJECT / "tests" / "data" / "migrations.sha256"
FOLDER = PROJECT / "agreements" / "migrations"


def landed() -> dict[str, str]:
    """The checksum of each landed migration, by the name of its file."""
    lines = (line.split("  ") for line in SUMS.read_text().splitlines())
    return {Path(path).name: digest for digest, path in lines}


def present() -> dict[str, str]:
    """The checksum of each migration as it is now."""
    files = sorted(FOLDER.glob("[0-9]*.py"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def faults() -> list[str]:
    """A sentence for each landed migration that was changed or removed."""
    now = present()
    return [
        f"{name} has landed and was {'changed' if name in now else 'removed'}: put it back, and "
        "write a new migration."
        for name, digest in landed().items()
        if now.get(name) != digest
    ]


def add() -> None:
    """Add the checksums that are missing. Exits with the faults, and adds nothing, if there are
    any."""
    if found := faults():
        raise SystemExit("\n".join(found))
    known = landed()
    with SUMS.open("a") as file:
        for name, digest in present().items():
            if name not in known:
                file.write(f"{digest}  agreements/migrations/{name}\n")


if __name__ == "__main__":
    add()
