"""The index of agencies and the page of one agency."""

from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..models import Agency, Agreement
from .parts import PAGE_SIZE, ruled, vocabulary


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
        "agreements": ruled(agreements[:PAGE_SIZE], timezone.localdate()),
    }
    return render(request, "agreements/agency_detail.html", context | vocabulary())
