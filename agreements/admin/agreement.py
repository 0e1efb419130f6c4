"""The form and the list of agreements."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import Exists, OuterRef, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import Agreement, Revision
from ..models.columns import Line
from ..record.after_change import record_change
from ..record.oddities import Oddity, Told, oddities
from ..rules.coverage import deepest_first
from ..rules.status import Status
from ..workflow import FROZEN
from . import imports, revisions, workflow
from .forms import HeldForm
from .guard import signed_in
from .rows import (
    EvidenceRows,
    FormerSlugRows,
    MilestoneRows,
    OutcomeRows,
    ParticipationRows,
    ProvisionRows,
    RelationRows,
    SignatoryRows,
    SourceRows,
)
from .saving import CarefulAdmin, Rows, Saving
from .worklists import WorklistFilter


class AgreementForm(HeldForm):
    """The record's own fields, and why they are changed."""

    reason = forms.CharField(
        label="Reason for the change",
        max_length=500,
        required=False,
        validators=Line.default_validators,
        help_text="A note for colleagues, kept in the history: what prompted the change, who asked "
        "for it. Left empty, the history names what you changed.",
    )


class StatusFilter(admin.SimpleListFilter):
    """Narrow the change list to agreements that stand in one status today."""

    title = "status today"
    parameter_name = "status_today"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        return queryset.with_status(timezone.localdate()).filter(status=self.value())


@admin.register(Agreement)
class AgreementAdmin(CarefulAdmin):
    """One form for the whole record, in the order in which an announcement tells it."""

    form = AgreementForm
    list_display = [
        "name",
        "publication",
        "participants",
        "signed_on",
        "status_today",
        "deepest",
        "last_edited_by",
        "updated_at",
    ]
    list_select_related = ["last_edited_by"]
    # The number of all records is not worth a query on every page.
    show_full_result_count = False
    # Each count beside a filter would be a query.
    show_facets = admin.ShowFacets.NEVER
    list_filter = [
        WorklistFilter,
        "state",
        StatusFilter,
        "instrument_type",
        "detail_level",
        "participations__role",
    ]
    search_fields = ["title", "short_title", "slug"]
    search_help_text = "Any words of the record: title, agencies by any name, people, places."
    list_per_page = 50
    save_on_top = True
    autocomplete_fields = ["products"]
    actions = [workflow.submit_for_review]
    prepopulated_fields = {"slug": ["short_title"]}
    readonly_fields = ["state", "updated_at", "status_today", "coverage"]
    fieldsets = [
        (None, {"fields": ["title", "short_title", "slug", "state", "status_today", "coverage"]}),
        (
            "The instrument",
            {
                "fields": [
                    "instrument_type",
                    "instrument_title",
                    "original_title",
                    "original_language",
                    "reference_numbers",
                ]
            },
        ),
        (
            "Signature and term",
            {
                "fields": [
                    "signed_on",
                    "signed_city",
                    "signed_country",
                    "signed_venue",
                    "term_stated",
                    "renewal_stated",
                    "legal_nature",
                    "legal_nature_stated",
                    "text_availability",
                    "text_url",
                ]
            },
        ),
        ("What it says", {"fields": ["summary", "areas_stated", "products"]}),
        ("The record", {"fields": ["detail_level", "source_notes", "staff_notes", "updated_at"]}),
        ("This change", {"fields": ["reason"]}),
    ]
    #: Which source, what, who, when and where, what it says, builds on and is to bring.
    reading_order = [
        "",
        "The instrument",
        "sources",
        "participations",
        "signatories",
        "Signature and term",
        "What it says",
        "provisions",
        "relations",
        "outcomes",
        "milestones",
        "evidence",
    ]
    # The sources come first: the other rows are saved with the sources they name.
    inlines = [
        SourceRows,
        ParticipationRows,
        SignatoryRows,
        ProvisionRows,
        MilestoneRows,
        RelationRows,
        OutcomeRows,
        EvidenceRows,
        FormerSlugRows,
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agreement]:
        """With what the list shows, or what a form asks of it first."""
        match = request.resolver_match
        listed = match is None or match.url_name == "agreements_agreement_changelist"
        every = Agreement.objects
        rows = every.with_listed() if listed else every.prefetch_related("products")
        working_copies = Agreement.objects.filter(revises=OuterRef("pk"))
        return rows.annotate(being_revised=Exists(working_copies))

    def version_of(self, obj: Agreement) -> str:
        """Every change of a record, by whatever path, makes this number grow."""
        return str(obj.lock_version)

    def _could_be_version(self, stated: str, obj: Agreement) -> bool:
        return stated.isdecimal() and len(stated) < 10 and int(stated) < obj.lock_version

    def last_change(self, obj: Agreement) -> tuple[str, datetime | None]:
        """The newest revision tells."""
        record, of_working_copy = obj.revises_id or obj.pk, obj.revises_id is not None
        history = Revision.objects.filter(agreement=record, of_working_copy=of_working_copy)
        newest = history.order_by("-pk").first()
        return (newest.made_by_name, newest.made_at) if newest else ("", None)

    def find_submission(self, stored: str) -> Agreement | None:
        return Agreement.objects.filter(submission=stored).first()

    def mark(self, obj: Agreement, saving: Saving) -> None:
        obj.submission = saving.stored_submission

    def odd(self, obj: Agreement, rows: Rows) -> list[Oddity]:
        names = [each.name for each in dataclasses.fields(Told) if each.name != "agreement"]
        told = Told(obj, **{name: rows.get(name, []) for name in names})
        return oddities(told, timezone.localdate())

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Agreement], bool]:
        """The register's own search; autocomplete asks by the beginning of words instead.

        It offers no working copy."""
        chosen = request.resolver_match and request.resolver_match.url_name == "autocomplete"
        if chosen:
            queryset = queryset.filter(revises=None)
        if not search_term.strip():
            return queryset, False
        if chosen:
            return super().get_search_results(request, queryset, search_term)
        return queryset.search(search_term), False

    def get_urls(self) -> list[URLPattern]:
        pages = imports.urls(self) + revisions.urls(self) + workflow.urls(self)
        return pages + super().get_urls()

    def get_readonly_fields(self, request: HttpRequest, obj: Agreement | None = None) -> list[str]:
        frozen = ["slug"] if obj and (obj.first_published_at or obj.revises_id) else []
        return [*self.readonly_fields, *frozen]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Agreement | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else self.prepopulated_fields

    def get_inlines(
        self, request: HttpRequest, obj: Agreement | None
    ) -> "list[type[InlineModelAdmin[Any, Any]]]":
        """Former addresses stay with the published record."""
        working_copy = obj is not None and obj.revises_id
        return [row for row in self.inlines if not (working_copy and row is FormerSlugRows)]

    def view_on_site(self, obj: Agreement) -> str | None:
        return obj.get_absolute_url() if obj.public else None

    def has_change_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        """What the public sees or saw is changed in a working copy."""
        frozen = obj is not None and obj.state in FROZEN
        return not frozen and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        """What was once public is withdrawn, never deleted; a working copy is discarded."""
        draft = obj is not None and obj.first_published_at is None and obj.revises_id is None
        return draft and super().has_delete_permission(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The moves open to this person stand above the form."""
        if obj := kwargs.get("obj"):
            prefetch_related_objects([obj], "provisions__area", "milestones")
            context |= workflow.desk(request, obj)
        form: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return form

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No deletion in bulk."""
        return {k: v for k, v in super().get_actions(request).items() if k != "delete_selected"}

    def save_model(
        self, request: HttpRequest, obj: Agreement, form: AgreementForm, change: bool
    ) -> None:
        """Whoever types a new record looks after it."""
        if not change and not obj.owner_id:
            obj.owner = signed_in(request)
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: AgreementForm, formsets: Any, change: bool
    ) -> None:
        """The record is whole only now: index it and keep a revision."""
        super().save_related(request, form, formsets, change)
        reason = form.cleaned_data.get("reason") or ("" if change else "Created")
        record_change([form.instance.pk], reason=reason, user=signed_in(request))

    def action_checkbox(self, obj: Agreement) -> SafeString:
        """The box to tick, and the version of the record that is shown beside it."""
        seen = workflow.seen_in_list(obj)["lock_version"]
        return format_html("{}{}", super().action_checkbox(obj), seen)

    @admin.display(description="agreement", ordering="short_title")
    def name(self, agreement: Agreement) -> str:
        return f"Working copy: {agreement}" if agreement.revises_id else str(agreement)

    @admin.display(description="publication state", ordering="state")
    def publication(self, agreement: Any) -> str:
        state = agreement.get_state_display()
        if agreement.revises_id:
            return f"{state}: working copy of a published record"
        return f"{state}, a working copy is open" if agreement.being_revised else state

    @admin.display(description="participants")
    def participants(self, agreement: Agreement) -> str:
        short = [part.agency.short_name for part in agreement.participations.all()]
        more = f" and {len(short) - 6} more" if len(short) > 6 else ""
        return ", ".join(short[:6]) + more

    @admin.display(description="status today")
    def status_today(self, agreement: Agreement) -> str:
        if not agreement.pk:
            return "Worked out from the dates once they are saved."
        ruling = agreement.ruling_on(timezone.localdate())
        return format_html('<span title="{}">{}</span>', ruling.because, ruling.status.label)

    @admin.display(description="coverage, deepest first")
    def deepest(self, agreement: Agreement) -> str:
        """One line for the list: the deepest stage, and how many others are reached."""
        reached = [(cell.stage, reach) for cell in agreement.stages if (reach := cell.deepest)]
        if not reached:
            return "Not stated"
        stage, reach = min(reached, key=lambda pair: deepest_first(pair[1]))
        more = len(reached) - 1
        others = f", and {more} more stage{'s' if more > 1 else ''}" if more else ""
        return f"{stage.label}: {reach}{others}"

    @admin.display(description="coverage")
    def coverage(self, agreement: Agreement) -> str:
        if not agreement.pk:
            return "Worked out from the provisions once they are saved."
        stated = [cell for cell in agreement.stages if cell.provisions]
        words = [f"{cell.stage.label}: {cell.deepest or 'Excluded'}" for cell in stated]
        return "; ".join(words) or "Not stated"
