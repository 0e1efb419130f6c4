"""The register as tables: each as a CSV, all as a workbook, under the same question as the list."""

import io
import threading
import weakref
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from ..exports import TABLES, WORKBOOK_LIMIT, WORKBOOK_TYPE, RegisterChanged, row_count, table_csv
from ..exports import workbook as write_workbook
from .answers import face
from .asked import Refusal, question_asked, site_url

#: So many are written at the same time, in one process. Each holds a thread until its reader has
#: it all; the other threads stay free for pages, however slowly the readers read.
AT_ONCE = 10
#: When whoever comes too many may ask again, in seconds.
RETRY_AFTER = 10
_CSV = "text/csv; charset=utf-8"
_TOO_MANY = "Too many downloads are under way."
_places = threading.BoundedSemaphore(AT_ONCE)
_turn = threading.Lock()


class Written:
    """The pieces of a table while they are written. They are made in turn, one at a time in the
    process, so that pages wait for one table and not for ten."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self.pieces = pieces
        # Also where the answer is thrown away before anybody has read it.
        self.close = weakref.finalize(self, _places.release)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with _turn:
            return next(self.pieces)


@face
def table(request: HttpRequest, name: str) -> HttpResponse | StreamingHttpResponse:
    """The rows of one table that belong to the agreements of the list."""
    question = question_asked(request)
    chosen, ids = TABLES[name], list(question.ids)
    # A vocabulary is always whole.
    filtered = question.narrowed and name not in ("areas", "products")
    headers = _headers(name, "csv", filtered) | {
        # Whoever has fewer has not got all of it: not every protocol and proxy tells.
        "X-Total-Rows": str(row_count(chosen, ids)),
    }
    if request.method == "HEAD":
        return StreamingHttpResponse(content_type=_CSV, headers=headers)
    pieces = table_csv(chosen, ids, question.day, site_url(request))
    if not _places.acquire(blocking=False):
        return _later(_TOO_MANY)
    return StreamingHttpResponse(Written(pieces), content_type=_CSV, headers=headers)


@face
def workbook(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """All tables of the agreements of the list as one workbook."""
    question = question_asked(request)
    ids = list(question.ids)
    if len(ids) > WORKBOOK_LIMIT:
        problem = f"A workbook holds at most {WORKBOOK_LIMIT:,} agreements, and these are "
        problem += f"{len(ids):,}: narrow the list, or take it as CSV."
        raise Refusal({"agreements": [problem]}, 413)
    headers = _headers("agreements", "xlsx", question.narrowed)
    if request.method == "HEAD":
        return StreamingHttpResponse(content_type=WORKBOOK_TYPE, headers=headers)
    if not _places.acquire(blocking=False):
        return _later(_TOO_MANY)
    content = io.BytesIO()
    asked = (question.sentence, request.build_absolute_uri())
    try:
        with _turn:
            write_workbook(ids, question.day, site_url(request), asked, content)
    except RegisterChanged:
        return _later("The register changed meanwhile.")
    finally:
        _places.release()
    return HttpResponse(content.getvalue(), content_type=WORKBOOK_TYPE, headers=headers)


def _headers(name: str, ending: str, filtered: bool) -> dict[str, str]:
    kept_as = f"{name}-{timezone.localdate():%Y-%m-%d}" + ("-filtered" if filtered else "")
    return {"Content-Disposition": f'attachment; filename="{kept_as}.{ending}"'}


def _later(why: str) -> HttpResponse:
    return HttpResponse(
        f"{why} Ask again in {RETRY_AFTER} seconds.\n",
        status=503,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
