"""What several pages ask and show."""

import datetime
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest

from ..coverage import Change, ChangeKind, Commitment, Depth, changes
from ..filters import DayFilter
from ..models import Agreement, ProductCategory, Provision, RelationKind

PAGE_SIZE = 25


def ruled(agreements: Any, day: datetime.date) -> list[Agreement]:
    """The agreements as a list, each with its ``ruling`` and ``participants`` on ``day``."""
    ruled = list(agreements)
    for agreement in ruled:
        agreement.ruling = agreement.ruling_on(day)
        agreement.participants = agreement.participations_on(day)
    return ruled


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


def vocabulary() -> dict[str, Any]:
    """The words of coverage, for legends and column headings."""
    return {
        "depths": Depth,
        "commitments": Commitment,
        "product_names": dict(ProductCategory.objects.values_list("code", "name")),
    }


def page_number(request: HttpRequest) -> int:
    """The page asked for, from 1; raises BadRequest when it is no number."""
    text = request.GET.get("page") or "1"
    if not (text.isascii() and text.isdigit()):
        raise BadRequest("The page is a number.")
    # More digits than any list has pages; int() itself would refuse thousands of them.
    return int(text[:9]) or 10**9


def day_asked(request: HttpRequest) -> datetime.date | None:
    """The day in ``as_of``; raises BadRequest when it is no day."""
    field = DayFilter().field
    field.required = False
    try:
        return field.clean(request.GET.get("as_of"))
    except ValidationError as error:
        raise BadRequest("as_of: type a day like 2011-01-31.") from error
