"""The list of agreements, its other faces, and the page of one agreement."""

from typing import Any

from django.core.exceptions import BadRequest
from django.core.paginator import EmptyPage, Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..exports import agreements_csv
from ..filters import AgreementFilterSet
from ..models import Agreement, Capacity, Relation, RelationKind
from .parts import (
    PAGE_SIZE,
    comparable,
    comparison,
    day_asked,
    page_number,
    ruled,
    vocabulary,
)


@require_safe
def agreement_list(request: HttpRequest) -> HttpResponse:
    """The register, narrowed by the query string, 25 a page."""
    question = AgreementFilterSet(request.GET, Agreement.objects.register())
    context: dict[str, Any] = {"question": question, "form": question.form} | vocabulary()

    def refused(problems: dict[str, list[str]], status: int) -> HttpResponse:
        told = context | {"problems": problems}
        return render(request, "agreements/agreement_list_problem.html", told, status=status)

    if problems := question.problems:
        return refused(problems, 400)
    paginator = Paginator(question.qs.with_listed(), PAGE_SIZE)
    try:
        page = paginator.page(page_number(request))
    except EmptyPage:
        return refused({"page": [f"The list has {paginator.num_pages} pages."]}, 404)
    except BadRequest as error:
        return refused({"page": [str(error)]}, 400)
    context |= {
        "page": page,
        "pages": paginator.get_elided_page_range(page.number, on_each_side=1),
        "agreements": ruled(page.object_list, question.day),
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
    agreement = get_object_or_404(register.with_related().with_compared(), slug=slug)
    as_of = day_asked(request)
    grid = agreement.grid
    told_from_the_other_side = Relation.objects.filter(
        target=agreement, agreement__in=register
    ).select_related("agreement")
    words = vocabulary()
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
        "comparisons": [
            comparison(
                RelationKind(relation.kind),
                agreement,
                relation.target,
                relation.target.provisions.all(),
                agreement.provisions.all(),
                words["product_names"],
            )
            for relation in agreement.public_relations
            if relation.target and comparable(relation.kind)
        ],
        "events": {milestone.kind: milestone for milestone in agreement.milestones.all()},
    } | words
    return render(request, "agreements/agreement_detail.html", context)
