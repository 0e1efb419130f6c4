"""Import in the admin: a file is uploaded, its effect is shown, and only then is it written.

What takes long is streamed: the head of the page at once, then a line for each step, then the
result. So progress is seen without JavaScript, and a browser that is closed stops the work.
"""

import logging
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..exports.tables import NOUNS
from ..importer import Change, Imported, ImportRefused, Plan, plan, read
from ..models import Agreement, PendingImport
from ..models.columns import Line
from ..record.after_change import names_in
from ..record.differences import Difference, differences
from .background import Outcome, Teller, in_background
from .guard import signed_in

T = TypeVar("T")

#: Who may import.
IMPORT = "agreements.import_register"
IMPORT_FILE_LIMIT = 200 * 2**20
#: More records of one kind than a person reads; the others are counted. Marking the words that
#: differ in long texts takes time.
SHOWN = 200
TEMPLATES = "admin/agreements/import/"

logger = logging.getLogger(__name__)


class UploadForm(forms.Form):
    """The file."""

    file = forms.FileField(
        help_text="A CSV table, a register document (JSON) or a data package (ZIP), as this "
        "register gives them. At most 200 MB."
    )

    def clean_file(self) -> Any:
        """Refuse what is too large."""
        file = self.cleaned_data["file"]
        if file.size > IMPORT_FILE_LIMIT:
            raise forms.ValidationError("The file has more than 200 MB.")
        return file


class ReasonForm(forms.Form):
    """Why all this is changed."""

    reason = forms.CharField(
        max_length=400,
        validators=Line.default_validators,
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
        help_text="Stands in the history of each record that changes: what the file is, and where "
        "it comes from.",
    )


class _AlreadyImported(Exception):
    """Somebody confirmed twice."""


class _RegisterChanged(Exception):
    """What was shown is no longer what would happen."""


def urls(model_admin: "admin.ModelAdmin[Agreement]") -> list[URLPattern]:
    """The addresses of the import, under those of the agreements."""

    def guarded(view: Callable[..., HttpResponse | StreamingHttpResponse]) -> Any:
        allowed = permission_required(IMPORT, raise_exception=True)
        return model_admin.admin_site.admin_view(allowed(view))

    return [
        path("import/", guarded(upload), name="agreements_import"),
        path("import/<int:pk>/", guarded(preview), name="agreements_import_preview"),
        path("import/<int:pk>/apply/", guarded(apply), name="agreements_import_apply"),
        path("import/<int:pk>/cancel/", guarded(cancel), name="agreements_import_cancel"),
    ]


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Take the file; what it would do is shown on the next page."""
    PendingImport.discard_old()
    sent = request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if sent else UploadForm()
    if not form.is_valid():
        return render(request, f"{TEMPLATES}upload.html", _context(request, form=form))
    user = signed_in(request)
    for earlier in PendingImport.objects.filter(uploaded_by=user, applied_at=None):
        earlier.discard()
    file = form.cleaned_data["file"]
    printable = "".join(c for c in file.name if c.isprintable())
    pending = PendingImport(uploaded_by=user, name=printable[-200:] or "file")
    # Its own name could hold anything, and says nothing about the content.
    pending.file.save(uuid.uuid4().hex, file)
    return redirect("admin:agreements_import_preview", pending.pk)


# For BodyLimit.
upload.body_limit = IMPORT_FILE_LIMIT  # type: ignore[attr-defined]
upload.body_permission = IMPORT  # type: ignore[attr-defined]


@require_safe
def preview(request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """Show what the file would change; write nothing."""
    pending = _pending(request, pk)
    if pending.applied_at:
        return _imported_before(request)
    return _streamed(request, pending, "What would be imported", _previewed(request, pending))


@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """Write what was shown, all of it or nothing."""
    pending = _pending(request, pk)
    if pending.applied_at:
        return _imported_before(request)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        context = _context(request, form=form, pending=pending)
        return render(request, f"{TEMPLATES}reason.html", context)
    reason = form.cleaned_data["reason"]
    return _streamed(request, pending, "Importing", _applied(request, pending, reason))


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget the file."""
    pending = _pending(request, pk)
    if pending.applied_at:
        return _imported_before(request)
    pending.discard()
    messages.success(request, f"“{pending.name}” was discarded. Nothing was imported.")
    return redirect("admin:agreements_agreement_changelist")


def _pending(request: HttpRequest, pk: int) -> PendingImport:
    """One's own upload; nobody sees another's."""
    return get_object_or_404(PendingImport, pk=pk, uploaded_by=signed_in(request))


def _imported_before(request: HttpRequest) -> HttpResponseRedirect:
    messages.info(request, "This file has been imported already.")
    return redirect("admin:agreements_import")


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": "Import", **more}


def _streamed(
    request: HttpRequest, pending: PendingImport, title: str, parts: Iterator[str]
) -> StreamingHttpResponse:
    """The page around ``parts``. Its head goes out at once, by nobody held back."""
    # The cookie of the form below must go out with the headers.
    get_token(request)
    context = _context(request, title=title, pending=pending)
    head, tail = render_to_string(f"{TEMPLATES}running.html", context, request).split(
        "<!-- what comes -->"
    )

    def page() -> Iterator[str]:
        yield head
        yield from parts
        yield tail

    response = StreamingHttpResponse(page())
    # Compression would hold the lines back until there are enough of them, and so would nginx.
    response["Content-Encoding"] = "identity"
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "no-store"
    return response


def _lines(work: Callable[[Teller], T]) -> Generator[str, None, Outcome[T]]:
    """The steps as a list that is read out as it grows; returns the Outcome."""
    yield '<div role="status"><ul class="import-progress">\n'
    running = in_background(work)
    try:
        while True:
            yield format_html("<li>{}</li>\n", next(running))
    except StopIteration as ended:
        outcome: Outcome[T] = ended.value
    finally:
        running.close()
    yield "</ul></div>\n"
    return outcome


def _planned(pending: PendingImport, teller: Teller) -> Plan:
    teller.line("Reading the file.")
    with pending.file.open("rb") as file:
        document = read(pending.name, file)
    teller.line("Comparing it with the register.")
    return plan(document, teller.counting("Checked"))


def _previewed(request: HttpRequest, pending: PendingImport) -> Iterator[str]:
    outcome = yield from _lines(lambda teller: _planned(pending, teller))
    if outcome.error:
        yield _told(request, pending, outcome.error)
        return
    found = outcome.result
    PendingImport.objects.filter(pk=pending.pk).update(edition=found.edition)
    context = {
        "pending": pending,
        "plan": found,
        "tables": {
            name: {"plan": table, "changed": _differing(found, name)}
            for name, table in found.tables.items()
            if table.changes or name == "agreements"
        },
        "something": any(table.changes for table in found.tables.values()),
        "form": ReasonForm(),
        "shown": SHOWN,
    }
    yield render_to_string(f"{TEMPLATES}_plan.html", context, request)


def _differing(found: Plan, name: str) -> list[tuple[Change, list[Difference]]]:
    """The changed records of one table that are shown, each with what differs in it."""
    noun, shown = NOUNS[name], found.tables[name].changed[:SHOWN]
    states = [state for change in shown for state in (change.before, change.after) if state]
    names = names_in(states, model=noun)
    for table, model in NOUNS.items():
        # What the file itself brings has no name in the register yet.
        added = {change.slug: change.title for change in found.tables[table].added}
        names[model] = added | names.get(model, {})
    return [
        (change, differences(change.before or {}, change.after, model=noun, names=names))
        for change in shown
    ]


def _applied(request: HttpRequest, pending: PendingImport, reason: str) -> Iterator[str]:
    def work(teller: Teller) -> Imported:
        planned = _planned(pending, teller)
        if planned.edition != pending.edition:
            raise _RegisterChanged
        with transaction.atomic():
            free = PendingImport.objects.filter(pk=pending.pk, applied_at=None)
            if not free.update(applied_at=timezone.now()):
                raise _AlreadyImported
            return planned.apply(
                reason=reason, user=signed_in(request), progress=teller.counting("Wrote")
            )

    outcome = yield from _lines(work)
    if outcome.error:
        yield _told(request, pending, outcome.error)
        return
    pending.file.delete(save=False)
    yield render_to_string(f"{TEMPLATES}_done.html", {"imported": outcome.result}, request)


def _told(request: HttpRequest, pending: PendingImport, error: Exception) -> str:
    """What went wrong, and what to do; whatever it is, nothing has been written."""
    context: dict[str, Any] = {"pending": pending}
    if isinstance(error, ImportRefused):
        context["faults"] = error.faults
    elif isinstance(error, _RegisterChanged):
        context["changed"] = True
    elif isinstance(error, _AlreadyImported):
        context["already"] = True
    elif isinstance(error, FileNotFoundError):
        context["gone"] = True
    else:
        logger.error("An import failed.", exc_info=error)
    return render_to_string(f"{TEMPLATES}_refused.html", context, request)
