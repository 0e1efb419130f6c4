"""The vocabularies."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import CooperationArea, ProductCategory
from ..models.vocabulary import Term
from ..record.derive import reindex_terms
from .logged import LoggedAdmin, LoggedForm


class _TermAdmin(LoggedAdmin):
    """A vocabulary. Terms are retired, never deleted."""

    search_fields = ["name", "code"]
    list_filter = ["retired"]

    def get_readonly_fields(self, request: HttpRequest, obj: Term | None = None) -> list[str]:
        return ["code"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Term | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: CooperationArea | ProductCategory,
        form: LoggedForm,
        change: bool,
    ) -> None:
        """A renamed term is found by its new name."""
        super().save_model(request, obj, form, change)
        if self.really_changed(form):
            reindex_terms([obj])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
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
