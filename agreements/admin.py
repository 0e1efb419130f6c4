"""The staff desk."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from .coverage import deepest_first
from .history import record_change, reindex_agencies, reindex_terms
from .models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Evidence,
    FormerSlug,
    Milestone,
    Outcome,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Revision,
    Signatory,
    Source,
)
from .models.columns import Line, Prose
from .models.vocabulary import validate_code
from .status import Status

admin.site.site_title = "moctracker"
admin.site.site_header = "moctracker – staff desk"
admin.site.index_title = "The register"
# The change list needs the width.
admin.site.enable_nav_sidebar = False


#: A sentence needs three lines, a title the width.
_ROOM_TO_TYPE: dict[Any, dict[str, Any]] = {
    Prose: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
    Line: {"widget": AdminTextInputWidget(attrs={"class": "vLargeTextField"})},
}


class _Rows(admin.StackedInline):
    """The rows of an agreement. Stacked, because a tabular inline has no labels."""

    formfield_overrides = _ROOM_TO_TYPE
    extra = 0
    show_change_link = False


class _SourcedFormSet(BaseInlineFormSet):
    """Refuses what only the whole form can see."""

    def clean(self) -> None:
        """A row may not rest on a source that the same form deletes, nor repeat a relation."""
        super().clean()
        count = str(self.data.get("sources-TOTAL_FORMS", ""))
        numbers = range(min(int(count), 1000)) if count.isdecimal() else range(0)
        going = {
            self.data.get(f"sources-{n}-id")
            for n in numbers
            if self.data.get(f"sources-{n}-DELETE")
        }
        seen = set()
        for form in self.forms:
            row = getattr(form, "cleaned_data", None)
            if not row or row.get("DELETE"):
                continue
            for name in ("source", "reported_source"):
                if row.get(name) and str(row[name].pk) in going:
                    form.add_error(name, "This source is being deleted.")
            if self.model is Relation:
                relation = (row.get("kind"), row.get("target"), row.get("target_title"))
                if relation in seen:
                    form.add_error(None, "This relation is already recorded.")
                seen.add(relation)


class _SourcedRows(_Rows):
    """Rows that rest on a source: only this agreement's own sources are offered."""

    formset = _SourcedFormSet

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        self.agreement = obj
        return super().get_formset(request, obj, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is Source:
            own = {"agreement": self.agreement} if self.agreement else {"pk__in": []}
            kwargs["queryset"] = Source.objects.filter(**own)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class SourceRows(_Rows):
    model = Source
    ordering = ["number"]
    readonly_fields = ["checked_at", "check_result"]


class ParticipationRows(_Rows):
    model = Participation
    autocomplete_fields = ["agency"]
    verbose_name = "participant"
    verbose_name_plural = "participants"


class SignatoryRows(_Rows):
    model = Signatory
    autocomplete_fields = ["agency"]


class ProvisionRows(_SourcedRows):
    model = Provision
    autocomplete_fields = ["area", "products", "relying", "reference"]
    fields = [
        "position",
        "area",
        "depth",
        "commitment",
        "products",
        "statement",
        "condition",
        "direction",
        "relying",
        "reference",
        "source",
        "locator",
    ]


class MilestoneRows(_SourcedRows):
    model = Milestone


class RelationRows(_SourcedRows):
    model = Relation
    fk_name = "agreement"
    autocomplete_fields = ["target"]


class OutcomeRows(_SourcedRows):
    model = Outcome
    autocomplete_fields = ["products"]


class EvidenceRows(_SourcedRows):
    model = Evidence
    verbose_name = "piece of evidence"


class FormerSlugRows(_Rows):
    model = FormerSlug


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
    formfield_overrides = _ROOM_TO_TYPE
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


class AgencyNameRows(_Rows):
    model = AgencyName


@admin.register(Agency)
class AgencyAdmin(admin.ModelAdmin):
    """An agency and all the names it is found by."""

    list_display = ["name", "acronym", "jurisdiction", "kind", "parent", "agreements"]
    list_filter = ["kind"]
    search_fields = ["name", "acronym", "native_name", "key", "names__name"]
    autocomplete_fields = ["parent"]
    list_select_related = ["parent"]
    prepopulated_fields = {"key": ["acronym"]}
    ordering = ["name", "key"]
    inlines = [AgencyNameRows]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agency]:
        return super().get_queryset(request).annotate(agreement_count=Count("participations"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict:
        return {} if obj else self.prepopulated_fields

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A renamed agency is found by its new name in all its agreements."""
        super().save_related(request, form, formsets, change)
        reindex_agencies([form.instance.pk])

    @admin.display(description="agreements", ordering="agreement_count")
    def agreements(self, agency: Any) -> int:
        return agency.agreement_count


class _TermAdmin(admin.ModelAdmin):
    """A vocabulary. Terms are retired, never deleted."""

    search_fields = ["name", "code"]
    list_filter = ["retired"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A renamed term is found by its new name."""
        super().save_model(request, obj, form, change)
        reindex_terms([obj])

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Autocomplete does not offer what is retired."""
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":
            queryset = queryset.filter(retired=False)
        return super().get_search_results(request, queryset, search_term)


@admin.register(CooperationArea)
class CooperationAreaAdmin(_TermAdmin):
    list_display = ["name", "stage", "code", "position", "retired"]
    list_filter = ["stage", "retired"]


@admin.register(ProductCategory)
class ProductCategoryAdmin(_TermAdmin):
    list_display = ["name", "code", "position", "retired"]


@admin.register(Revision)
class RevisionAdmin(admin.ModelAdmin):
    """The history: to be read only."""

    list_display = ["agreement", "made_at", "made_by_name", "reason"]
    search_fields = ["agreement__title", "agreement__slug", "made_by_name", "reason"]
    list_select_related = ["agreement"]
    date_hierarchy = "made_at"
    fields = ["agreement", "made_at", "made_by_name", "reason", "snapshot"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only together with a draft that was never public."""
        match = request.resolver_match
        return bool(match and match.url_name == "agreements_agreement_delete")
