"""Saving in the staff desk: nobody overwrites anybody, nothing is saved twice, nothing typed is
lost, and what is odd is asked about first.

Django saves a form that is valid. These forms can besides be *held*: nothing is written and the
page comes back with what was typed, because a colleague saved meanwhile, because something is odd
and has not been confirmed, because the session had ended, or because the record is gone.
"""

import datetime
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import Model
from django.db.models.options import Options
from django.forms.utils import ErrorDict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.text import capfirst, slugify

from ..exports import record
from ..models import Edition
from ..record.oddities import Oddity, digest
from .conflict import Conflict, Line, differing, standing_forms, take_in
from .forms import HeldForm, RowFormSet, look_up_choices
from .kept import author_mark, keeps_typed, take
from .posted import in_order, put_rows, rows_of, with_plain_lines
from .rows import Typed

#: By kind, the rows of a record, each with its place in the form.
Rows = dict[str, list[tuple[str, Any]]]


@dataclass
class Saving:
    """One request to a form, on its way."""

    #: The version that the page carries on.
    version: str = ""
    submission: str = ""
    #: The one-time token and what was typed in one word, as it is stored with the record.
    stored_submission: str | None = None
    conflict: Conflict | None = None
    oddities: list[Oddity] = field(default_factory=list)
    restored: bool = False
    gone: bool = False
    files: bool = False
    formsets: list[Any] = field(default_factory=list)
    #: The stored rows of each kind, read once: the forms write into them what was typed.
    stored: dict[str, list[Model]] = field(default_factory=dict)
    #: The record and its rows as they were before that.
    before: tuple[Model, Rows] | None = None

    @property
    def held(self) -> bool:
        """Whether nothing may be written this time."""
        return bool(self.conflict or self.oddities or self.restored or self.gone)

    @property
    def digest(self) -> str:
        """What ticking the box confirms."""
        return digest(self.oddities)

    @property
    def odd_lines(self) -> list[Line]:
        """The points to confirm, each with a link to its field and to the other record."""
        return [
            Line(f"id_{odd.place}" if odd.place else "", odd.sentence, other=odd.other)
            for odd in self.oddities
        ]


class AlreadySaved(Exception):
    """This very form has been saved: it was sent twice."""

    def __init__(self, saved: Model) -> None:
        super().__init__(saved)
        self.saved = saved


class AskFirst(Exception):
    """The form is valid, and something in it is odd that has not been confirmed."""

    def __init__(self, found: list[Oddity]) -> None:
        super().__init__(found)
        self.found = found


class CarefulAdmin(Typed, admin.ModelAdmin):
    """A form of the desk. What is saved is what its author saw."""

    form = HeldForm
    #: Names of field groups and prefixes of rows in the order of an announcement; others follow.
    reading_order: ClassVar[list[str]] = []

    class Media:
        js = ["agreements/desk.js"]

    def get_urls(self) -> list[URLPattern]:
        urls = super().get_urls()
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        for address in urls:
            if address.name in (f"{name}_add", f"{name}_change"):
                address.callback = keeps_typed(address.callback)
        return urls

    # --- what the kinds of records differ in ---

    def version_of(self, obj: Any) -> str:
        """The version of a record that has no column for it: a digest of its content."""
        fresh = self.model._default_manager.get(pk=obj.pk)
        return hashlib.sha256(repr(record(fresh)).encode()).hexdigest()

    def last_change(self, obj: Any) -> tuple[str, datetime.datetime | None]:
        """Who saved it last and when; empty where nobody knows."""
        kind = ContentType.objects.get_for_model(obj)
        entries = LogEntry.objects.filter(content_type=kind, object_id=str(obj.pk))
        entry = entries.select_related("user").order_by("-action_time", "-pk").first()
        return (entry.user.get_username(), entry.action_time) if entry else ("", None)

    def find_submission(self, stored: str) -> Model | None:
        """The record that this form has made, if it has been sent before."""
        return None

    def odd(self, obj: Any, rows: Rows) -> list[Oddity]:
        """What is odd in a record and its rows, each with its place in the form."""
        return []

    # --- the way of a request ---

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form. A POST that may not be saved comes back with what was typed."""
        show: Callable[[], Any] = partial(
            super().changeform_view, request, object_id, form_url, extra_context
        )
        saving = self._begin(request)
        if request.method != "POST":
            typed = take(request)
            if typed is None or not self._may_save(request, object_id):
                return show()
            # Shown as if it had just been posted. Held, so nothing is written; and the check
            # against forged requests was made when it was.
            self._read(request, saving, typed)
            request.method = "POST"
            saving.restored = True
            try:
                return show()
            finally:
                request.method = "GET"
        self._read(request, saving, request.POST)
        try:
            response = show()
            # Not saved, perhaps because the same form was, in the same moment.
            made = None if response.status_code == 302 else self._made_before(object_id, saving)
        except AlreadySaved as before:
            return self._answer_again(request, before.saved, object_id)
        except AskFirst as ask:
            saving.oddities = ask.found
            made = self._made_before(object_id, saving)
            response = None if made else show()
        except IntegrityError:
            # Another form took a unique value meanwhile; this time that is an error of its field.
            made = self._made_before(object_id, saving)
            response = None if made else show()
        if made:
            return self._answer_again(request, made, object_id)
        conflict = saving.conflict
        if conflict and not conflict.differences and not conflict.unknown:
            # What they saved is what was typed.
            told = response.context_data if isinstance(response, TemplateResponse) else None
            if told and not told["errors"] and object_id is not None:
                saved = super().get_object(request, unquote(object_id))
                return self._answer_again(request, saved, object_id)
        return response

    def _begin(self, request: HttpRequest) -> Saving:
        saving = Saving(submission=str(uuid.uuid4()))
        request.saving = saving  # type: ignore[attr-defined]
        return saving

    def _read(self, request: HttpRequest, saving: Saving, typed: QueryDict) -> None:
        """Take what was typed and its one-time token."""
        # The files are read before the values are replaced: reading them reads both.
        saving.files = bool(request.FILES)
        request.POST = with_plain_lines(typed)  # type: ignore[assignment]
        token = request.POST.get("submission", "")
        if re.fullmatch(r"[0-9a-f-]{36}", token, re.ASCII):
            saving.submission = token
            # The same form sent twice is one submission; sent again with other values, it is not.
            told = sorted(
                (name, values)
                for name, values in request.POST.lists()
                if name != "csrfmiddlewaretoken" and not name.startswith("_")
            )
            saving.stored_submission = str(uuid.uuid5(uuid.NAMESPACE_OID, repr((token, told))))

    def _made_before(self, object_id: str | None, saving: Saving) -> Model | None:
        if object_id is not None or not saving.stored_submission:
            return None
        return self.find_submission(saving.stored_submission)

    def _may_save(self, request: HttpRequest, object_id: str | None) -> bool:
        if object_id is None:
            return self.has_add_permission(request)
        obj = super().get_object(request, unquote(object_id))
        if obj is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, obj)

    def _answer_again(
        self, request: HttpRequest, saved: Any, object_id: str | None
    ) -> HttpResponse:
        """The answer that the first of two equal submissions got."""
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return self.response_add(request, saved)
        if not self.has_change_permission(request, saved):
            raise PermissionDenied
        return self.response_change(request, saved)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The record; for a form that was sent, compared with what its author saw."""
        saving: Saving | None = getattr(request, "saving", None)
        if saving is None or request.method != "POST":
            return super().get_object(request, object_id, from_field)
        # Let no other form save this record until the transaction ends.
        Edition.lock()
        obj = super().get_object(request, object_id, from_field)
        if obj is None or not self.has_change_permission(request, obj):
            return obj
        if saving.stored_submission and saving.stored_submission == getattr(
            obj, "submission", None
        ):
            raise AlreadySaved(obj)
        self._compare(request, obj, saving)
        return obj

    def _compare(self, request: HttpRequest, obj: Any, saving: Saving) -> None:
        """Notice what was saved since the form was opened, and take in the rows it cannot show."""
        if saving.conflict:
            return
        saving.version = self.version_of(obj)
        stated = request.POST.get("lock_version", "")
        conflict = None
        if stated != saving.version:
            by, at = self.last_change(obj)
            conflict = Conflict(by, at, unknown=not self._could_be_version(stated, obj))
        shown: dict[str, RowFormSet] = {}
        for prefix, inline, formset_class in self._kinds_of_rows(request, obj):
            if inline.has_change_permission(request, obj):
                stored = inline.get_queryset(request)
                shown[prefix] = formset_class(instance=obj, prefix=prefix, queryset=stored)
        for rows in shown.values():
            # The sources are shown by their numbers.
            rows.sources = shown.get("sources")
        saving.stored = {prefix: list(rows.get_queryset()) for prefix, rows in shown.items()}
        saving.before = (
            copy(obj),
            {prefix: [("", copy(row)) for row in rows] for prefix, rows in saving.stored.items()},
        )
        saving.conflict = take_in(request.POST, obj, shown, conflict)

    def _could_be_version(self, stated: str, obj: Any) -> bool:
        """Whether a form that was opened earlier can have carried this version."""
        return bool(re.fullmatch(r"[0-9a-f]{64}", stated, re.ASCII))

    def _kinds_of_rows(
        self, request: HttpRequest, obj: Any
    ) -> Iterator[tuple[str, InlineModelAdmin, Any]]:
        for inline in self.get_inline_instances(request, obj):
            formset_class: Any = inline.get_formset(request, obj)
            yield formset_class.get_default_prefix(), inline, formset_class

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: "Options[Any]", object_id: str
    ) -> Any:
        """A record that was deleted meanwhile: what was typed is offered as a new one."""
        saving: Saving | None = getattr(request, "saving", None)
        numeric = object_id.isdecimal()
        if not saving or request.method != "POST" or not numeric or saving.gone:
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[misc]
        if not self.has_add_permission(request):
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[misc]
        saving.gone = True
        add = f"admin:{opts.app_label}_{opts.model_name}_add"
        return self._changeform_view(  # type: ignore[attr-defined]
            request, None, reverse(add, current_app=self.admin_site.name), None
        )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        saving: Saving | None = getattr(request, "saving", None)
        if saving is None or request.method != "POST":
            return made
        if obj is None:
            # Nothing is stored: all rows are new, whatever the form states.
            for prefix, _, formset_class in self._kinds_of_rows(request, None):
                parent = formset_class.fk.name
                _, new, _ = in_order(rows_of(request.POST, prefix), (), {})
                for row in new:
                    row.pop(parent, None)
                put_rows(request.POST, prefix, [], new)
        made.held = saving.held
        return made

    def _create_formsets(
        self, request: HttpRequest, obj: Model, change: bool
    ) -> tuple[list[RowFormSet], list[InlineModelAdmin]]:
        formsets, inlines = super()._create_formsets(request, obj, change)  # type: ignore[misc]
        saving: Saving | None = getattr(request, "saving", None)
        sources = next((rows for rows in formsets if rows.prefix == "sources"), None)
        for rows in formsets:
            rows.sources = sources
            if saving and rows.prefix in saving.stored:
                rows.stored = saving.stored[rows.prefix]
        if not change or self.has_change_permission(request, obj):
            look_up_choices(form for rows in formsets for form in rows.forms)
        if saving:
            saving.formsets = formsets
        return formsets, inlines

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Everything is valid: ask about what is odd, once, then save. Raises AskFirst."""
        saving: Saving | None = getattr(request, "saving", None)
        if saving:
            rows = {
                each.prefix: [(form.prefix, form.instance) for form in standing_forms(each)]
                for each in saving.formsets
            }
            found = self.odd(obj, rows)
            if found and saving.before:
                known = self.odd(*saving.before)
                found = [oddity for oddity in found if oddity not in known]
            if found and request.POST.get("confirmed") != digest(found):
                raise AskFirst(found)
            self.mark(obj, saving)
        super().save_model(request, obj, form, change)

    def mark(self, obj: Any, saving: Saving) -> None:
        """Remember which form is being saved, where there is a column for it."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """To go on editing is to go on where one was."""
        response = super().response_change(request, obj)
        place = request.POST.get("place", "")
        if "_continue" in request.POST and re.fullmatch(r"section-[a-z0-9_-]{1,60}", place):
            return self._at(response, place)
        return response

    @staticmethod
    def _at(response: HttpResponse, place: str) -> HttpResponse:
        if isinstance(response, HttpResponseRedirect):
            response["Location"] = f"{response.url}#{place}"
        return response

    # --- the page ---

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """The page, with the head that says why it was not saved."""
        saving: Saving = getattr(request, "saving", None) or self._begin(request)
        form, formsets = context["adminform"].form, context["inline_admin_formsets"]
        if obj is not None and obj.pk and not saving.version:
            saving.version = self.version_of(obj)
        if saving.conflict:
            saving.conflict.differences = list(
                differing(form, [each.formset for each in formsets], saving.conflict)
            )
        context |= {
            "saving": saving,
            "author": author_mark(request.user),
            "error_lines": list(_error_lines(form, [each.formset for each in formsets])),
            "sections": self._sections(context["adminform"], formsets),
            "place": request.POST.get("place", "") if request.method == "POST" else "",
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _sections(self, adminform: Any, formsets: list[Any]) -> list[dict[str, Any]]:
        sections = [
            {
                "key": group.name or "",
                "id": f"section-{slugify(group.name or 'head')}",
                "name": group.name or capfirst(self.opts.verbose_name),
                "group": group,
                "number": number,
            }
            for number, group in enumerate(adminform)
        ] + [
            {
                "key": each.formset.prefix,
                "id": f"section-{each.formset.prefix}",
                "name": capfirst(each.opts.verbose_name_plural),
                "rows": each,
            }
            for each in formsets
        ]
        order = {key: number for number, key in enumerate(self.reading_order)}
        return sorted(sections, key=lambda section: order.get(section["key"], len(order)))


def _error_lines(form: HeldForm, formsets: list[Any]) -> Iterator[Line]:
    """Every error with a link to its place."""
    yield from _errors_of(form, form.errors if form.is_bound else ErrorDict(), "", "")
    for formset in formsets:
        if not formset.is_bound:
            continue
        noun = capfirst(formset.model._meta.verbose_name)
        for message in formset.non_form_errors():
            yield Line(f"{formset.prefix}-group", noun, str(message))
        for number, row in enumerate(formset.forms, start=1):
            yield from _errors_of(row, row.errors, row.prefix, f"{noun} {number}")


def _errors_of(form: Any, errors: ErrorDict, row: str, noun: str) -> Iterator[Line]:
    for name, messages in errors.items():
        label = form.fields[name].label if name in form.fields else ""
        target = form[name].id_for_label or f"id_{form.add_prefix(name)}" if label else row
        for message in messages:
            yield Line(target, ": ".join(filter(None, (noun, str(label or "")))), str(message))
