"""The history of the records: every version, any two compared, one restored."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.defaultfilters import date as day_and_hour
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ..exports import Record, record
from ..importer import ImportRefused, restore
from ..models import Agreement, Edition, Revision
from ..models.record import RevisionQuerySet
from ..record.after_change import names_in, record_change
from ..record.differences import Difference, differences, in_one_line
from ..workflow import Refused, begin_working_copy, content
from .guard import signed_in

PAGE_SIZE = 50


@admin.register(Revision)
class RevisionAdmin(admin.ModelAdmin):
    """The history of all records: to be read only."""

    list_display = ["agreement", "made_at", "made_by_name", "reason", "of_working_copy"]
    search_fields = ["agreement__title", "agreement__slug", "made_by_name", "reason"]
    list_select_related = ["agreement"]
    date_hierarchy = "made_at"
    fields = ["agreement", "made_at", "made_by_name", "reason", "of_working_copy", "snapshot"]

    def has_add_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        """Only together with a draft that was never public."""
        match = request.resolver_match
        return bool(match and match.url_name == "agreements_agreement_delete")


def urls(desk: "admin.ModelAdmin[Agreement]") -> list[URLPattern]:
    """The addresses of the pages below, for the admin of agreements."""
    pages: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
        "<int:pk>/history/": ("history", history),
        "<int:pk>/history/compare/": ("compare", compare),
        "<int:pk>/history/<int:version>/restore/": ("restore", restore_version),
    }
    return [
        path(
            route,
            desk.admin_site.admin_view(view),
            {"desk": desk},
            name=f"agreements_agreement_{name}",
        )
        for route, (name, view) in pages.items()
    ]


@require_safe
def history(request: HttpRequest, pk: int, desk: "admin.ModelAdmin[Agreement]") -> HttpResponse:
    """Every version of the record and of its working copies, newest first."""
    agreement = _seen(request, pk, desk)
    revisions = _history_of(agreement)
    page = Paginator(revisions, PAGE_SIZE).get_page(request.GET.get("page"))
    context = _context(desk, request, agreement, "History") | {
        "page": page,
        "versions": _told(list(page.object_list), revisions),
        "may_restore": _may_restore(request),
    }
    return render(request, "admin/agreements/agreement/record_history.html", context)


class CompareForm(forms.Form):
    """Two versions of one record."""

    def __init__(self, data: QueryDict, revisions: RevisionQuerySet) -> None:
        super().__init__(data)
        missing = "Choose the version to compare {}: it is not in this history."
        for name in ("from", "to"):
            message = missing.format(name)
            self.fields[name] = forms.ModelChoiceField(
                revisions, error_messages={"required": message, "invalid_choice": message}
            )

    def clean(self) -> dict[str, Any]:
        """Refuse one version twice."""
        chosen = [self.cleaned_data.get(name) for name in ("from", "to")]
        if chosen[0] and chosen[0] == chosen[1]:
            raise forms.ValidationError("Choose two different versions.")
        return self.cleaned_data


@require_safe
def compare(request: HttpRequest, pk: int, desk: "admin.ModelAdmin[Agreement]") -> HttpResponse:
    """Two versions of the record, field by field, the earlier one first."""
    agreement = _seen(request, pk, desk)
    form = CompareForm(request.GET, _history_of(agreement))
    if not form.is_valid():
        for problems in form.errors.values():
            for problem in problems:
                messages.error(request, str(problem))
        return redirect("admin:agreements_agreement_history", pk)
    before, after = sorted((form.cleaned_data[name] for name in ("from", "to")), key=_key)
    context = _context(desk, request, agreement, "Compare versions") | {
        "before": before,
        "after": after,
        "differences": _differences(before.record, after.record),
        "may_restore": _may_restore(request),
    }
    return render(request, "admin/agreements/agreement/record_compare.html", context)


class NotRestored(Exception):
    """Why a version was not restored. Nothing was written."""


class RestoreForm(forms.Form):
    """The state of the record that the person saw before confirming."""

    lock_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
def restore_version(
    request: HttpRequest, pk: int, version: int, desk: "admin.ModelAdmin[Agreement]"
) -> HttpResponse:
    """Show what would change, and on confirmation give the record the content it had.

    A record that is or was public keeps its content; its working copy, begun if there is none,
    gets the old one.
    """
    agreement = _seen(request, pk, desk)
    if not _may_restore(request):
        raise PermissionDenied
    revision = _history_of(agreement).filter(pk=version).first()
    if revision is None:
        raise Http404
    target = Agreement.objects.filter(revises=agreement).select_related("owner").first()
    target = target or agreement
    problems: list[str] = []
    if request.method == "POST":
        form = RestoreForm(request.POST)
        seen = form.cleaned_data["lock_version"] if form.is_valid() else -1
        try:
            written = _restore(target.pk, seen, revision, signed_in(request))
        except NotRestored as error:
            problems = [str(error)]
        except ImportRefused as refused:
            problems = [fault.removeprefix("record, ") for fault in refused.faults]
        else:
            messages.success(request, f"Restored {_named(revision)}.")
            return redirect("admin:agreements_agreement_change", written.pk)
        target.refresh_from_db(fields=["lock_version"])
    now = record(Agreement.objects.with_related().get(pk=target.pk), staff=True)
    context = _context(desk, request, agreement, "Restore a version") | {
        "revision": revision,
        "target": target,
        "begins_working_copy": _was_public(target),
        "differences": _differences(content(now), content(revision.record)),
        "form": RestoreForm(initial={"lock_version": target.lock_version}),
        "problems": problems,
    }
    status = 409 if problems else 200
    page = "admin/agreements/agreement/record_restore.html"
    return render(request, page, context, status=status)


@transaction.atomic
def _restore(pk: int, lock_version: int, revision: Revision, user: User) -> Agreement:
    """Write the version; returns what was written to. Raises NotRestored and ImportRefused."""
    Edition.lock()
    target = Agreement.objects.select_for_update().filter(pk=pk).first()
    if target is None or target.lock_version != lock_version:
        raise NotRestored(
            "Somebody changed the record after you opened this page. Nothing was restored. Look "
            "at what would change now, and confirm again."
        )
    if _was_public(target):
        try:
            target = begin_working_copy(target.pk, lock_version, user)
        except Refused as refused:
            raise NotRestored(str(refused)) from refused
    restore(target, revision.record)
    reason = f"Restored {_named(revision)}"
    if not record_change([target.pk], reason=reason, user=user):
        raise NotRestored("The record says already what this version says.")
    return target


def _was_public(agreement: Agreement) -> bool:
    return agreement.first_published_at is not None


def _seen(request: HttpRequest, pk: int, desk: "admin.ModelAdmin[Agreement]") -> Agreement:
    """The record, for whom may see it. A working copy has the history of what it revises."""
    found = Agreement.objects.filter(pk=pk).select_related("revises").first()
    if not desk.has_view_permission(request, found):
        raise PermissionDenied
    if found is None:
        raise Http404
    return found.revises or found


def _may_restore(request: HttpRequest) -> bool:
    return request.user.has_perm("agreements.change_agreement")


def _history_of(agreement: Agreement) -> RevisionQuerySet:
    return Revision.objects.filter(agreement=agreement).order_by("-pk")


def _told(page: list[Revision], revisions: RevisionQuerySet) -> list[dict[str, Any]]:
    """The versions of a page, each with the one before it and what it changed, in one line.

    A working copy is told against whatever came before it, the record against its own versions.
    """
    if not page:
        return []
    older = revisions.filter(pk__lt=page[-1].pk)
    before = [older.first(), older.filter(of_working_copy=False).first()]
    known = [*page, *sorted({r.pk: r for r in before if r}.values(), key=_key, reverse=True)]
    versions = []
    for number, revision in enumerate(page):
        earlier = (
            other
            for other in known[number + 1 :]
            if revision.of_working_copy or not other.of_working_copy
        )
        previous = next(earlier, None)
        told = differences(previous.record, revision.record) if previous else []
        versions.append({"revision": revision, "previous": previous, "summary": in_one_line(told)})
    return versions


def _differences(before: Record, after: Record) -> list[Difference]:
    return differences(before, after, names=names_in([before, after]))


def _key(revision: Revision) -> int:
    return revision.pk


def _named(revision: Revision) -> str:
    made_at = day_and_hour(timezone.localtime(revision.made_at), "j F Y, H:i")
    return f"the version of {made_at} by {revision.made_by_name}"


def _context(
    desk: "admin.ModelAdmin[Agreement]", request: HttpRequest, agreement: Agreement, title: str
) -> dict[str, Any]:
    return desk.admin_site.each_context(request) | {
        "title": title,
        "subtitle": str(agreement),
        "opts": desk.opts,
        "agreement": agreement,
        "history_url": reverse("admin:agreements_agreement_history", args=[agreement.pk]),
    }
