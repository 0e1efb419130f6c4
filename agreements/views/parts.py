"""What several pages ask and show."""

import datetime
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest

from ..coverage import Commitment, Depth
from ..filters import DayFilter
from ..models import Agreement, ProductCategory

PAGE_SIZE = 25


def ruled(agreements: Any, day: datetime.date) -> list[Agreement]:
    """The agreements as a list, each with its ``ruling`` and ``participants`` on ``day``."""
    ruled = list(agreements)
    for agreement in ruled:
        agreement.ruling = agreement.ruling_on(day)
        agreement.participants = agreement.participations_on(day)
    return ruled


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
