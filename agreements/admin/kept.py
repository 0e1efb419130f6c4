"""What was typed when the session had ended: kept in the new session until its author is back."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponseBase, QueryDict

#: No record comes near; more is somebody filling the table of sessions.
MOST_CHARACTERS = 1_000_000
_KEY = "typed"


def _signer() -> Signer:
    """Made when it is used: it reads the secret key, which importing must not make."""
    return Signer(salt="moctracker.typed-by")


def author_mark(user: User | AnonymousUser) -> str:
    """What a form carries to say whom it was made for; nobody can make one up."""
    return _signer().sign(str(user.pk))


def keeps_typed(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view of a form; a POST to it without a session leaves its values in a new one.

    The door of the desk, which asks for a second factor before any view is called, finds the way to
    keep them on the view: ``put_aside``. Uploaded files are not kept. The check against forged
    requests has been made by then.
    """

    @wraps(view)
    def kept(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method == "POST" and not request.user.is_authenticated:
            _keep(request)
        return view(request, *args, **kwargs)

    kept.put_aside = _keep  # type: ignore[attr-defined]
    return kept


def take(request: HttpRequest) -> QueryDict | None:
    """What this person typed into the form at this address before the session ended, once.

    Another person's is dropped unseen.
    """
    kept = request.session.get(_KEY)
    if not kept or kept["path"] != request.path:
        return None
    del request.session[_KEY]
    typed = QueryDict(kept["data"])
    return typed if _author(typed) == str(request.user.pk) else None


def _keep(request: HttpRequest) -> None:
    if _author(request.POST) is None:
        return
    data = request.POST.urlencode()
    if len(data) > MOST_CHARACTERS:
        messages.error(request, "Nothing was saved, and the form was too long to be kept.")
        return
    request.session[_KEY] = {"path": request.path, "data": data}
    messages.warning(request, "What you typed is kept, not yet saved: sign in to go on.")


def _author(typed: QueryDict) -> str | None:
    try:
        return _signer().unsign(typed.get("typed_by", ""))
    except BadSignature:
        return None
