"""The public pages. Each starts with ``register()`` and is a few lines over what the rooms below
answer."""

import datetime
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import EmptyPage, Paginator
from django.db.models import Count, Prefetch, Q
from django.http import (
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from .coverage import Commitment, Depth, Stage
from .exports import agreements_csv
from .filters import AgreementFilterSet, DayFilter
from .models import Agency, Agreement, Capacity, ProductCategory, Relation
from .status import Status

PAGE_SIZE = 25


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the register holds, at a glance."""
    register = Agreement.objects.register()
    listed = Agency.objects.taking_part()
    by_stage = register.count_by_stage()
    counts = [(stage, by_stage.get(stage.value, 0)) for stage in Stage]
    staged = register.with_provision(area__stage__in=Stage.values).count()
    total = register.count()
    context = {
        "total": total,
        "agencies": listed.count(),
        "jurisdictions": listed.exclude(jurisdiction="").values("jurisdiction").distinct().count(),
        "stages": counts,
        "most": max(count for _, count in counts),
        "without_stage": total - staged,
        "latest": _ruled(register.newest_first().with_listed()[:5], timezone.localdate()),
    } | _vocabulary()
    return render(request, "agreements/home.html", context)


@require_safe
def agreement_list(request: HttpRequest) -> HttpResponse:
    """The register, narrowed by the query string, 25 a page."""
    question = AgreementFilterSet(request.GET, Agreement.objects.register())
    context: dict[str, Any] = {"question": question, "form": question.form} | _vocabulary()

    def refused(problems: dict[str, list[str]], status: int) -> HttpResponse:
        told = context | {"problems": problems}
        return render(request, "agreements/agreement_list_problem.html", told, status=status)

    if problems := question.problems:
        return refused(problems, 400)
    paginator = Paginator(question.qs.with_listed(), PAGE_SIZE)
    try:
        page = paginator.page(_page_number(request))
    except EmptyPage:
        return refused({"page": [f"The list has {paginator.num_pages} pages."]}, 404)
    except BadRequest as error:
        return refused({"page": [str(error)]}, 400)
    context |= {
        "page": page,
        "pages": paginator.get_elided_page_range(page.number, on_each_side=1),
        "agreements": _ruled(page.object_list, question.day),
        "sentence": question.sentence(paginator.count),
        "applied": list(question.applied()),
    }
    return render(request, "agreements/agreement_list.html", context)


@require_safe
def agreement_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The same agreements in the same order as the list, as one flat table."""
    question = AgreementFilterSet(request.GET, Agreement.objects.register(), paged=False)
    if problems := question.problems:
        lines = (f"{name}: {' '.join(messages)}\n" for name, messages in problems.items())
        return HttpResponse("".join(lines), status=400, content_type="text/plain; charset=utf-8")
    rows = agreements_csv(question.qs, question.day, request.build_absolute_uri("/").rstrip("/"))
    filtered = "-filtered" if question.query_string else ""
    name = f"agreements-{timezone.localdate():%Y-%m-%d}{filtered}.csv"
    return StreamingHttpResponse(
        rows,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_safe
def agreement_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything recorded about one agreement."""
    register = Agreement.objects.register()
    agreement = get_object_or_404(register.with_related(), slug=slug)
    as_of = _as_of(request)
    grid = agreement.grid
    told_from_the_other_side = Relation.objects.filter(
        target=agreement, agreement__in=register
    ).select_related("agreement")
    context = {
        "agreement": agreement,
        "as_of": as_of,
        "ruling": agreement.ruling_on(as_of or timezone.localdate()),
        "grid": grid,
        "staged": [(row.stage, row.whole.provisions) for row in grid.rows if row.whole.provisions],
        "provisions": agreement.provisions.all(),
        "people": [
            (capacity, people)
            for capacity in Capacity
            if (people := [p for p in agreement.signatories.all() if p.capacity == capacity])
        ],
        "inverse_relations": told_from_the_other_side,
        "events": {milestone.kind: milestone for milestone in agreement.milestones.all()},
    } | _vocabulary()
    return render(request, "agreements/agreement_detail.html", context)


@require_safe
def agency_list(request: HttpRequest) -> HttpResponse:
    """Every agency that appears in the register, by jurisdiction."""
    in_register = Q(participations__agreement__in=Agreement.objects.register())
    agencies = Agency.objects.register().annotate(
        agreements=Count("participations", filter=in_register, distinct=True)
    )
    by_place: dict[str, list[Agency]] = {}
    for agency in sorted(agencies, key=lambda agency: agency.name.casefold()):
        by_place.setdefault(str(agency.jurisdiction.name or ""), []).append(agency)
    international = by_place.pop("", [])
    context = {"jurisdictions": sorted(by_place.items()), "international": international}
    return render(request, "agreements/agency_list.html", context)


@require_safe
def agency_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One agency: its names, its kin, its agreements."""
    register = Agency.objects.register()
    related = register.select_related("parent").prefetch_related(
        "names", Prefetch("children", queryset=register)
    )
    agency = get_object_or_404(related, key=key)
    agreements = Agreement.objects.register().with_participant([key]).newest_first().with_listed()
    context = {
        "agency": agency,
        "count": agreements.count(),
        "agreements": _ruled(agreements[:PAGE_SIZE], timezone.localdate()),
    }
    return render(request, "agreements/agency_detail.html", context | _vocabulary())


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """How status and coverage are worked out, and what "not stated" means."""
    return render(request, "agreements/about.html", {"statuses": Status} | _vocabulary())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for an address that means nothing."""
    return render(request, "problem.html", {"message": ""}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a question that cannot be answered."""
    message = str(exception) if isinstance(exception, BadRequest) else "This cannot be answered."
    return render(request, "problem.html", {"message": message}, status=400)


def _ruled(agreements: Any, day: datetime.date) -> list[Agreement]:
    """The agreements as a list, each with its ``ruling`` and ``participants`` on ``day``."""
    ruled = list(agreements)
    for agreement in ruled:
        agreement.ruling = agreement.ruling_on(day)
        agreement.participants = agreement.participations_on(day)
    return ruled


def _vocabulary() -> dict[str, Any]:
    """The words of coverage, for legends and column headings."""
    return {
        "depths": Depth,
        "commitments": Commitment,
        "product_names": dict(ProductCategory.objects.values_list("code", "name")),
    }


def _page_number(request: HttpRequest) -> int:
    """The page asked for, from 1; raises BadRequest when it is no number."""
    text = request.GET.get("page") or "1"
    if not (text.isascii() and text.isdigit()):
        raise BadRequest("The page is a number.")
    # More digits than any list has pages; int() itself would refuse thousands of them.
    return int(text[:9]) or 10**9


def _as_of(request: HttpRequest) -> datetime.date | None:
    """The day in ``as_of``; raises BadRequest when it is no day."""
    field = DayFilter().field
    field.required = False
    try:
        return field.clean(request.GET.get("as_of"))
    except ValidationError as error:
        raise BadRequest("as_of: type a day like 2011-01-31.") from error
