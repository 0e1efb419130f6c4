"""What faces and pages alike read from a request, and what they say when they cannot answer it."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import EmptyPage, Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import pluralize
from django.urls import reverse

from ..models import Agreement
from ..question import AgreementFilterSet, DayFilter, shown


class Refusal(BadRequest):
    """A question that cannot be answered. ``problems`` says what is wrong, by parameter."""

    def __init__(self, problems: dict[str, list[str]], status: int = 400) -> None:
        self.problems, self.status = problems, status
        super().__init__("\n".join(f"{name}: {' '.join(told)}" for name, told in problems.items()))


def question_asked(request: HttpRequest, *others: str) -> AgreementFilterSet:
    """The question of the query string to the register; raises Refusal.

    ``others`` are the parameters that this face takes besides: ``page``.
    """
    question = AgreementFilterSet(request.GET, Agreement.objects.register(), *others)
    if problems := question.problems:
        raise Refusal(problems)
    return question


def only(request: HttpRequest, *names: str) -> None:
    """Raise Refusal for a parameter that is not among ``names`` or is given twice."""
    told = {False: "There is no such parameter.", True: "Give it once."}
    problems = {
        shown(name): [told[name in names]]
        for name, values in request.GET.lists()
        if name not in names or len(values) > 1
    }
    if problems:
        raise Refusal(problems)


def page_asked(request: HttpRequest, rows: Sequence[Any] | QuerySet[Any], size: int) -> Page[Any]:
    """The page of ``rows`` asked for in ``page``, from 1; raises Refusal."""
    paginator: Paginator[Any] = Paginator(rows, size)
    text = request.GET.get("page", "1")
    if not (text.isascii() and text.isdigit()):
        raise Refusal({"page": ["The page is a number."]})
    try:
        # More digits than any list has pages; int() itself would refuse thousands of them.
        return paginator.page(int(text[:9]) or 10**9)
    except EmptyPage as error:
        pages = paginator.num_pages
        problem = f"The list has {pages} page{pluralize(pages)}."
        raise Refusal({"page": [problem]}, status=404) from error


def day_asked(request: HttpRequest) -> datetime.date | None:
    """The day in ``as_of``; raises Refusal when it is no day."""
    field = DayFilter().field
    field.required = False
    try:
        day: datetime.date | None = field.clean(request.GET.get("as_of"))
    except ValidationError as error:
        raise Refusal({"as_of": error.messages}) from error
    return day


def site_url(request: HttpRequest) -> str:
    """Scheme and host, to which an absolute path is joined."""
    return request.build_absolute_uri("/").rstrip("/")


def elsewhere(
    request: HttpRequest,
    slug: str,
    withdrawn: Callable[[HttpRequest, Agreement, int], HttpResponse],
) -> HttpResponse:
    """The answer for an address at which no public record stands.

    A record that was withdrawn says so, by ``withdrawn``: 200 if another now holds its content,
    else 410. A former address leads to the present one, also of what was withdrawn since. All
    else, drafts too, raises Http404.
    """
    gone = Agreement.objects.withdrawn().filter(slug=slug).select_related("merged_into").first()
    if gone:
        return withdrawn(request, gone, 200 if gone.withdrawal_kind == "merged" else 410)
    answering = Agreement.objects.register().or_withdrawn()
    moved = get_object_or_404(answering, former_slugs__slug=slug)
    match: Any = request.resolver_match
    query = request.META.get("QUERY_STRING", "")
    address = reverse(match.view_name, args=[moved.slug])
    return HttpResponsePermanentRedirect(address + (f"?{query}" if query else ""))


def tombstone(gone: Agreement) -> dict[str, Any]:
    """All that may be told of a withdrawn record."""
    into = gone.merged_into
    return {
        "on": gone.withdrawn_on.isoformat() if gone.withdrawn_on else None,
        "kind": gone.withdrawal_kind,
        "reason": gone.withdrawal_reason,
        "merged_into": into if into and into.public else None,
    }
