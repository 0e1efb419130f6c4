"""What an agreement changes about an earlier one, for the page of a record and of a pair."""

from collections.abc import Iterable
from typing import NamedTuple

from ..models import Agreement, Provision, RelationKind
from ..rules.comparison import Change, ChangeKind, changes


class Comparison(NamedTuple):
    """What one agreement changes about an earlier one. ``silent`` is the one of which no provision
    is recorded, so that there is nothing to compare."""

    kind: RelationKind
    agreement: Agreement
    earlier: Agreement
    changes: list[Change]
    silent: Agreement | None = None


def comparison(
    kind: RelationKind,
    agreement: Agreement,
    earlier: Agreement,
    before: Iterable[Provision],
    after: Iterable[Provision],
    product_order: Iterable[str],
) -> Comparison:
    """Compare two sets of provisions. Unless it replaces the earlier agreement, that one still
    stands, so nothing is lessened or dropped by what the later does not say."""
    before, after = list(before), list(after)
    if not (before and after):
        return Comparison(kind, agreement, earlier, [], agreement if before else earlier)
    found = changes(before, after, list(product_order))
    if not kind.replaces:
        losses = (ChangeKind.LESSENED, ChangeKind.NO_LONGER_STATED)
        found = [change for change in found if change.kind not in losses]
    return Comparison(kind, agreement, earlier, found)


def comparable(kind: str) -> bool:
    """Whether a relation of this kind asks what the later agreement changes."""
    return kind != RelationKind.PART_OF
