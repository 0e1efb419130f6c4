"""The pages about the register as a whole, and the pages for an address that has no answer."""

import sys

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from .. import dictionary as dictionary_of_data
from .. import facets, releases
from ..exports import TABLES
from ..models import Agreement
from ..status import Status
from . import unsaved
from .answers import FOR_PROGRAMS, nothing_here, opened, refused
from .faces import RECORDS_A_PAGE
from .parts import Refusal, ruled, vocabulary


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the register holds, at a glance."""
    register = facets.current()
    latest = Agreement.objects.register().newest_first().with_listed()[:5]
    context = {
        "total": len(register.ids),
        "agencies": len(register.agencies),
        "jurisdictions": len(register.choices["country"]),
        "stages": register.counted_by_stage(),
        "without_stage": (register.everything & ~register.provided.staged).bit_count(),
        "latest": ruled(latest, timezone.localdate()),
    } | vocabulary()
    return render(request, "agreements/home.html", context)


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """How status and coverage are worked out, and what "not stated" means."""
    return render(request, "agreements/about.html", {"statuses": Status} | vocabulary())


@require_safe
def data(request: HttpRequest) -> HttpResponse:
    """What can be taken away, and how."""
    context = {
        "total": Agreement.objects.register().count(),
        "records_a_page": RECORDS_A_PAGE,
        "tables": [
            (reverse(f"{name.replace('_', '-')}-csv"), table)
            for name, table in TABLES.items()
            if name != "agreements"
        ],
        "release": releases.newest(),
    }
    response = render(request, "agreements/data.html", context)
    response["Link"] = f'<{reverse("openapi")}>; rel="service-desc"; type="application/json"'
    return response


@require_safe
def dictionary(request: HttpRequest) -> HttpResponse:
    """What every table, column, filter and code means."""
    context = dictionary_of_data.terms() | {
        "tables": dictionary_of_data.tables(),
        "filters": dictionary_of_data.filters(),
        "coverage_filters": dictionary_of_data.coverage_filters(),
        "partner_columns": dictionary_of_data.partner_columns(),
        "vocabularies": dictionary_of_data.vocabularies(),
    }
    return render(request, "agreements/dictionary.html", context)


@require_safe
def loading(request: HttpRequest) -> HttpResponse:
    """How to read the tables into other programs."""
    return render(request, "agreements/loading.html")


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Keeps crawlers out of the endless space of query strings and names the sitemap."""
    sitemap = request.build_absolute_uri(reverse("sitemap"))
    lines = ["User-agent: *", "Disallow: /*?", "Disallow: /admin/", f"Sitemap: {sitemap}", ""]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for an address that means nothing; a program gets its own kind of refusal."""
    if request.path.endswith(FOR_PROGRAMS):
        return opened(nothing_here(request))
    return render(request, "problem.html", {"message": ""}, status=404)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a member of staff whose role does not reach so far."""
    message = "Your role does not allow this, or the record is not in a state that allows it."
    return render(request, "problem.html", {"message": message}, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """The page for an error of ours, or of the machine."""
    return unsaved.failed(request, sys.exc_info()[1])


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a question that cannot be answered; a program gets its own kind of refusal."""
    if unsaved.why_unsaved(exception):
        # Django takes a session that could not be saved for one that was deleted.
        return unsaved.failed(request, exception)
    message = str(exception) if isinstance(exception, BadRequest) else "This cannot be answered."
    if request.path.endswith(FOR_PROGRAMS):
        return opened(refused(request, Refusal({"request": [message]})))
    return render(request, "problem.html", {"message": message}, status=400)
