"""The rows of an agreement's form."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from ..models import (
    Evidence,
    FormerSlug,
    Milestone,
    Outcome,
    Participation,
    Provision,
    Relation,
    Signatory,
    Source,
)
from ..models.columns import Line, Prose

#: A sentence needs three lines, a title the width.
ROOM_TO_TYPE: dict[Any, dict[str, Any]] = {
    Prose: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
    Line: {"widget": AdminTextInputWidget(attrs={"class": "vLargeTextField"})},
}


class Rows(admin.StackedInline):
    """The rows of an agreement. Stacked, because a tabular inline has no labels."""

    formfield_overrides = ROOM_TO_TYPE
    extra = 0
    show_change_link = False


class SourcedFormSet(BaseInlineFormSet):
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


class SourcedRows(Rows):
    """Rows that rest on a source: only this agreement's own sources are offered."""

    formset = SourcedFormSet

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        self.agreement = obj
        return super().get_formset(request, obj, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is Source:
            own = {"agreement": self.agreement} if self.agreement else {"pk__in": []}
            kwargs["queryset"] = Source.objects.filter(**own)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class SourceRows(Rows):
    model = Source
    ordering = ["number"]
    readonly_fields = ["checked_at", "check_result"]


class ParticipationRows(Rows):
    model = Participation
    autocomplete_fields = ["agency"]
    verbose_name = "participant"
    verbose_name_plural = "participants"


class SignatoryRows(Rows):
    model = Signatory
    autocomplete_fields = ["agency"]


class ProvisionRows(SourcedRows):
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


class MilestoneRows(SourcedRows):
    model = Milestone


class RelationRows(SourcedRows):
    model = Relation
    fk_name = "agreement"
    autocomplete_fields = ["target"]


class OutcomeRows(SourcedRows):
    model = Outcome
    autocomplete_fields = ["products"]


class EvidenceRows(SourcedRows):
    model = Evidence
    verbose_name = "piece of evidence"


class FormerSlugRows(Rows):
    model = FormerSlug
