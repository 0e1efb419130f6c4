"""What the log says of a change to an agency or to a word of the vocabularies."""

from typing import Any

from django import forms
from django.http import HttpRequest

from ..exports import Record, record
from ..models.columns import Line
from ..record.after_change import names_in
from ..record.differences import Difference, DifferenceKind, differences
from .forms import HeldForm
from .saving import CarefulAdmin


class LoggedForm(HeldForm):
    """The fields of the noun, and why they are changed."""

    reason = forms.CharField(
        label="Reason for the change",
        max_length=500,
        required=False,
        validators=Line.default_validators,
        help_text="A note for colleagues, kept in the history.",
    )
    #: The noun as it was before its form's values replaced it.
    stored: Record


class LoggedAdmin(CarefulAdmin):
    """Keeps in Django's log what each field said before and after, with person, time and reason.

    These nouns are in no agreement's revision: a record refers to them by a key that never
    changes. Who saves without changing anything leaves no entry.
    """

    form = LoggedForm

    def save_form(self, request: HttpRequest, form: LoggedForm, change: bool) -> Any:
        """Remember what is stored, before the form's values replace it."""
        stored = self.model._default_manager.filter(pk=form.instance.pk).first()
        form.stored = record(stored) if stored else {}
        return super().save_form(request, form, change)

    def really_changed(self, form: LoggedForm) -> bool:
        """Whether the form that has just been saved left something else than was stored."""
        saved = record(self.model._default_manager.get(pk=form.instance.pk))
        return bool(saved != form.stored)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """The differences in words and the reason; empty if nothing differs."""
        saved = record(self.model._default_manager.get(pk=form.instance.pk))
        names = names_in([form.stored, saved], model=self.model)
        found = differences(form.stored, saved, model=self.model, names=names)
        reason = form.cleaned_data["reason"]
        told = [*map(_sentence, found), f"Reason: {reason}" if reason else ""]
        return " ".join(filter(None, told)) if found else ""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """No entry where nothing changed."""
        return super().log_change(request, obj, message) if message else None


def _sentence(difference: Difference) -> str:
    fields = [
        f"{field.label}: “{field.before or 'not stated'}” → “{field.after or 'not stated'}”"
        if difference.kind is DifferenceKind.CHANGED
        else f"{field.label}: “{field.after or field.before}”"
        for field in difference.fields
    ]
    told = "; ".join(fields)
    if not difference.table:
        told = told[:1].upper() + told[1:]
    elif told:
        told = f"{difference.heading} ({told})"
    return f"{told or difference.heading}."
