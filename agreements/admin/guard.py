"""Who is at the desk, and what the desk refuses at its door.

What no column can hold is refused before a query fails on it.
"""

import re
from collections.abc import Callable
from typing import cast

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db import models
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: Any words, which may have long numbers in them: searches, and the list that one came from.
WORDS = {SEARCH_VAR, "term", "_changelist_filters"}
_DIGITS = re.compile(r"\d{19,}")


def signed_in(request: HttpRequest) -> User:
    """Who is at the desk, which lets nobody in without an account."""
    return cast(User, request.user)


class ReadableValues:
    """Middleware that answers 400 to values in an address of the staff desk that no column can
    hold, and to ticked boxes that stand for no row. What is typed into a form is the form's to
    refuse, beside the field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: object,
        kwargs: object,
    ) -> None:
        """Raises BadRequest."""
        match = request.resolver_match
        if not match or match.namespace != "admin":
            return
        for name, values in request.GET.lists():
            for value in values:
                if "\0" in value or (name not in WORDS and _too_long(value)):
                    raise _refused(name)
        if request.method == "POST" and match.url_name and match.url_name.endswith("_changelist"):
            for value in request.POST.getlist(ACTION_CHECKBOX_NAME):
                if not value.isdecimal() or _too_long(value):
                    raise _refused(ACTION_CHECKBOX_NAME)


def _too_long(value: str) -> bool:
    # Python reads 1_000 as a number too, and no number of more digits than it agrees to read.
    numbers = _DIGITS.findall(value.replace("_", ""))
    return any(len(n) > 1000 or int(n) > models.BigIntegerField.MAX_BIGINT for n in numbers)


def _refused(name: str) -> BadRequest:
    return BadRequest(f"The value of “{name[:100]}” cannot be that of any record.")
