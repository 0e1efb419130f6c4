"""The index of agencies and the page of one agency."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..faces.asked import day_asked
from ..faces.listed import listed
from ..models import Agency
from ..question import current
from .agreements import PAGE_SIZE


@require_safe
def agency_list(request: HttpRequest) -> HttpResponse:
    """Every agency that appears in the register, by jurisdiction."""
    agencies = current().agencies.values()
    by_place: dict[str, list[Agency]] = {}
    for agency in sorted(agencies, key=lambda agency: agency.name.casefold()):
        by_place.setdefault(str(agency.jurisdiction.name or ""), []).append(agency)
    international = by_place.pop("", [])
    context = {
        "count": len(agencies),
        "jurisdictions": sorted(by_place.items()),
        "international": international,
    }
    return render(request, "agreements/agency/list.html", context)


@require_safe
def agency_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One agency: its names, its kin, its agreements, told for a day."""
    as_of = day_asked(request)
    register = current()
    if key not in register.agencies:
        raise Http404
    agency = register.agencies[key]
    with_it = register.live & register.participants[key]
    if as_of:
        with_it &= register.on(as_of).participants[key] & register.known_by(as_of)
    ids = register.ids(with_it)
    asked = {"as_of": as_of.isoformat()} if as_of else {}
    context = {
        "agency": agency,
        "as_of": as_of,
        # The question that the list, and every other face of it, answers with these agreements.
        "list_query": urlencode(asked | {"participant": key}),
        # Farthest above first.
        "above": register.above(agency)[::-1],
        "below": register.below(agency),
        "count": len(ids),
        "agreements": listed(register, ids[:PAGE_SIZE], as_of or timezone.localdate()),
    }
    return render(request, "agreements/agency/detail.html", context)
