"""Optimistic locking: what was saved while a form was open, and where what was typed differs."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db import models
from django.http import QueryDict
from django.utils.text import capfirst

from ..exports import PUBLIC, STAFF, Record, plain, plain_value
from ..exports.records import in_term_order
from ..models import Agreement
from ..record.after_change import names_in
from ..record.differences import ROW_KEY, Difference, DifferenceKind, differences
from .forms import DeskForm, RowFormSet, widget_of
from .posted import Row, in_order, put_rows, rows_of


@dataclass(frozen=True)
class Line:
    """One line of the list at the head of a form that was not saved."""

    target: str
    label: str
    text: str = ""
    theirs: str = ""
    other: Agreement | None = None


@dataclass
class Conflict:
    """What was saved by somebody else while this form was open."""

    #: Empty where no history tells.
    by: str = ""
    at: datetime.datetime | None = None
    #: Whether the form did not say, or said wrongly, which version it showed.
    unknown: bool = False
    #: The record's own fields as they are stored now, in plain values, and by kind its rows by
    #: their keys.
    stored: Record = field(default_factory=dict)
    rows: dict[str, dict[int, Record]] = field(default_factory=dict)
    #: The rows that they added, by the prefix of their kind.
    added: dict[str, set[int]] = field(default_factory=dict)
    differences: list[Line] = field(default_factory=list)


def take_in(
    posted: QueryDict, obj: models.Model, shown: Mapping[str, RowFormSet], conflict: Conflict | None
) -> Conflict | None:
    """Put the posted rows in the stored order, with those of a colleague that the form cannot show.

    ``shown`` has the stored rows of each kind as a form would show them. Returns the conflict with
    what is stored now; also where none was known, but the form is about rows that are gone.
    """
    gone = 0
    added: dict[str, set[int]] = {}
    for prefix, formset in shown.items():
        rows = rows_of(posted, prefix)
        theirs: dict[int, Row] = {}
        if conflict:
            seen = {"".join(row.get("id", [""])) for row in rows}
            forms_of_theirs = [
                form for form in formset.initial_forms if str(form.instance.pk) not in seen
            ]
            theirs = {form.instance.pk: _as_posted(form) for form in forms_of_theirs}
            added[prefix] = set(theirs)
        stored = [row.pk for row in formset.get_queryset()]
        kept, new, lost = in_order(rows, stored, theirs)
        gone += lost
        put_rows(posted, prefix, kept, new)
    if gone and conflict is None:
        conflict = Conflict(unknown=True)
    if conflict:
        conflict.added = added
        # Now: the forms will write what was typed into these very rows.
        conflict.stored = _plain(obj)
        conflict.rows = {
            prefix: {row.pk: _plain(row) for row in formset.get_queryset()}
            for prefix, formset in shown.items()
        }
    return conflict


def _as_posted(form: "forms.ModelForm[Any]") -> Row:
    """The values that a form would post if it were sent as it is shown."""
    row: Row = {}
    for bound in form:
        value, widget = bound.value(), widget_of(bound.field)
        if isinstance(widget, forms.CheckboxInput):
            if value:
                row[bound.name] = ["on"]
        elif isinstance(value, list | tuple):
            row[bound.name] = [str(getattr(each, "pk", each)) for each in value]
        elif not isinstance(bound.field, forms.FileField):
            # A select's own format is a list of what is chosen.
            text = value if isinstance(widget, forms.Select) else widget.format_value(value)
            row[bound.name] = ["" if text is None else str(getattr(text, "pk", text))]
    return row


def standing_forms(formset: RowFormSet) -> list[Any]:
    """The forms of the rows that will stand after the save."""
    return [
        form
        for form in formset.forms
        if (form.instance.pk or form.has_changed())
        and not getattr(form, "cleaned_data", {}).get("DELETE")
    ]


def differing(form: DeskForm, formsets: Iterable[Any], conflict: Conflict) -> Iterator[Line]:
    """Where what was typed differs from what is stored now, each with a link to its place."""
    model = type(form.instance)
    typed, stored = _typed(form), dict(conflict.stored)
    numbers: dict[str, int] = {}
    new_to_the_form: set[str] = set()
    gone: set[str] = set()
    for formset in formsets:
        table = formset.prefix
        if table not in conflict.rows:
            continue
        numbers |= {row.prefix: n for n, row in enumerate(formset.forms, start=1)}
        prefixes = {row.instance.pk: row.prefix for row in formset.initial_forms}
        theirs = {prefixes[key] for key in conflict.added.get(table, ())}
        new_to_the_form |= theirs
        gone |= {row.prefix for row in formset.forms if f"{row.prefix}-gone" in formset.data}
        typed[table] = [
            {ROW_KEY: row.prefix, **_typed(row)}
            for row in standing_forms(formset)
            if row.prefix not in theirs
        ]
        # A forged form may lack a stored row; it stays as it is.
        stored[table] = [
            {ROW_KEY: prefixes[key], **row}
            for key, row in conflict.rows[table].items()
            if key in prefixes
        ]
    names = names_in([typed, stored], model=model)
    for found in differences(typed, stored, model=model, names=names):
        if found.kind is DifferenceKind.REORDERED:
            mine, theirs_now = _order(typed[found.table]), _order(stored[found.table])
            yield Line(f"{found.table}-group", f"Order of {found.noun}", mine, theirs_now)
            continue
        row = f"{capfirst(found.noun)} {numbers[found.row_key]}" if found.table else ""
        if found.kind is DifferenceKind.CHANGED:
            yield from _fields(found, row)
        elif found.kind is DifferenceKind.REMOVED:
            mine = "; ".join(each.before for each in found.fields)
            theirs_now = "deleted" if found.row_key in gone else "not there"
            yield Line(found.row_key, row, mine, theirs_now)
        elif found.row_key in new_to_the_form:
            yield Line(found.row_key, row, "not there", f"added: {found.row}")
        else:
            yield Line(found.row_key, row, "to be deleted", found.row)


def _fields(found: Difference, row: str) -> Iterator[Line]:
    for each in found.fields:
        target = f"id_{found.row_key}-{each.name}" if found.row_key else f"id_{each.name}"
        label = f"{row}, {each.label}" if row else capfirst(each.label)
        yield Line(target, label, each.before or "empty", each.after or "empty")


def _order(rows: list[Record]) -> str:
    return ", ".join(str(row["position"]) for row in rows)


def _names(instance: models.Model) -> tuple[str, ...]:
    model = type(instance)
    return *PUBLIC[model], *STAFF.get(model, ())


def _plain(instance: models.Model) -> Record:
    return {name: plain_value(instance, name) for name in _names(instance)}


def _typed(form: DeskForm) -> Record:
    """A row as it was typed, in plain values; what its field does not take, word for word."""
    row: Record = {}
    for name in _names(form.instance):
        column = form.instance._meta.get_field(name)
        if name in form.errors:
            row[name] = _word_for_word(form[name].value())
        elif name in form.cleaned_data and isinstance(column, models.ManyToManyField):
            row[name] = [plain(term) for term in in_term_order(form.cleaned_data[name])]
        else:
            row[name] = plain_value(form.instance, name)
    return row


def _word_for_word(value: object) -> Any:
    if isinstance(value, list | tuple):
        return [_word_for_word(each) for each in value]
    # No database can be asked for a name with this character.
    return "" if value is None else str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
