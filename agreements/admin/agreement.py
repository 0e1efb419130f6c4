"""The form and the list of agreements."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from ..coverage import deepest_first
from ..history import record_change
from ..models import Agreement
from ..models.vocabulary import validate_code
from ..status import Status
from .rows import (
    ROOM_TO_TYPE,
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


class AgreementForm(forms.ModelForm):
    """The record's own fields, and the one way to change an address that has been published."""

    move_to = forms.CharField(
        label="Move to another address",
        max_length=120,
        required=False,
        validators=[validate_code],
        help_text="Only if the present address is wrong. It will lead to the new one for good.",
    )

    def clean_move_to(self) -> str:
        """Only what has been published is moved, and only to an address that is free."""
        slug = self.cleaned_data["move_to"]
        if not slug:
            return slug
        if not self.instance.first_published_at:
            raise ValidationError("It has not been published: change its slug above.")
        if Agreement.objects.filter(slug=slug).exclude(pk=self.instance.pk).exists():
            raise ValidationError("Another record has this address.")
        self.instance.slug = slug
        return slug


class StatusFilter(admin.SimpleListFilter):
    """Narrow the change list to agreements that stand in one status today."""

    title = "status today"
    parameter_name = "status_today"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        return queryset.with_status(timezone.localdate()).filter(status=self.value())


@admin.register(Agreement)
class AgreementAdmin(admin.ModelAdmin):
    """One form for the whole record, in the order in which an announcement tells it."""

    form = AgreementForm
    formfield_overrides = ROOM_TO_TYPE
    list_display = ["name", "state", "participants", "signed_on", "status_today", "deepest"]
    list_filter = ["state", StatusFilter, "instrument_type", "detail_level", "participations__role"]
    search_fields = ["title", "short_title", "slug"]
    search_help_text = "Any words of the record: title, agencies by any name, people, places."
    list_per_page = 50
    save_on_top = True
    autocomplete_fields = ["products", "merged_into"]
    prepopulated_fields = {"slug": ["short_title"]}
    readonly_fields = ["updated_at", "status_today", "coverage"]
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
                    "legal_nature",
                    "legal_nature_stated",
                    "reference_numbers",
                    "text_availability",
                    "text_url",
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
                ]
            },
        ),
        ("What it says", {"fields": ["summary", "areas_stated", "products"]}),
        ("The record", {"fields": ["detail_level", "source_notes", "staff_notes", "updated_at"]}),
        (
            "Withdrawal",
            {"fields": ["withdrawal_kind", "withdrawal_reason", "withdrawn_on", "merged_into"]},
        ),
        ("Address", {"fields": ["move_to"]}),
    ]
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
        return Agreement.objects.with_listed()

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """The register's own search; autocomplete asks by the beginning of words instead."""
        if not search_term.strip():
            return queryset, False
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":
            return super().get_search_results(request, queryset, search_term)
        return queryset.search(search_term), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        frozen = ["slug"] if obj and obj.first_published_at else []
        return [*self.readonly_fields, *frozen]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict:
        return {} if obj else self.prepopulated_fields

    def view_on_site(self, obj: Agreement) -> str | None:
        return obj.get_absolute_url() if obj.public else None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was once public is withdrawn, never deleted."""
        never_public = obj is not None and obj.first_published_at is None
        return never_public and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict:
        """No deletion in bulk."""
        return {k: v for k, v in super().get_actions(request).items() if k != "delete_selected"}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The record is whole only now: index it and keep a revision."""
        super().save_related(request, form, formsets, change)
        user: AbstractBaseUser = request.user  # type: ignore[assignment]
        record_change([form.instance.pk], reason="Edited" if change else "Created", user=user)

    @admin.display(description="agreement", ordering="short_title")
    def name(self, agreement: Agreement) -> str:
        return str(agreement)

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
