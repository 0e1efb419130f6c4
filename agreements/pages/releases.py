"""The releases of the data package: what each holds, what changed in it, and the file itself."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import condition, require_safe

from .. import releases
from ..faces.answers import face, json
from ..faces.asked import Refusal, only, page_asked
from ..models import Agency, Agreement, CooperationArea, ProductCategory

PAGE_SIZE = 20
#: Of one kind of change, so many are shown; the JSON has them all.
SHOWN = 100
#: A release never becomes another one.
_FOR_EVER = "public, max-age=31536000, immutable"
_KINDS = {"added": "added", "changed": "changed", "withdrawn": "no longer in the register"}


class Line(NamedTuple):
    """One change: the id, key or code; its present name and address if the public may see them;
    what changed."""

    id: str
    name: str
    address: str
    what: str


class Group(NamedTuple):
    """The changes of one kind, of which ``lines`` are shown."""

    title: str
    total: int
    lines: list[Line]

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.total - len(self.lines)


@require_safe
def release_list(request: HttpRequest) -> HttpResponse:
    """Every release, newest first."""
    only(request, "page")
    page = page_asked(request, releases.every(), PAGE_SIZE)
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1),
        "releases": list(filter(None, map(releases.named, page))),
        "desk": settings.DESK_EMAIL,
    }
    return render(request, "agreements/release/list.html", context)


@require_safe
def release_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One release: its rows, its checksum, and what changed since the one before."""
    only(request)
    release = releases.named(name)
    if release is None:
        raise Http404
    gone = releases.withdrawn_since(release)
    context = {
        "release": release,
        "groups": list(_groups(release)),
        "gone": Group("", len(gone), _lines("agreements", gone[:SHOWN])),
        "desk": settings.DESK_EMAIL,
    }
    return render(request, "agreements/release/detail.html", context)


@face
def release_json(request: HttpRequest, name: str) -> HttpResponse:
    """The same for programs, with every change."""
    only(request)
    release = _named(name)
    return json(release.as_json() | {"offered": release.offered})


@face
def latest(request: HttpRequest) -> HttpResponse:
    """Leads to the newest release: the address that a program keeps."""
    only(request)
    release = releases.newest()
    if release is None:
        raise Refusal({"address": ["There is no release of the data package yet."]}, 404)
    address = reverse("release-zip", args=[release.name])
    return HttpResponseRedirect(address)


def _checksum(request: HttpRequest, name: str) -> str | None:
    release = releases.named(name)
    return f'"{release.sha256}"' if release and release.offered else None


@face
def release_zip(request: HttpRequest, name: str) -> HttpResponseBase:
    """The file of one release."""
    response = _file(request, name)
    # Whoever keeps the file takes over the headers of a 304.
    if response.status_code in (200, 304):
        response["Cache-Control"] = _FOR_EVER
    return response


@condition(etag_func=_checksum)
def _file(request: HttpRequest, name: str) -> HttpResponseBase:
    only(request)
    release = _named(name)
    if release.damaged:
        problem = "The file of this release is damaged. What it was is told at "
        problem += reverse("release-detail", args=[name])
        raise Refusal({"address": [problem]}, 503)
    try:
        file = release.path.open("rb")
    except FileNotFoundError as error:
        problem = "This release is no longer offered. What it was is told at "
        problem += reverse("release-detail", args=[name])
        raise Refusal({"address": [problem]}, 410) from error
    response = FileResponse(file, as_attachment=True, filename=release.file_name)
    response["Content-Type"] = "application/zip"
    return response


def _named(name: str) -> releases.Release:
    release = releases.named(name)
    if release is None:
        raise Refusal({"address": ["There is no release of this name."]}, 404)
    return release


def _groups(release: releases.Release) -> Iterable[Group]:
    for noun, changes in release.changes.items():
        for kind, words in _KINDS.items():
            if rows := changes[kind]:
                title = f"{_NOUNS[noun].title} {words}"
                yield Group(title, len(rows), _lines(noun, rows[:SHOWN]))


class _Noun(NamedTuple):
    """How the rows of one kind are named now, if the public may see them, and where they stand."""

    title: str
    named: Callable[[list[str]], dict[str, str]]
    address: str = ""


def _names(model: Any, key: str, name: str) -> Callable[[list[str]], dict[str, str]]:
    def named(keys: list[str]) -> dict[str, str]:
        rows = model.objects
        rows = rows.register() if model in (Agency, Agreement) else rows.all()
        return dict(rows.filter(**{f"{key}__in": keys}).values_list(key, name))

    return named


_NOUNS = {
    "agreements": _Noun("Agreements", _names(Agreement, "slug", "title"), "agreement-detail"),
    "agencies": _Noun("Agencies", _names(Agency, "key", "name"), "agency-detail"),
    "areas": _Noun("Cooperation areas", _names(CooperationArea, "code", "name")),
    "products": _Noun("Product categories", _names(ProductCategory, "code", "name")),
    "columns": _Noun("Columns", lambda keys: {}),
}


def _lines(noun: str, rows: list[dict[str, str]]) -> list[Line]:
    about = _NOUNS[noun]
    names = about.named([row["id"] for row in rows])
    # The address of an agreement answers for good; that of an agency while the public may see it.
    return [
        Line(
            row["id"],
            names.get(row["id"], ""),
            reverse(about.address, args=[row["id"]])
            if noun == "agreements" or (about.address and row["id"] in names)
            else "",
            row.get("what", ""),
        )
        for row in rows
    ]
