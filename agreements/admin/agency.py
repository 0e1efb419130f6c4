"""Agencies and all the names they are found by."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from ..models import Agency, AgencyName
from ..record.derive import reindex_agencies
from .logged import LoggedAdmin, LoggedForm
from .rows import Rows


class AgencyNameRows(Rows):
    model = AgencyName


@admin.register(Agency)
class AgencyAdmin(LoggedAdmin):
    """An agency and all the names it is found by."""

    list_display = ["name", "acronym", "jurisdiction", "kind", "parent", "agreements"]
    list_filter = ["kind"]
    # Which names are asked for is for get_search_results to say.
    search_fields = ["name"]
    autocomplete_fields = ["parent"]
    list_select_related = ["parent"]
    prepopulated_fields = {"key": ["acronym"]}
    ordering = ["name", "key"]
    inlines = [AgencyNameRows]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agency]:
        agencies: QuerySet[Agency] = super().get_queryset(request)
        return agencies.annotate(agreement_count=Count("participations"))

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Agency], bool]:
        """By any of its names, in any script."""
        return queryset.named(search_term), False

    def get_readonly_fields(self, request: HttpRequest, obj: Agency | None = None) -> list[str]:
        return ["key"] if obj else []

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Agency | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else self.prepopulated_fields

    def save_related(
        self, request: HttpRequest, form: LoggedForm, formsets: Any, change: bool
    ) -> None:
        """A renamed agency is found by its new name in all its agreements."""
        super().save_related(request, form, formsets, change)
        if self.really_changed(form):
            reindex_agencies([form.instance.pk])

    @admin.display(description="agreements", ordering="agreement_count")
    def agreements(self, agency: Any) -> int:
        return int(agency.agreement_count)
