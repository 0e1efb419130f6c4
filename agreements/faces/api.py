"""The faces for programs: the same questions as the pages, answered as data."""

import datetime
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import dropwhile, islice
from json import loads
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from ..exports import Record, coverage_table, inverse_relation, record, told_record
from ..models import Agency, Agreement, CooperationArea, Digest, ProductCategory, Relation
from ..models.querysets import AgencyQuerySet, in_code_order
from ..models.vocabulary import validate_code
from ..question import AgreementFilterSet, Entry, MomentField, Tombstone, changed_first
from ..rules.coverage import coverage
from .answers import face, file, json, problem, refused
from .asked import (
    Refusal,
    day_asked,
    elsewhere,
    only,
    page_asked,
    question_asked,
    site_url,
    tombstone,
)
from .citations import bibtex, csl_json
from .feeds import agreements_atom, agreements_ics
from .openapi import document

#: The most records that one answer holds.
RECORDS_A_PAGE = 100


def _at(request: HttpRequest, name: str, *pairs: tuple[str, str]) -> str:
    """The absolute address of a face, asked with these pairs."""
    query = urlencode([pair for pair in pairs if pair != ("page", "1")])
    return site_url(request) + reverse(name) + (f"?{query}" if query else "")


@face
def agreement_json(request: HttpRequest) -> HttpResponse:
    """The same agreements in the same order as the list, as whole records, a page at a time."""
    question = question_asked(request, "page", "after")
    if question.in_order_of_change:
        return _changes(request, question)
    if "after" in request.GET:
        raise Refusal({"after": ["It goes with updated_since, and without sort."]}, 404)
    page = page_asked(request, question.ids, RECORDS_A_PAGE)
    return json(
        _asked(question)
        | _places(request, "agreement-json", page, *question.pairs)
        | {
            "resume": None,
            "agreements": _told(request, question, list(page.object_list)),
            "withdrawn": None,
        }
    )


def _told(request: HttpRequest, question: AgreementFilterSet, ids: Sequence[int]) -> list[Record]:
    """Those of these agreements that are in the register now, whole and in this order."""
    found, base_url = Digest.objects.records(ids), site_url(request)
    return [told_record(found[pk], question.day, base_url) for pk in ids if pk in found]


def _changes(request: HttpRequest, question: AgreementFilterSet) -> HttpResponse:
    """What changed since a moment, first what changed first, with what was withdrawn meanwhile.

    Each page goes on after the last row of the one before, not after a number of rows: a record
    that changes again meanwhile moves to the end and pushes no other out of sight.
    """
    if request.GET.get("page", "1") != "1":
        raise Refusal({"page": ["In the order of change there is no such page: follow next."]}, 404)
    after = _after(request)
    rows = _in_order_of_change(question, after)
    page = list(islice(rows, RECORDS_A_PAGE))
    if page:
        after = changed_first(page[-1])
    cursor = [("after", f"{after[0].isoformat()},{after[1]}")] if after else []
    resume = _at(request, "agreement-json", *question.pairs, *cursor)
    # Whatever became of a row since the edition was read, it is told as what it is now.
    ids = [row.pk for row in page]
    withdrawn = Agreement.objects.withdrawn().select_related("merged_into")
    gone = withdrawn.prefetch_related("former_slugs").in_bulk(ids)
    return json(
        _asked(question)
        | {
            "count": len(question.ids),
            "page": None,
            "pages": None,
            "previous": None,
            "next": resume if next(rows, None) else None,
            "resume": resume,
            "agreements": _told(request, question, ids),
            "withdrawn": [_told_tombstone(request, gone[pk]) for pk in ids if pk in gone],
        }
    )


def _in_order_of_change(
    question: AgreementFilterSet, after: tuple[datetime.datetime, str] | None
) -> Iterator[Entry | Tombstone]:
    """The agreements that answer and every tombstone, in the order of change, from the first one
    ``after`` this moment and slug. All of one edition: what is committed later is dated later
    (``after_change.record_written``), so nothing comes in before what was told."""
    register, since = question.register, question.asked["updated_since"]
    found, tombstones = question.found, register.tombstones
    begin = bisect_left(tombstones, since, key=attrgetter("changed"))
    if after:
        # Not one row after the other from the first: however far on the page stands.
        found &= register.changed_since(after[0])
        begin = max(begin, bisect_right(tombstones, after, key=changed_first))
    entries = register.ordered(found, "in_order_of_change")
    if after:
        entries = dropwhile(lambda entry: changed_first(entry) <= after, entries)
    return merge(entries, tombstones[begin:], key=changed_first)


def _after(request: HttpRequest) -> tuple[datetime.datetime, str] | None:
    """The moment of change and the slug of the row to go on after; raises Refusal."""
    if "after" not in request.GET:
        return None
    moment, _, slug = request.GET["after"].partition(",")
    try:
        validate_code(slug)
        return MomentField().clean(moment), slug
    except ValidationError as error:
        told = "No row is named like this: take the addresses next and resume as they are."
        raise Refusal({"after": [told]}, 404) from error


def _asked(question: AgreementFilterSet) -> dict[str, Any]:
    return {"sentence": question.sentence, "day": question.day.isoformat()}


def _places(
    request: HttpRequest, name: str, page: Page[Any], *pairs: tuple[str, str]
) -> dict[str, Any]:
    """Where a page stands among the others."""

    def neighbour(there: bool, number: int) -> str | None:
        return _at(request, name, *pairs, ("page", str(number))) if there else None

    return {
        "count": page.paginator.count,
        "page": page.number,
        "pages": page.paginator.num_pages,
        "previous": neighbour(page.has_previous(), page.number - 1),
        "next": neighbour(page.has_next(), page.number + 1),
    }


@face
def agreement_atom(request: HttpRequest) -> HttpResponse:
    """What changed last among the agreements of the list."""
    question = question_asked(request)
    feed = agreements_atom(
        question,
        base_url=site_url(request),
        page_url=_at(request, "agreement-list", *question.pairs),
        feed_url=_at(request, "agreement-atom", *question.pairs),
    )
    return HttpResponse(feed, content_type="application/atom+xml; charset=utf-8")


@face
def agreement_ics(request: HttpRequest) -> HttpResponse:
    """When the agreements of the list fall due, as a calendar."""
    content = agreements_ics(question_asked(request), base_url=site_url(request))
    return file(content, "text/calendar; charset=utf-8", "agreements.ics")


@face
def record_json(request: HttpRequest, slug: str) -> HttpResponse:
    """One record as it is exported, with its status, its coverage and what others say of it."""
    only(request, "as_of")
    day = day_asked(request) or timezone.localdate()
    told = _told_whole(request, slug, day)
    return json(told) if told else elsewhere(request, slug, _json_tombstone)


def _told_whole(request: HttpRequest, slug: str, day: datetime.date) -> Record | None:
    kept = Digest.objects.register().only("record", "entry").filter(agreement__slug=slug).first()
    if kept is None:
        return None
    public = loads(kept.record)
    changed = datetime.datetime.fromisoformat(public["updated_at"])
    entry = Entry.read(kept.pk, slug, changed, kept.entry)
    products = ProductCategory.objects.values_list("code", flat=True)
    others = Relation.objects.filter(agreement__in=Agreement.objects.register())
    inverse = others.filter(target=kept.pk).select_related("agreement")
    return told_record(public, day, site_url(request)) | {
        "coverage": coverage_table(coverage(entry.provisions, list(products))),
        "inverse_relations": [inverse_relation(relation) for relation in inverse],
    }


def _told_tombstone(request: HttpRequest, gone: Agreement) -> Record:
    told = tombstone(gone)
    into = told.pop("merged_into")
    told["merged_into"] = site_url(request) + into.get_absolute_url() if into else None
    return {
        "slug": gone.slug,
        "url": site_url(request) + gone.get_absolute_url(),
        "former_slugs": [record(former) for former in gone.former_slugs.all()],
        "withdrawn": told,
    }


def _json_tombstone(request: HttpRequest, gone: Agreement, status: int) -> HttpResponse:
    told = _told_tombstone(request, gone)
    if status == 200:
        return json(told)
    return problem(_withdrawn(gone), **told)


def _withdrawn(gone: Agreement) -> Refusal:
    return Refusal({"address": [f"This record has been withdrawn: {gone.withdrawal_reason}"]}, 410)


@face
def agency_json(request: HttpRequest) -> HttpResponse:
    """Every agency that the public may see, a page at a time, by key."""
    only(request, "page")
    agencies = Agency.objects.register()
    rows = _whole(agencies).order_by(in_code_order(agencies, "key"))
    page = page_asked(request, rows, RECORDS_A_PAGE)
    told = [_told_agency(request, agency) for agency in page]
    return json(_places(request, "agency-json", page) | {"agencies": told})


@face
def agency_record_json(request: HttpRequest, key: str) -> HttpResponse:
    """One agency."""
    only(request)
    return json(
        _told_agency(request, get_object_or_404(_whole(Agency.objects.register()), key=key))
    )


def _whole(agencies: AgencyQuerySet) -> AgencyQuerySet:
    """These agencies with all that is told of them."""
    return agencies.counting_agreements().select_related("parent").prefetch_related("names")


def _told_agency(request: HttpRequest, agency: Any) -> Record:
    return record(agency) | {
        "url": site_url(request) + agency.get_absolute_url(),
        "agreements": agency.agreements,
        "agreements_url": _at(request, "agreement-json", ("participant", agency.key)),
    }


@face
def area_json(request: HttpRequest) -> HttpResponse:
    """The vocabulary of cooperation areas."""
    only(request)
    return json({"areas": [record(area) for area in CooperationArea.objects.all()]})


@face
def product_json(request: HttpRequest) -> HttpResponse:
    """The vocabulary of product categories."""
    only(request)
    return json({"products": [record(product) for product in ProductCategory.objects.all()]})


@face
def openapi_json(request: HttpRequest) -> HttpResponse:
    """The description of all these faces for programs."""
    only(request)
    newest = Agreement.objects.register().newest_first().values_list("slug", flat=True).first()
    example = _told_whole(request, newest, timezone.localdate()) if newest else None
    return json(document(site_url(request), RECORDS_A_PAGE, example))


def _citation(
    request: HttpRequest,
    slug: str,
    content_type: str,
    write: Callable[[Agreement, str, datetime.date], str],
) -> HttpResponse:
    """One record's citation as a file; a withdrawn record is cited no more."""
    only(request)
    named = Agreement.objects.register().prefetch_related("participations__agency")
    agreement = named.filter(slug=slug).first()
    if agreement is None:
        return elsewhere(request, slug, _gone)
    url = site_url(request) + agreement.get_absolute_url()
    content = write(agreement, url, timezone.localdate())
    return file(content, content_type, request.path.rpartition("/")[2])


def _gone(request: HttpRequest, gone: Agreement, status: int) -> HttpResponse:
    return refused(request, _withdrawn(gone))


@face
def record_bib(request: HttpRequest, slug: str) -> HttpResponse:
    """The record as a BibTeX entry."""
    return _citation(request, slug, "application/x-bibtex; charset=utf-8", bibtex)


@face
def record_csl(request: HttpRequest, slug: str) -> HttpResponse:
    """The record as CSL-JSON, which reference managers read."""
    return _citation(request, slug, "application/vnd.citationstyles.csl+json", csl_json)
