"""The register as tables: each as a CSV, all as a workbook, under the same question as the list."""

import threading
import weakref
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from ..exports import TABLES, row_count, table_csv
from ..filters import AgreementFilterSet
from .faces import face
from .parts import question_asked, site_url

#: So many are written at the same time, in one process. Each holds a thread until its reader has
#: it all; the other threads stay free for pages, however slowly the readers read.
AT_ONCE = 10
#: When whoever comes too many may ask again, in seconds.
RETRY_AFTER = 10
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
    chosen = TABLES[name]
    ids = question.answer.ids
    headers = {
        "Content-Disposition": f'attachment; filename="{_file_name(name, question)}.csv"',
        # Whoever has fewer rows has not got it all: not every protocol and proxy tells.
        "X-Total-Rows": str(row_count(chosen, ids)),
        "Access-Control-Expose-Headers": "Content-Disposition, X-Total-Rows",
    }
    if request.method == "HEAD":
        pieces: Iterator[str] = iter(())
    elif _places.acquire(blocking=False):
        pieces = Written(table_csv(chosen, ids, question.day, site_url(request)))
    else:
        return _too_many()
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)


def _file_name(name: str, question: AgreementFilterSet) -> str:
    # A vocabulary is always whole.
    filtered = question.query_string and name not in ("areas", "products")
    return f"{name}-{timezone.localdate():%Y-%m-%d}" + ("-filtered" if filtered else "")


def _too_many() -> HttpResponse:
    return HttpResponse(
        f"Too many downloads are under way. Ask again in {RETRY_AFTER} seconds.\n",
        status=503,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
