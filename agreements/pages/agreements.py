"""The list of agreements and the page of one agreement."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..faces.asked import (
    Refusal,
    day_asked,
    elsewhere,
    page_asked,
    site_url,
    tombstone,
)
from ..faces.citations import bibtex, csl_json, linked_data, plain_citation
from ..faces.listed import listed, marked
from ..models import Agreement, Capacity, RelationKind
from ..question import AgreementFilterSet, current
from .comparison import comparable, comparison

#: Agreements on a page of the list.
PAGE_SIZE = 25


@require_safe
def agreement_list(request: HttpRequest) -> HttpResponse:
    """The register, narrowed by the query string, 25 a page."""
    question = AgreementFilterSet(request.GET, Agreement.objects.register(), "page", "expand")
    context: dict[str, Any] = {"question": question, "form": question.form}

    def refused(problems: dict[str, list[str]], status: int) -> HttpResponse:
        told = context | {"problems": problems}
        return render(request, "agreements/list/list_problem.html", told, status=status)

    if problems := question.problems:
        return refused(problems, 400)
    try:
        page = page_asked(request, question.ids, PAGE_SIZE)
    except Refusal as refusal:
        return refused(refusal.problems, refusal.status)
    address = question.canonical(page.number)
    if address != parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True):
        return redirect(f"{request.path}?{urlencode(address)}" if address else request.path)
    shown = listed(question.register, page.object_list, question.day)
    context |= {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1),
        "agreements": marked(shown, question.asked["q"]),
        "applied": list(question.applied()),
    }
    return render(request, "agreements/list/list.html", context)


@require_safe
def agreement_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything recorded about one agreement."""
    register = Agreement.objects.register()
    related = register.with_related().with_compared()
    agreement = related.prefetch_related("participations__agency__names").filter(slug=slug).first()
    if agreement is None:
        return elsewhere(request, slug, withdrawn)
    return render(request, "agreements/record/detail.html", record_context(request, agreement))


def record_context(request: HttpRequest, agreement: Agreement) -> dict[str, Any]:
    """What the page of a public record tells; raises Refusal for a day that is none."""
    as_of = day_asked(request)
    day = as_of or timezone.localdate()
    grid = agreement.grid
    lineage = Agreement.objects.lineage_of(agreement)
    product_names = dict(current().products)
    context = {
        "agreement": agreement,
        "as_of": as_of,
        "day": day,
        "ruling": agreement.ruling_on(day),
        "participants": agreement.participations_on(day),
        "grid": grid,
        "staged": [(row.stage, row.whole.provisions) for row in grid.rows if row.whole.provisions],
        "provisions": agreement.provisions.all(),
        "people": [
            (capacity, people)
            for capacity in Capacity
            if (people := [p for p in agreement.signatories.all() if p.capacity == capacity])
        ],
        "lineage": lineage,
        "relations": [r for r in lineage if r.agreement == agreement],
        "inverse_relations": [r for r in lineage if r.target == agreement],
        "further_relations": [r for r in lineage if agreement not in (r.agreement, r.target)],
        "comparisons": [
            comparison(
                RelationKind(relation.kind),
                agreement,
                relation.target,
                relation.target.provisions.all(),
                agreement.provisions.all(),
                product_names,
            )
            for relation in agreement.public_relations
            if relation.target and comparable(relation.kind)
        ],
        "product_names": product_names,
        "events": {milestone.kind: milestone for milestone in agreement.milestones.all()},
    }
    return context | _cited(request, agreement)


def _cited(request: HttpRequest, agreement: Agreement) -> dict[str, Any]:
    """The record as others name it."""
    url, today = site_url(request) + agreement.get_absolute_url(), timezone.localdate()
    return {
        "citation": plain_citation(agreement, url, today),
        "bibtex": bibtex(agreement, url, today),
        "csl_json": csl_json(agreement, url, today),
        "linked_data": linked_data(agreement, url, site_url(request) + "/"),
    }


def withdrawn(request: HttpRequest, gone: Agreement, status: int) -> HttpResponse:
    """The page that says of a withdrawn record that it was withdrawn, and nothing else of it."""
    context = tombstone(gone) | {
        "kind": gone.get_withdrawal_kind_display(),
        "withdrawn_on": gone.withdrawn_on,
        "former": [reverse("agreement-detail", args=[old.slug]) for old in gone.former_slugs.all()],
    }
    return render(request, "agreements/record/withdrawn.html", context, status=status)
