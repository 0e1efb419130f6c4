"""What holds for every request of the public site or of the desk, whichever view answers it."""

from collections.abc import Callable
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.utils.http import escape_leading_slashes

View = Callable[[HttpRequest], HttpResponseBase]


def at_the_desk(request: HttpRequest) -> bool:
    """Whether the address is the staff desk's; all others are public."""
    return request.path_info.startswith("/admin/")


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
