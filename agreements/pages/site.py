"""The pages about the register as a whole, and the pages for an address that has no answer."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.defaults import server_error

from .. import releases
from ..exports import PARTNERS, TABLES
from ..faces.answers import FOR_PROGRAMS, nothing_here, opened, refused
from ..faces.api import RECORDS_A_PAGE
from ..faces.asked import Refusal
from ..faces.listed import listed
from ..faces.storage_errors import storage_fault, unavailable
from ..models import Agreement
from ..question import Register, current
from ..rules.coverage import Asked, Commitment, Depth, Stage
from ..rules.status import STANDING, Status
from . import dictionary as dictionary_of_data

#: What the sources say is so or is agreed. What is only intended is never added to it.
_FIRM = (Commitment.IN_OPERATION, Commitment.AGREED)


@dataclass(frozen=True)
class Figure:
    """A number of agreements, and the query string of the list of exactly these."""

    count: int
    query: str


class Cell(NamedTuple):
    """What stands at one stage: at one depth, or at any where ``depth`` is None. An agreement that
    agrees on one point and intends another there is in both figures."""

    depth: Depth | None
    stands: Figure
    intended: Figure


def _figure(count: int, asked: dict[str, Sequence[str]]) -> Figure:
    """The figure whose list is narrowed by these filters and to what stands."""
    pairs = [(name, value) for name, values in asked.items() for value in values]
    pairs += [("status", status.value) for status in STANDING]
    return Figure(count, urlencode(sorted(pairs)))


def _stages(register: Register, standing: int) -> list[tuple[Stage, list[Cell]]]:
    """Each stage with what stands there: at any depth, and at each."""

    def figures(depth: Depth | None, commitments: Sequence[Commitment]) -> Mapping[Stage, Figure]:
        reached: dict[str, Sequence[str]] = {
            "depth": [depth.value] if depth else [],
            "commitment": [commitment.value for commitment in commitments],
        }
        asked = Asked(**{name: frozenset(values) for name, values in reached.items()})
        counts = register.reach.counted("stage", asked, standing)
        return {s: _figure(counts.get(s.value, 0), reached | {"stage": [s.value]}) for s in Stage}

    columns = [
        (depth, figures(depth, _FIRM), figures(depth, [Commitment.INTENDED]))
        for depth in (None, *Depth)
    ]
    return [
        (stage, [Cell(depth, firm[stage], hoped[stage]) for depth, firm, hoped in columns])
        for stage in Stage
    ]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the register holds, at a glance."""
    register, day = current(), timezone.localdate()
    standing = register.standing(STANDING, day)
    context = {
        "total": len(register),
        "agencies": len(register.choices["participant"]),
        "jurisdictions": len(register.choices["country"]),
        "stages": _stages(register, standing),
        "standing": _figure(standing.bit_count(), {}),
        "without_stage": _figure(
            (standing & ~register.reach.staged).bit_count(), {"stage_stated": ["no"]}
        ),
        "latest": listed(register, register.ids(register.live)[:5], day),
    }
    return render(request, "agreements/home/home.html", context)


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """How status and coverage are worked out, and what "not stated" means."""
    return render(request, "agreements/about/about.html", {"statuses": Status})


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
    response = render(request, "agreements/data/data.html", context)
    response["Link"] = f'<{reverse("openapi")}>; rel="service-desc"; type="application/json"'
    return response


@require_safe
def dictionary(request: HttpRequest) -> HttpResponse:
    """What every table, column, filter and code means."""
    context = dictionary_of_data.terms() | {
        "tables": dictionary_of_data.tables(),
        "filters": dictionary_of_data.filters(),
        "coverage_filters": dictionary_of_data.coverage_filters(),
        "partner_columns": PARTNERS,
        "vocabularies": dictionary_of_data.vocabularies(),
    }
    return render(request, "agreements/data/dictionary.html", context)


@require_safe
def loading(request: HttpRequest) -> HttpResponse:
    """How to read the tables into other programs."""
    return render(request, "agreements/data/loading.html")


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
    told = {"heading": "You cannot do this", "message": message}
    return render(request, "problem.html", told, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """The page for an error of ours (500), or of the storage (503)."""
    fault = storage_fault(sys.exc_info()[1])
    return unavailable(request, fault) if fault else server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a question that cannot be answered; a program gets its own kind of refusal."""
    if fault := storage_fault(exception):
        # Django takes a session that could not be saved for one that was deleted.
        return unavailable(request, fault)
    message = str(exception) if isinstance(exception, BadRequest) else "This cannot be answered."
    if request.path.endswith(FOR_PROGRAMS):
        return opened(refused(request, Refusal({"request": [message]})))
    return render(request, "problem.html", {"message": message}, status=400)
