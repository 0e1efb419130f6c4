"""What is answered when the database could not write just now: 503, and when to try again."""

import errno

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

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


def why_unsaved(error: BaseException | None) -> str:
    """BUSY or FULL if that is what led to this error, else empty."""
    while error is not None:
        code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _TOLD:
            return _TOLD[code]
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return FULL
        error = error.__cause__ or error.__context__
    return ""


def failed(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """The page for an error that is not the visitor's: 503 if it will pass, else 500."""
    reason = why_unsaved(error)
    if not reason:
        return server_error(request)
    # Without the request: nothing more is asked of the database.
    page = render_to_string("503.html", {"reason": reason})
    return HttpResponse(
        page,
        status=503,
        headers={"Retry-After": str(_RETRY_AFTER[reason]), "Cache-Control": "no-store"},
    )
