"""Compresses what is not compressed yet."""

import gzip

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip


class GZip(GZipMiddleware):
    """Leaves archives alone: a second compression costs time, their length and their entity tag,
    and saves nothing."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """The answer, compressed where that helps."""
        if request.path.endswith((".zip", ".xlsx")):
            return response
        return super().process_response(request, response)


class _Unpadded(GZip):
    """Without the random bytes against BREACH: they hide the length of a page that holds a secret,
    and what anybody may read holds none. So the same answer always has the same bytes."""

    max_random_bytes = 0


def accepts_gzip(request: HttpRequest) -> bool:
    """Whether ``GZip`` would compress for this request."""
    return bool(re_accepts_gzip.search(request.headers.get("Accept-Encoding", "")))


def compressed(path: str, response: HttpResponse) -> HttpResponse:
    """The public response at this path, changed to what ``GZip`` gives to whoever accepts it."""
    request = HttpRequest()
    request.path, request.META["HTTP_ACCEPT_ENCODING"] = path, "gzip"
    _Unpadded(lambda _: response).process_response(request, response)
    return response


def decompressed(response: HttpResponse) -> HttpResponse:
    """The response, changed back to what it was before ``compressed``."""
    if response.has_header("Content-Encoding"):
        response.content = gzip.decompress(response.content)
        del response["Content-Encoding"], response["Content-Length"]
        response["ETag"] = response["ETag"].removeprefix("W/")
    return response
