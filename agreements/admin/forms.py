"""What the forms of the staff desk take: countries by name, sources by number, rows in order."""

import unicodedata
from collections import defaultdict
from functools import cache
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_countries import countries
from django_countries.data import COUNTRIES

from ..models import Source

SOURCE_HELP = "The number of a source above, new ones included. One save does it all."


def _folded(name: str) -> str:
    """A country's name without case, accents and punctuation."""
    letters = (
        c if c.isalnum() else " "
        for c in unicodedata.normalize("NFKD", name.casefold())
        if not unicodedata.combining(c)
    )
    return " ".join("".join(letters).split())


@cache
def _codes() -> dict[str, str]:
    """Every way to type a jurisdiction, folded, and its code."""
    typed = {_folded(str(name)): code for code, name in COUNTRIES.items()}
    for code, name in countries:
        typed |= {_folded(name): code, code.casefold(): code}
        if longer := countries.alpha3(code):
            typed[longer.casefold()] = code
    return typed


class JurisdictionWidget(forms.TextInput):
    """A line to type in, with the names offered while one types."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The box and its list."""
        offered = f"{(attrs or {}).get('id', name)}_names"
        box = super().render(name, value, {**(attrs or {}), "list": offered}, renderer)
        options = format_html_join(
            "", '<option value="{}">{}</option>', ((label, code) for code, label in countries)
        )
        return format_html('{}<datalist id="{}">{}</datalist>', box, offered, options)


class JurisdictionFormField(forms.CharField):
    """A country, a territory or the European Union, typed by its name or its code."""

    widget = JurisdictionWidget

    def to_python(self, value: Any) -> str:
        """The code, empty for an empty box; raises ValidationError."""
        text = super().to_python(value) or ""
        if not text:
            return ""
        code = _codes().get(_folded(text))
        if code is None:
            raise ValidationError(
                "“%(text)s” is not known. Type the country's English name or its ISO code, as in "
                "Japan or JP.",
                params={"text": text[:60]},
            )
        return code

    def prepare_value(self, value: Any) -> Any:
        """The name of a stored code, or what was typed."""
        code = getattr(value, "code", value)
        return countries.name(code) or code if isinstance(code, str) else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether another jurisdiction was typed, however it is written."""
        try:
            return (getattr(initial, "code", initial) or "") != self.to_python(data)
        except ValidationError:
            return True


class SourceNumberField(forms.IntegerField):
    """The number readers see in brackets; the row's form finds the source that has it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=32767, **kwargs)


class _Labelled(AutocompleteMixin):
    """Shows what is chosen by labels that were looked up for the whole form at once."""

    labels: dict[str, str] | None = None

    def optgroups(self: Any, name: str, value: Any, attr: Any = None) -> Any:
        """The chosen ones; what is no key of anything is left out."""
        chosen = [str(key) for key in value if str(key)]
        labels = labels_of(self.field.related_model, chosen) if self.labels is None else self.labels
        options = []
        if not self.is_required and not self.allow_multiple_selected:
            options.append(self.create_option(name, "", "", False, 0))
        for key in dict.fromkeys(chosen):
            if key in labels:
                options.append(self.create_option(name, key, labels[key], True, len(options)))
        return [(None, options, 0)]


class FoundSelect(_Labelled, forms.Select):
    """One of many, found by typing."""


class FoundSelectMultiple(_Labelled, forms.SelectMultiple):
    """Several of many, found by typing. Each is taken away by itself: a button for all would stand
    where only items of the list may."""

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        return super().build_attrs(base_attrs, extra_attrs) | {"data-allow-clear": "false"}


def labels_of(model: Any, keys: Any) -> dict[str, str]:
    """How the rows with these keys are called; keys that cannot be one are passed over."""
    good = set()
    for key in keys:
        # isdecimal takes other scripts' digits too, as int() does; 2**63 fits in no column.
        if str(key).isdecimal() and int(key) < 2**63:
            good.add(int(key))
    rows = model._default_manager.filter(pk__in=good) if good else ()
    return {str(row.pk): str(row) for row in rows}


def label_choices(form: Any, formsets: list[Any]) -> None:
    """Look up what is chosen anywhere in the form, one query for each kind of thing."""
    wanted: dict[Any, set[str]] = defaultdict(set)
    widgets: list[tuple[Any, Any]] = []
    for each in (form, *(row for formset in formsets for row in formset.forms)):
        for name, typed_field in each.fields.items():
            widget = widget_of(typed_field)
            if not hasattr(widget, "labels"):
                continue
            model = widget.field.related_model
            widgets.append((model, widget))
            wanted[model] |= set(_keys(each[name].value()))
    labels = {model: labels_of(model, keys) for model, keys in wanted.items()}
    for model, widget in widgets:
        widget.labels = labels[model]


def _keys(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(getattr(each, "pk", each)) for each in values if each not in (None, "")]


def widget_of(field: forms.Field) -> Any:
    """The widget that renders, without the admin's links around it."""
    return getattr(field.widget, "widget", field.widget)


class RowFormSet(BaseInlineFormSet):
    """The rows of one kind. Those that rest on a source see the form's rows of sources."""

    sources: "RowFormSet | None" = None
    _last_place: int | None = None

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "rows": self, "index": index}

    def next_place(self, name: str) -> int:
        """The place after the last that is typed anywhere in the form."""
        if self._last_place is None:
            typed = (
                str(self.data.get(f"{self.prefix}-{n}-{name}", ""))
                for n in range(self.total_form_count())
            )
            self._last_place = max(
                (int(n) for n in typed if n.isdecimal() and len(n) < 6), default=0
            )
        self._last_place += 1
        return self._last_place

    def source_numbers(self) -> dict[int, int]:
        """The stored sources and their numbers."""
        rows: Any = self.sources.get_queryset() if self.sources is not None else ()
        return {source.pk: source.number for source in rows}

    def source(self, number: int) -> Source:
        """The source of the form that bears ``number``; raises ValidationError."""
        numbers = []
        for form in self.sources.forms if self.sources is not None else ():
            if form.errors is None or not (
                typed := getattr(form, "cleaned_data", {}).get("number")
            ):
                continue
            if typed == number and form.cleaned_data.get("DELETE"):
                raise ValidationError("This source is being deleted.")
            if typed == number:
                return form.instance
            numbers.append(typed)
        known = ", ".join(map(str, sorted(numbers))) or "none yet"
        raise ValidationError(f"There is no source {number} above. Its sources: {known}.")


class RowForm(forms.ModelForm):
    """One row: takes the next place if none is typed, and its sources by their numbers."""

    #: Whether a new row without a source rests on that of the row above.
    inherits_source = False

    def __init__(
        self, *args: Any, rows: RowFormSet, index: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rows, self.index = rows, index
        for name in ("position", "number"):
            if name in self.fields:
                self.fields[name].required = False
                if not self.instance.pk:
                    self.initial[name] = None
        for name, field in self.fields.items():
            if isinstance(field, SourceNumberField) and (stored := self.initial.get(name)):
                self.initial[name] = rows.source_numbers().get(stored)

    def clean_position(self) -> int:
        """Left empty: after the last."""
        return self._place("position")

    def clean_number(self) -> int:
        """Left empty: after the last."""
        return self._place("number")

    def clean_source(self) -> Source | None:
        """The source of that number; 0 is none; a new provision may take that of the row above."""
        number = self.cleaned_data["source"]
        if number is None and self.inherits_source and not self.instance.pk:
            return self._source_above()
        return self.rows.source(number) if number else None

    def clean_reported_source(self) -> Source | None:
        """The source of that number; 0 is none."""
        number = self.cleaned_data["reported_source"]
        return self.rows.source(number) if number else None

    def _place(self, name: str) -> int:
        typed = self.cleaned_data[name]
        return self.rows.next_place(name) if typed is None else typed

    def _source_above(self) -> Source | None:
        for form in reversed(self.rows.forms[: self.index or 0]):
            cleaned = getattr(form, "cleaned_data", None)
            if cleaned and not cleaned.get("DELETE"):
                return cleaned.get("source")
        return None
