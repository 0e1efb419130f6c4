"""The index of agencies and the page of one agency."""

from urllib.parse import urlencode

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..listed import listed
from ..models import Agency
from ..question import current
from .parts import PAGE_SIZE, day_asked


@require_safe
def agency_list(request: HttpRequest) -> HttpResponse:
    """Every agency that appears in the register, by jurisdiction."""
    agencies = Agency.objects.register().counting_agreements()
    by_place: dict[str, list[Agency]] = {}
    for agency in sorted(agencies, key=lambda agency: agency.name.casefold()):
        by_place.setdefault(str(agency.jurisdiction.name or ""), []).append(agency)
    international = by_place.pop("", [])
    context = {
        "count": len(agencies),
        "jurisdictions": sorted(by_place.items()),
        "international": international,
    }
    return render(request, "agreements/agency_list.html", context)


@require_safe
def agency_detail(request: HttpRequest, key: str) -> HttpResponse:
    """One agency: its names, its kin, its agreements, told for a day."""
    as_of = day_asked(request)
    register = Agency.objects.register().counting_agreements()
    children = Prefetch("children", queryset=register)
    related = register.select_related("parent__parent__parent__parent").prefetch_related("names")
    agency = get_object_or_404(related.prefetch_related(children), key=key)
    kin = register.in_bulk([above.pk for above in agency.above])
    in_memory = current()
    with_it = in_memory.live & in_memory.participants[key]
    if as_of:
        with_it &= in_memory.on(as_of).participants[key] & in_memory.known_by(as_of)
    ids = in_memory.ids(with_it)
    asked = {"as_of": as_of.isoformat()} if as_of else {}
    context = {
        "agency": agency,
        "as_of": as_of,
        # The question that the list, and every other face of it, answers with these agreements.
        "list_query": urlencode(asked | {"participant": key}),
        # Farthest above first; what stands above the register is not shown.
        "above": [kin[above.pk] for above in reversed(agency.above) if above.pk in kin],
        "count": len(ids),
        "agreements": listed(in_memory, ids[:PAGE_SIZE], as_of or timezone.localdate()),
    }
    return render(request, "agreements/agency_detail.html", context)
