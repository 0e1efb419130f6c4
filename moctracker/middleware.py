"""What holds for every request of the public site or of the desk, whichever view answers it."""

from collections.abc import Callable
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import escape_leading_slashes

from agreements.addresses import at_the_desk

View = Callable[[HttpRequest], HttpResponseBase]


class CacheControl:
    """Sets ``Cache-Control`` where a view set none.

    What is public may be kept, and is asked for again before it is used: without freshness a
    browser keeps a 301 and a 410 for good. The desk and our own errors are stored by nobody.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code >= 500:
            # Of this moment, not of the edition: kept under its tag it would be answered 304.
            del response["ETag"]
            response["Cache-Control"] = "no-store"
        usual = "private, no-store" if at_the_desk(request) else "public, no-cache"
        response.headers.setdefault("Cache-Control", usual)
        return response


#: What newsletters, advertisements and social networks add to the links they pass on.
TRACKING = {
    "_ga", "_gl", "_hsenc", "_hsmi", "dclid", "fbclid", "gad_source", "gbraid",
    "gclid", "gclsrc", "igsh", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok",
    "msclkid", "srsltid", "ttclid", "twclid", "wbraid", "yclid",
}  # fmt: skip


class TrackingParameters:
    """Takes tracking parameters off the question, which they are no part of.

    A page is redirected to its address without them, so that this is the one that is kept and
    passed on. A program, whose addresses do not end in a slash, is answered as if they were not
    there. It stands before whatever reads the question. The desk is left alone.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.META.get("QUERY_STRING", "")
        kept = "&".join(pair for pair in asked.split("&") if not _tracks(pair))
        if kept != asked and not at_the_desk(request):
            request.META["QUERY_STRING"] = kept
            if request.path.endswith("/") and request.method in ("GET", "HEAD"):
                # //elsewhere.example/ would be another site's address.
                clean = escape_leading_slashes(request.get_full_path())
                return HttpResponsePermanentRedirect(clean)
        return self.get_response(request)


def _tracks(pair: str) -> bool:
    name = unquote_plus(pair.partition("=")[0]).lower()
    return name.startswith("utm_") or name in TRACKING


#: The most bytes of a form of the desk, with the files that belong to a record.
DESK_BODY_LIMIT = 5 * 2**20
#: What a form wraps around a file: one that is a little too large, the form itself refuses.
_WRAPPING = 2**20


class BodyLimit:
    """Refuses a request body that is too large (413) or of unknown length (411), unread.

    A public view takes none and a view of the desk ``DESK_BODY_LIMIT`` bytes, or either as many as
    its attribute ``body_limit`` says; more than ``DESK_BODY_LIMIT`` only from who has the
    permission in its attribute ``body_permission``. A view that is exempt from the check against
    forged requests is read-only and refuses every body itself. It stands before that check, which
    reads the body.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: object,
        kwargs: object,
    ) -> HttpResponse | None:
        if getattr(view, "csrf_exempt", False):
            return None
        if "Transfer-Encoding" in request.headers:
            return _refused(request, "What is sent must say how long it is.", 411)
        usual, length = DESK_BODY_LIMIT if at_the_desk(request) else 0, _length(request)
        limit = getattr(view, "body_limit", usual)
        # Who it is, is asked only where it matters: that reads the session.
        if length > DESK_BODY_LIMIT and not _may_send_more(request, view):
            limit = min(limit, DESK_BODY_LIMIT)
        if length > limit + (_WRAPPING if limit > DESK_BODY_LIMIT else 0):
            told = f"This is more than the {limit // 2**20} MB that can be sent here at once."
            return _refused(request, f"{told} Nothing was saved.", 413)
        return None


def _may_send_more(request: HttpRequest, view: Callable[..., HttpResponseBase]) -> bool:
    permission = getattr(view, "body_permission", "")
    return bool(permission and request.user.has_perm(permission))


def _length(request: HttpRequest) -> int:
    """As many bytes as Django would read."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _refused(request: HttpRequest, message: str, status: int) -> HttpResponse:
    told = {"heading": "This cannot be sent", "message": message}
    return render(request, "problem.html", told, status=status)
