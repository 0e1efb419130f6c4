"""The rows of an agreement's form."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.db.models import Field, ForeignKey, ManyToManyField, QuerySet
from django.http import HttpRequest

from ..models import (
    Agreement,
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
from ..models.columns import Jurisdiction, Line, Prose
from .forms import (
    SOURCE_HELP,
    FoundField,
    FoundMultipleField,
    FoundSelect,
    FoundSelectMultiple,
    JurisdictionFormField,
    RowForm,
    RowFormSet,
    SourceNumberField,
)

#: A sentence needs three lines, a title the width.
ROOM_TO_TYPE: dict[type[Field], dict[str, Any]] = {
    Prose: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
    Line: {"widget": AdminTextInputWidget(attrs={"class": "vLargeTextField"})},
}


class Typed(admin.options.BaseModelAdmin):
    """What is typed rather than chosen from a long list: countries, agencies, sources."""

    formfield_overrides = ROOM_TO_TYPE

    def formfield_for_choice_field(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if isinstance(db_field, Jurisdiction):
            return JurisdictionFormField(
                label=db_field.verbose_name.capitalize(),
                required=not db_field.blank,
                help_text=f"{db_field.help_text} Type its name or code.".strip(),
            )
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.related_model is Source:
            return SourceNumberField(
                label=db_field.verbose_name.capitalize(), required=False, help_text=SOURCE_HELP
            )
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs |= {
                "widget": FoundSelect(db_field, self.admin_site),
                "form_class": FoundField,
            }
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs |= {
                "widget": FoundSelectMultiple(db_field, self.admin_site),
                "form_class": FoundMultipleField,
            }
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class Rows(Typed, admin.StackedInline):
    """The rows of an agreement. Stacked, because a tabular inline has no labels."""

    form = RowForm
    formset = RowFormSet
    extra = 0
    show_change_link = False
    #: What the rows show of others, so that a form of many rows asks no more than one of few.
    shown: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super().get_queryset(request).select_related(*self.shown).prefetch_related(*self.listed)
        )


class RelationFormSet(RowFormSet):
    def clean(self) -> None:
        """A relation is stated once."""
        super().clean()
        seen = set()
        for form in self.forms:
            row = getattr(form, "cleaned_data", None)
            if not row or row.get("DELETE"):
                continue
            relation = (row.get("kind"), row.get("target"), row.get("target_title"))
            if relation in seen:
                form.add_error(None, "This relation is already recorded.")
            seen.add(relation)


class SourceRows(Rows):
    model = Source
    ordering = ["number"]
    readonly_fields = ["checked_at", "check_result"]
    fields = [
        "number",
        "kind",
        "publisher",
        "title",
        "language",
        "url",
        "published_on",
        "retrieved_on",
        "archive_url",
        "file",
        "checked_at",
        "check_result",
    ]


class ParticipationRows(Rows):
    model = Participation
    autocomplete_fields = ["agency"]
    shown = ("agency",)
    verbose_name = "participant"
    verbose_name_plural = "participants"
    # The place in the order last: left empty, it is the next.
    fields = [
        "agency",
        "role",
        "role_stated",
        "name_as_signed",
        "signed_on",
        "signing_act",
        "joined_on",
        "left_on",
        "note",
        "position",
    ]


class SignatoryRows(Rows):
    model = Signatory
    autocomplete_fields = ["agency"]
    shown = ("agency",)
    fields = [
        "capacity",
        "honorific",
        "name",
        "post",
        "agency",
        "acted_for",
        "note",
        "position",
    ]


class ProvisionForm(RowForm):
    """What is said about one area; sentences of one announcement rest on one source."""

    inherits_source = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "source" in self.fields:
            self.fields[
                "source"
            ].help_text = (
                f"{SOURCE_HELP} Left empty in a new row, that of the row above; 0 for none."
            )


class ProvisionRows(Rows):
    model = Provision
    form = ProvisionForm
    autocomplete_fields = ["area", "products", "relying", "reference"]
    shown = ("area", "source", "relying", "reference")
    listed = ("products",)
    fields = [
        "area",
        "depth",
        "commitment",
        "products",
        "statement",
        "source",
        "locator",
        "condition",
        "direction",
        "relying",
        "reference",
        "position",
    ]


class MilestoneRows(Rows):
    model = Milestone
    shown = ("source",)
    fields = ["kind", "date", "until", "note", "source", "locator"]


class RelationRows(Rows):
    model = Relation
    formset = RelationFormSet
    fk_name = "agreement"
    autocomplete_fields = ["target"]
    shown = ("target", "source")
    fields = ["kind", "target", "target_title", "note", "source", "locator"]


class OutcomeRows(Rows):
    model = Outcome
    shown = ("source", "reported_source")
    autocomplete_fields = ["products"]
    listed = ("products",)
    fields = [
        "statement",
        "qualifier",
        "figure",
        "unit",
        "stage",
        "products",
        "source",
        "locator",
        "reported",
        "reported_on",
        "reported_source",
        "position",
    ]


class EvidenceRows(Rows):
    model = Evidence
    shown = ("source",)
    verbose_name = "piece of evidence"
    verbose_name_plural = "evidence"
    fields = ["topic", "statement", "verbatim", "source", "locator"]


class FormerSlugRows(Rows):
    model = FormerSlug

    def has_delete_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        """An address that was once public answers for good."""
        once_public = obj is not None and obj.first_published_at is not None
        return not once_public and super().has_delete_permission(request, obj)
