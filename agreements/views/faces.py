"""The faces for programs: the same questions as the pages, answered as data."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..citations import bibtex, csl_json
from ..exports import coverage_table, inverse_relation, told_record
from ..feeds import agreements_atom, agreements_ics
from ..filters import AgreementFilterSet
from ..models import Agreement
from .parts import (
    Refusal,
    day_asked,
    elsewhere,
    only,
    page_asked,
    question_asked,
    site_url,
    told_from_the_other_side,
    tombstone,
)

RECORDS_A_PAGE = 100

View = Callable[..., Any]


def face(view: View) -> View:
    """A read-only face that any site's scripts may read, and whose refusals are as plain."""

    @require_safe
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            response = view(request, *args, **kwargs)
        except Refusal as refusal:
            response = _refused(request, refusal)
        except Http404:
            nothing = {"address": ["No record of the register has this address."]}
            response = _refused(request, Refusal(nothing, 404))
        response["Access-Control-Allow-Origin"] = "*"
        return response

    return answer


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    if request.path.endswith("json"):
        return _json({"problems": refusal.problems}, status=refusal.status)
    return _text(f"{refusal}\n", status=refusal.status)


def _json(data: dict[str, Any], **options: Any) -> JsonResponse:
    return JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 1}, **options)


def _text(text: str, **options: Any) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8", **options)


def _file(content: Any, content_type: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


def _address(request: HttpRequest, name: str, question: AgreementFilterSet, page: int = 1) -> str:
    """The absolute address of another face of the same question."""
    query = question.query_string + (f"&page={page}" if page > 1 else "")
    return site_url(request) + reverse(name) + (f"?{query.removeprefix('&')}" if query else "")


def _title(question: AgreementFilterSet) -> str:
    """The question written back, with the day if it is not today's."""
    words = question.sentence
    return f"{words}, as of {question.past_day:%Y-%m-%d}" if question.past_day else words


@face
def agreement_json(request: HttpRequest) -> HttpResponse:
    """The same agreements in the same order as the list, as whole records, a page at a time."""
    question = question_asked(request, "page")
    page = page_asked(request, question.qs.with_related(), RECORDS_A_PAGE)

    def neighbour(there: bool, number: int) -> str | None:
        return _address(request, "agreement-json", question, number) if there else None

    return _json(
        {
            "sentence": question.sentence,
            "day": question.day.isoformat(),
            "count": page.paginator.count,
            "page": page.number,
            "pages": page.paginator.num_pages,
            "previous": neighbour(page.has_previous(), page.number - 1),
            "next": neighbour(page.has_next(), page.number + 1),
            "agreements": [told_record(a, question.day, site_url(request)) for a in page],
        }
    )


@face
def agreement_atom(request: HttpRequest) -> HttpResponse:
    """What changed last among the agreements of the list."""
    question = question_asked(request)
    feed = agreements_atom(
        question.qs,
        question.day,
        base_url=site_url(request),
        title=_title(question),
        page_url=_address(request, "agreement-list", question),
        feed_url=_address(request, "agreement-atom", question),
    )
    return HttpResponse(feed, content_type="application/atom+xml; charset=utf-8")


@face
def agreement_ics(request: HttpRequest) -> HttpResponse:
    """When the agreements of the list fall due, as a calendar."""
    question = question_asked(request)
    content = agreements_ics(
        question.qs, question.day, base_url=site_url(request), title=_title(question)
    )
    return _file(content, "text/calendar; charset=utf-8", "agreements.ics")


@face
def record_json(request: HttpRequest, slug: str) -> HttpResponse:
    """One record as it is exported, with its status, its coverage and what others say of it."""
    only(request, "as_of")
    day = day_asked(request) or timezone.localdate()
    agreement = Agreement.objects.register().with_related().filter(slug=slug).first()
    if agreement is None:
        return elsewhere(request, slug, _json_tombstone)
    inverse = told_from_the_other_side(agreement)
    return _json(
        told_record(agreement, day, site_url(request))
        | {
            "coverage": coverage_table(agreement.grid),
            "inverse_relations": [inverse_relation(relation) for relation in inverse],
        }
    )


def _json_tombstone(request: HttpRequest, gone: Agreement, status: int) -> HttpResponse:
    told = tombstone(gone)
    into = told.pop("merged_into")
    told["merged_into"] = site_url(request) + into.get_absolute_url() if into else None
    return _json({"slug": gone.slug, "withdrawn": told}, status=status)


def _citation(request: HttpRequest, slug: str, content_type: str, write: Callable) -> HttpResponse:
    """One record's citation as a file; a withdrawn record is cited no more."""
    only(request)
    agreement = Agreement.objects.register().with_related().filter(slug=slug).first()
    if agreement is None:
        return elsewhere(request, slug, _gone)
    url = site_url(request) + agreement.get_absolute_url()
    content = write(agreement, url, timezone.localdate())
    return _file(content, content_type, request.path.rpartition("/")[2])


def _gone(request: HttpRequest, gone: Agreement, status: int) -> HttpResponse:
    return _text(f"This record has been withdrawn: {gone.withdrawal_reason}\n", status=410)


@face
def record_bib(request: HttpRequest, slug: str) -> HttpResponse:
    """The record as a BibTeX entry."""
    return _citation(request, slug, "application/x-bibtex; charset=utf-8", bibtex)


@face
def record_csl(request: HttpRequest, slug: str) -> HttpResponse:
    """The record as CSL-JSON, which reference managers read."""
    return _citation(request, slug, "application/vnd.citationstyles.csl+json", csl_json)
