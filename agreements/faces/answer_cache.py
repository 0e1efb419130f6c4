"""Conditional requests and the response cache: a public answer is made once per edition.

An answer follows from its address and the edition alone, never from who asks. So one digest of
both is its entity tag and its key in the cache: an answer of another edition cannot be found.
The cache is this process's own and bounded in bytes.
"""

import datetime
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeGuard

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.handlers.exception import response_for_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response

from moctracker.compression import accepts_gzip, compressed, decompressed

from .. import releases
from ..models import Edition
from .answers import View

#: The longest answer that is kept, before it is compressed.
MOST_BYTES = 2**20
#: Refusals and redirects too: whoever asks nonsense all day costs no more than other readers.
_KEPT = {200, 301, 302, 400, 404, 410}
#: Bytes that an answer takes in memory besides its own, about.
_OVERHEAD = 1000


def digest_of_files(folders: Iterable[Path]) -> str:
    """A digest of what the source files in these folders say and are called, not of their age: two
    machines with the same code agree."""
    digest = sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(str(path.relative_to(folder)).encode() + b"\0")
                digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


#: Changes when the code, a template or a style sheet does.
_MADE_BY = digest_of_files([Path(__file__).parents[1], settings.BASE_DIR / "templates"])


class PublicEdition(NamedTuple):
    """All that every public answer follows from besides its address and the code: the marks of
    the register's edition and of its releases, and the day, which begins in Singapore."""

    register: str
    releases: str
    day: datetime.date

    @classmethod
    def current(cls) -> "PublicEdition":
        """The present one: one query."""
        return cls(Edition.current(), releases.mark(), timezone.localdate())

    def tag(self, request: HttpRequest) -> str:
        """The strong entity tag, in quotes, of what is answered at the request's address: scheme,
        host, path and query as they were sent, since pages print them."""
        query = request.META.get("QUERY_STRING", "")
        address = (request.scheme, request.get_host(), request.path, query)
        made_from = repr((*self, address, _MADE_BY))
        return '"' + sha256(made_from.encode()).hexdigest()[:32] + '"'


class _Answer(NamedTuple):
    """A response as it is kept: compressed, where that makes it shorter."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def to(cls, request: HttpRequest, response: HttpResponse) -> "_Answer":
        """The response to this request, which is compressed thereby."""
        packed = compressed(request.path, response)
        return cls(packed.status_code, dict(packed.items()), packed.content)

    @property
    def size(self) -> int:
        return len(self.body) + sum(map(len, self.headers.values())) + _OVERHEAD


class ResponseCache:
    """The answers of one edition, by entity tag. Beyond ``ANSWER_CACHE_BYTES`` of the settings,
    what has not been asked for the longest time goes first. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._edition: PublicEdition | None = None
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self.size = 0

    def get(self, tag: str) -> _Answer | None:
        """The answer with this tag, if it is kept."""
        with self._lock:
            if tag in self._answers:
                self._answers.move_to_end(tag)
            return self._answers.get(tag)

    def put(self, tag: str, edition: PublicEdition, answer: _Answer) -> None:
        """Keep an answer of this edition; those of any other are dropped."""
        with self._lock:
            if edition != self._edition:
                self.clear()
                self._edition = edition
            if tag not in self._answers:
                self._answers[tag] = answer
                self.size += answer.size
            while self.size > settings.ANSWER_CACHE_BYTES:
                _, dropped = self._answers.popitem(last=False)
                self.size -= dropped.size


cache = ResponseCache()


def conditional(view: View) -> View:
    """The public view, asked once per edition: 304 for whoever has its present answer already, and
    the kept answer for anybody else. While developing, where templates change, it is always asked.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if settings.DEBUG:
            return view(request, *args, **kwargs)
        # Before the view is asked: if they change meanwhile, its answer belongs to no edition.
        edition = PublicEdition.current()
        tag = edition.tag(request)
        response: HttpResponseBase | None = get_conditional_response(request, etag=tag)
        shared = response is None and _shared(request)
        if shared and (kept := cache.get(tag)):
            return _served(request, kept)
        if response is None:
            response = _made(view, request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            response.headers.setdefault("ETag", tag)
        # An answer to HEAD may have no body.
        filling = shared and request.method == "GET"
        if filling and _keepable(response, request) and PublicEdition.current() == edition:
            kept = _Answer.to(request, response)
            cache.put(tag, edition, kept)
            return _served(request, kept)
        return response

    return with_opened(answer)


def with_opened(view: View) -> View:
    """The view with what its ``opened``, if it has one, adds to each answer, 304 too."""
    opened: Callable[[HttpResponseBase], HttpResponseBase] | None = getattr(view, "opened", None)
    if opened is None:
        return view

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        return opened(view(request, *args, **kwargs))

    return answer


def _made(view: View, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
    """The view's response, rendered; what it refuses by an exception is answered here and not by
    Django, so that it can be kept."""
    try:
        response = view(request, *args, **kwargs)
    except (BadRequest, Http404) as refusal:
        return response_for_exception(request, refusal)
    return response.render() if hasattr(response, "render") else response


def _shared(request: HttpRequest) -> bool:
    """Whether the answer may come from the cache: not for whoever may be signed in."""
    asked = request.method in ("GET", "HEAD") and settings.ANSWER_CACHE_BYTES > 0
    return asked and settings.SESSION_COOKIE_NAME not in request.COOKIES


def _keepable(response: HttpResponseBase, request: HttpRequest) -> TypeGuard[HttpResponse]:
    """Whether all who come to this address in this edition may have this answer."""
    # Either would make it a person's own: reading the session, or printing a form's token.
    personal = request.session.accessed or "CSRF_COOKIE_NEEDS_UPDATE" in request.META
    return (
        response.status_code in _KEPT
        and isinstance(response, HttpResponse)
        and not (personal or response.cookies or response.has_header("Vary"))
        and len(response.content) <= MOST_BYTES
    )


def _served(request: HttpRequest, kept: _Answer) -> HttpResponse:
    response = HttpResponse(kept.body, status=kept.status, headers=kept.headers)
    return response if accepts_gzip(request) else decompressed(response)
