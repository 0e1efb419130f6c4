"""The controls of a question: boxes to tick and selects, rendered without a template for each."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.forms import BoundField
from django.forms.utils import flatatt
from django.template.defaultfilters import pluralize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..question import Choice, Question

register = template.Library()


@register.filter
def chosen(bound: BoundField) -> bool:
    """Whether anything was typed or ticked in this field."""
    value = bound.value()
    return any(value) if isinstance(value, Iterable) else bool(value)


@register.simple_tag
def facet_boxes(question: Question, name: str) -> SafeString:
    """The values of one facet as boxes to tick. A page has about a hundred of them, and a template
    takes longer for each than for finding the agreements."""
    return format_html_join("", _BOX, (_box(name, choice) for choice in question.choices(name)))


_BOX = '<li><label{}><input type="checkbox" name="{}" value="{}"{}><span>{}</span>{}</label></li>\n'


def _box(name: str, choice: Choice) -> tuple[str, ...]:
    none = SafeString(' class="is-none"') if choice.count == 0 else ""
    chosen = SafeString(" checked") if choice.chosen else ""
    counted = ""
    if choice.count is not None:
        counted = format_html(
            '<span class="facet__count">{}<span class="govuk-visually-hidden"> {}</span></span>',
            choice.count,
            f"agreement{pluralize(choice.count)}",
        )
    return none, name, choice.value, chosen, choice.label, counted


@register.simple_tag
def select(field: BoundField) -> SafeString:
    """A select whose widget has its identifier, as Django renders it, but without two templates
    for each of its options."""
    widget = field.field.widget
    attrs = field.build_widget_attrs({}, widget)
    told = widget.get_context(field.html_name, field.value(), attrs)["widget"]
    groups = [
        format_html('<optgroup label="{}">{}</optgroup>', name, _options(options))
        if name
        else _options(options)
        for name, options, _ in told["optgroups"]
    ]
    opening = format_html('<select name="{}"{}>', told["name"], flatatt(told["attrs"]))
    return SafeString("\n".join([opening, *groups, "</select>"]))


def _options(options: Iterable[dict[str, Any]]) -> SafeString:
    chosen = SafeString(" selected")
    return format_html_join(
        "\n",
        '<option value="{}"{}>{}</option>',
        ((o["value"], chosen if o["selected"] else "", o["label"]) for o in options),
    )


@register.filter
def hidden(question: Question, name: str) -> int:
    """How many values of a facet are not shown."""
    return question.hidden(name)
