"""Compresses what is not compressed yet."""

from typing import Any

from django.http import HttpRequest
from django.middleware.gzip import GZipMiddleware


class GZip(GZipMiddleware):
    """Leaves archives alone: a second compression costs time, their length and their entity tag,
    and saves nothing."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """The answer, compressed where that helps."""
        if request.path.endswith((".zip", ".xlsx")):
            return response
        return super().process_response(request, response)
