"""How the faces for programs answer: open to any site's scripts, and refusing all alike."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from .asked import Refusal

METHODS = "GET, HEAD, OPTIONS"
#: How an address ends at which a program asks.
FOR_PROGRAMS = (".json", ".csv", ".atom", ".xlsx", ".ics", ".bib", ".zip")
_EXPOSED = "Content-Disposition, ETag, Link, Retry-After, X-Total-Rows"

View = Callable[..., HttpResponseBase]
R = TypeVar("R", bound=HttpResponseBase)


def opened(response: R) -> R:
    """The response with the headers of every face: any site's scripts may read it, and the
    description of all faces is linked."""
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = _EXPOSED
    response["Link"] = (
        f'<{reverse("openapi")}>; rel="service-desc"; type="application/json", '
        f'<{reverse("data")}>; rel="service-doc"; type="text/html"'
    )
    return response


def face(view: View) -> View:
    """A read-only face that any site's scripts may read, and whose refusals are as plain."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return _preflight()
        try:
            if request.method not in ("GET", "HEAD"):
                raise Refusal({"method": ["Read only: use GET or HEAD."]}, 405)
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)
        except Http404:
            return nothing_here(request)

    marked: Any = answer
    # The answer 304 is given without asking the view, and needs them too.
    marked.opened = opened
    return answer


def _preflight() -> HttpResponse:
    """What a browser asks before it lets a script send a header of its own."""
    return HttpResponse(
        status=204,
        headers={
            "Allow": METHODS,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": "*",
            "Access-Control-Max-Age": "86400",
        },
    )


def nothing_here(request: HttpRequest) -> HttpResponse:
    """The refusal of an address that means nothing."""
    nothing = {"address": ["No record of the register has this address."]}
    return refused(request, Refusal(nothing, 404))


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal in the form of the face: a problem document (RFC 9457), or plain text."""
    if request.path.endswith("json"):
        response = problem(refusal)
    else:
        response = text(f"{refusal}\n", status=refusal.status)
    if refusal.status == 405:
        response["Allow"] = METHODS
    return response


def problem(refusal: Refusal, **members: object) -> HttpResponse:
    """A problem document. ``problems`` has a list of sentences for each parameter that is wrong."""
    return json(
        {
            "type": "about:blank",
            "title": HTTPStatus(refusal.status).phrase,
            "status": refusal.status,
            "detail": str(refusal),
            "problems": refusal.problems,
        }
        | members,
        status=refusal.status,
        content_type="application/problem+json",
    )


def json(data: dict[str, Any], **options: Any) -> JsonResponse:
    """JSON that people can read too."""
    return JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 1}, **options)


def text(words: str, **options: Any) -> HttpResponse:
    """Plain text."""
    return HttpResponse(words, content_type="text/plain; charset=utf-8", **options)


def file(content: bytes | str, content_type: str, name: str) -> HttpResponse:
    """Something to be kept under a name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)
