"""What the forms of the staff desk take: countries by name, sources by number, rows in order."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteMixin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.forms.renderers import BaseRenderer
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

    def render(
        self,
        name: str,
        value: object,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
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

    def to_python(self, value: object) -> str:
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

    def prepare_value(self, value: object) -> str:
        """The name of a stored code, or what was typed."""
        code = getattr(value, "code", value)
        return countries.name(code) or code if isinstance(code, str) else ""

    def has_changed(self, initial: object, data: object) -> bool:
        """Whether another jurisdiction was typed, however it is written."""
        try:
            return (getattr(initial, "code", initial) or "") != self.to_python(data)
        except ValidationError:
            return True


class SourceNumberField(forms.IntegerField):
    """The number readers see in brackets; the row's form finds the source that has it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=32767, **kwargs)


class _Named(AutocompleteMixin):
    """Shows what is chosen by what was looked up for all rows of the form at once."""

    known: dict[str, Model] | None = None

    def optgroups(self: Any, name: str, value: Any, attr: Any = None) -> Any:
        """The chosen ones; what is no key of anything is left out."""
        chosen = [str(key) for key in value if str(key)]
        known = by_key(self.choices.queryset, chosen) if self.known is None else self.known
        options = []
        if not self.is_required and not self.allow_multiple_selected:
            options.append(self.create_option(name, "", "", False, 0))
        for key in dict.fromkeys(chosen):
            if key in known:
                options.append(self.create_option(name, key, str(known[key]), True, len(options)))
        return [(None, options, 0)]


class FoundSelect(_Named, forms.Select):
    """One of many, found by typing."""


class FoundSelectMultiple(_Named, forms.SelectMultiple):
    """Several of many, found by typing. Each is taken away by itself: a button for all would stand
    where only items of the list may."""

    def build_attrs(
        self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return super().build_attrs(base_attrs, extra_attrs) | {"data-allow-clear": "false"}


class FoundField(forms.ModelChoiceField):
    """One of many, taken from what was looked up for all rows of the form at once."""

    known: dict[str, Model] | None = None

    def to_python(self, value: Any) -> Any:
        """The row with this key; raises ValidationError."""
        if self.known is None or value in self.empty_values:
            return super().to_python(value)
        if str(value) not in self.known:
            message = self.error_messages["invalid_choice"]
            raise ValidationError(message, code="invalid_choice", params={"value": value})
        return self.known[str(value)]


class FoundMultipleField(forms.ModelMultipleChoiceField):
    """Several of many, taken from what was looked up for all rows of the form at once."""

    known: dict[str, Model] | None = None

    def _check_values(self, value: Any) -> Any:
        if self.known is None:
            return super()._check_values(value)  # type: ignore[misc]
        keys = dict.fromkeys(map(str, value))
        for key in keys:
            if key not in self.known:
                message = self.error_messages["invalid_choice"]
                raise ValidationError(message, code="invalid_choice", params={"value": key})
        return [self.known[key] for key in keys]


def by_key(rows: QuerySet[Any], keys: Iterable[str]) -> dict[str, Model]:
    """Those of the rows that have these keys; keys that cannot be one are passed over."""
    good = set()
    for key in keys:
        # isdecimal takes other scripts' digits too, as int() does; 2**63 fits in no column.
        if str(key).isdecimal() and int(key) < 2**63:
            good.add(int(key))
    return {str(row.pk): row for row in rows.filter(pk__in=good)} if good else {}


def look_up_choices(row_forms: Iterable[forms.ModelForm]) -> None:
    """Look up what is chosen in any of these rows, in one query for each kind of thing: what the
    stored rows refer to was read with them."""
    fields: dict[type[Model], list[Any]] = defaultdict(list)
    known: dict[type[Model], dict[str, Model]] = defaultdict(dict)
    wanted: dict[type[Model], set[str]] = defaultdict(set)
    for form in row_forms:
        for name, typed in form.fields.items():
            if not isinstance(typed, FoundField | FoundMultipleField) or typed.known is not None:
                continue
            model = typed.queryset.model  # type: ignore[union-attr]
            fields[model].append(typed)
            wanted[model] |= set(_keys(form[name].value()))
            if form.instance.pk:
                stored = getattr(form.instance, name)
                several = isinstance(typed, FoundMultipleField)
                chosen = stored.all() if several else filter(None, [stored])
                known[model] |= {str(row.pk): row for row in chosen}
    for model, of_model in fields.items():
        known[model] |= by_key(of_model[0].queryset, wanted[model] - known[model].keys())
        for typed in of_model:
            typed.known = widget_of(typed).known = known[model]


def _keys(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(getattr(each, "pk", each)) for each in values if each not in (None, "")]


def widget_of(field: forms.Field) -> Any:
    """The widget that renders, without the admin's links around it."""
    return getattr(field.widget, "widget", field.widget)


class DeskForm(forms.ModelForm):
    """A form that does not ask the database what it knows."""

    def _save_m2m(self) -> None:
        """Lists that nobody touched are not compared with what is stored."""
        cleaned = self.cleaned_data
        self.cleaned_data = {name: cleaned[name] for name in self.changed_data if name in cleaned}
        super()._save_m2m()  # type: ignore[misc]
        self.cleaned_data = cleaned


class HeldForm(DeskForm):
    """A form that is not saved while it is held, without being told to hold an error."""

    held = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        look_up_choices([self])

    def is_valid(self) -> bool:
        return super().is_valid() and not self.held


class RowFormSet(BaseInlineFormSet):
    """The rows of one kind. Those that rest on a source see the form's rows of sources."""

    sources: "RowFormSet | None" = None
    #: The stored rows, where they have been read.
    stored: list[Model] | None = None
    _last_place: int | None = None

    def get_queryset(self) -> Any:
        """The stored rows."""
        return super().get_queryset() if self.stored is None else self.stored

    def add_fields(self, form: Any, index: int | None) -> None:
        """The key of a stored row is not looked for again."""
        super().add_fields(form, index)
        key = form.fields[form.instance._meta.pk.name]
        if form.instance.pk:
            form.fields[form.instance._meta.pk.name] = found = FoundField(
                key.queryset, initial=form.instance.pk, required=False, widget=forms.HiddenInput
            )
            found.known = {str(form.instance.pk): form.instance}

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
                source: Source = form.instance
                return source
            numbers.append(typed)
        known = ", ".join(map(str, sorted(numbers))) or "none yet"
        raise ValidationError(f"There is no source {number} above. Its sources: {known}.")


class RowForm(DeskForm):
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

    def _post_clean(self) -> None:
        """What is stored as it is shown has been checked, but for what it says of the record; and
        whoever changes another record is refused there what this row does not allow."""
        if self.instance.pk is None or self.has_changed():
            super()._post_clean()  # type: ignore[misc]
            return
        setattr(self.instance, self.rows.fk.name, self.rows.instance)
        if not hasattr(self.instance, "clean_knowing"):
            try:
                self.instance.clean()
            except ValidationError as error:
                self._update_errors(error)  # type: ignore[attr-defined]

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
                above: Source | None = cleaned.get("source")
                return above
        return None
