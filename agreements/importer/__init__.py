"""The exact inverse of ``exports``: a register document, a data package or a CSV in, rows out.

``read`` says what a file holds, ``plan`` what it would change, ``Plan.apply`` changes it: all of it
in one transaction, or nothing. A fault is reported with the place it stands in.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from moctracker.collector import uncollected

from ..exports import FORMAT
from ..models import Edition
from .document import Document, ImportRefused, parse, read
from .plan import Change, Planner, Progress, TablePlan
from .restoring import restore
from .writing import write

__all__ = [
    "FORMAT",
    "Change",
    "Document",
    "ImportRefused",
    "Imported",
    "Plan",
    "TablePlan",
    "parse",
    "plan",
    "read",
    "restore",
]


@dataclass
class Imported:
    """How many agreements were added, changed and left as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


class Plan:
    """What a document would change. ``tables`` has the same for ``areas``, ``products``,
    ``agencies`` and ``agreements``."""

    def __init__(self, document: Document, progress: Progress | None = None) -> None:
        """Raises ImportRefused with every fault found."""
        self.document = document
        self.edition = Edition.of_all()
        with uncollected():
            self.tables = Planner(document, progress).run()

    @property
    def added(self) -> list[Change]:
        """The agreements that would be added."""
        return self.tables["agreements"].added

    @property
    def changed(self) -> list[Change]:
        """The agreements that would be changed."""
        return self.tables["agreements"].changed

    @property
    def unchanged(self) -> int:
        """How many agreements the document repeats as they are."""
        return self.tables["agreements"].unchanged

    def apply(
        self, *, reason: str, user: Any = None, name: str = "", progress: Progress | None = None
    ) -> Imported:
        """Write what was planned, and one revision with ``reason`` for each changed agreement.

        New agreements are published. What the public sees or saw is marked as not checked by a
        second person, unless a command loads an empty register. ``user`` makes the change, or
        ``name`` does (a command). ``reason`` is never empty.

        Raises ImportRefused, and writes nothing, if the register has changed since in a way that
        makes the plan another one.
        """
        with uncollected(), transaction.atomic():
            Edition.lock()
            now = self if Edition.of_all() == self.edition else Plan(self.document)
            if now is not self and now.told != self.told:
                raise ImportRefused(
                    ["The register has changed since this was planned. Look at it again."]
                )
            write(now.tables, reason=reason, user=user, name=name, progress=progress)
        return Imported(len(self.added), len(self.changed), self.unchanged)

    @property
    def may_be_cut_short(self) -> str:
        """What speaks for it that a table by itself was cut short at the end of a line, which
        nothing in the file shows: its last record would lose rows. Else empty."""
        if self.document.ends_with is None:
            return ""
        noun, key, relation = self.document.ends_with
        for change in self.tables[noun].changed:
            had, has = (
                len(state.get(relation, ())) for state in (change.before or {}, change.after)
            )
            if change.slug == key and has < had:
                return f"The file ends with {key}, of whose {had} {relation} it has {has}."
        return ""

    @property
    def told(self) -> list[Any]:
        """What a person was shown of the plan."""
        return [change.told for table in self.tables.values() for change in table.changes]


def plan(document: Document, progress: Progress | None = None) -> Plan:
    """What the document would change; writes nothing.

    ``progress`` is called with how many agreements have been compared, and of how many. Raises
    ImportRefused with every fault found.
    """
    return Plan(document, progress)
