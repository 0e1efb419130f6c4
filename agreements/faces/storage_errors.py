"""Storage errors: a full disk or a busy database is answered with 503 and Retry-After."""

import errno

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from ..addresses import at_the_desk
from .answers import FOR_PROGRAMS, opened, refused
from .asked import Refusal

BUSY = "the database is busy"
FULL = "the disk is full"
#: Seconds after which to try again. A full disk waits for a person.
_RETRY_AFTER = {BUSY: 30, FULL: 600}
#: By SQLite's primary result code and by PostgreSQL's SQLSTATE: busy or locked; lock not
#: available, deadlock, statement timeout.
_TOLD = {
    5: BUSY,
    6: BUSY,
    13: FULL,
    "55P03": BUSY,
    "40P01": BUSY,
    "57014": BUSY,
    "53100": FULL,
}


def storage_fault(error: BaseException | None) -> str:
    """BUSY or FULL if that is what led to this error, else empty."""
    while error is not None:
        code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _TOLD:
            return _TOLD[code]
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return FULL
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
    return ""


def unavailable(request: HttpRequest, fault: str) -> HttpResponse:
    """The answer 503 to a fault that will pass. Only staff are told which it is, and that what
    they sent may have been saved: a session is saved after the record."""
    if request.path.endswith(FOR_PROGRAMS):
        words = ["The service is unavailable. Try again later."]
        response = opened(refused(request, Refusal({"service": words}, 503)))
    else:
        # Without the request: nothing more is asked of the database.
        told = {"fault": fault if at_the_desk(request) else ""}
        response = HttpResponse(render_to_string("503.html", told), status=503)
    response["Retry-After"] = str(_RETRY_AFTER[fault])
    return response
