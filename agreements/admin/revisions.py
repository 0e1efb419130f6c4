"""The history of the records."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ..models import Revision


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
