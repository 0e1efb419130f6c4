"""What a member of staff would post, for the tests of the desk."""

import re

from django.contrib import admin
from django.template import Template

from agreements.models import Agreement

ADD = "/admin/agreements/agreement/add/"


def empty_form():
    """The data of a form with no rows in any of its inlines."""
    data = {}
    for inline in admin.site.get_model_admin(Agreement).inlines:
        prefix = inline.model._meta.get_field("agreement").remote_field.related_name
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return data


def record(**fields):
    """A form as a member of staff would fill it in."""
    return (
        empty_form()
        | {
            "title": "Made-up memorandum",
            "short_title": "Made-up",
            "slug": "made-up-memorandum",
            "instrument_type": "moc",
            "legal_nature": "not_stated",
            "text_availability": "not_stated",
            "detail_level": "described",
        }
        | fields
    )


def rows(prefix, *items):
    data = {f"{prefix}-TOTAL_FORMS": len(items), f"{prefix}-INITIAL_FORMS": 0}
    for number, item in enumerate(items):
        data |= {f"{prefix}-{number}-{name}": value for name, value in item.items()}
    return data


def errors_of(response):
    assert response.status_code == 200, "saved, though it should have been refused"
    found = dict(response.context["adminform"].form.errors)
    for formset in response.context["inline_admin_formsets"]:
        prefix = formset.formset.prefix
        for number, errors in enumerate(formset.formset.errors):
            found |= {f"{prefix}-{number}-{name}": list(text) for name, text in errors.items()}
        if formset.formset.non_form_errors():
            found[prefix] = list(formset.formset.non_form_errors())
    return {name: " ".join(messages) for name, messages in found.items()}


def change_of(made):
    return f"/admin/agreements/{type(made)._meta.model_name}/{made.pk}/change/"


def as_shown(response):
    """What a browser would post back from this page: the values of its forms and marks."""
    data = {}
    context = response.context
    form = context["adminform"].form
    formsets = [each.formset for each in context["inline_admin_formsets"]]
    for each in [form, *(f for formset in formsets for f in formset.forms)]:
        for bound in each:
            value = bound.value()
            if bound.field.__class__.__name__ == "BooleanField":
                if value:
                    data[bound.html_name] = "on"
            elif isinstance(value, list | tuple):
                data[bound.html_name] = [str(getattr(one, "pk", one)) for one in value]
            elif bound.field.__class__.__name__ != "FileField":
                data[bound.html_name] = "" if value is None else str(getattr(value, "pk", value))
    for formset in formsets:
        data[f"{formset.prefix}-TOTAL_FORMS"] = len(formset.forms)
        data[f"{formset.prefix}-INITIAL_FORMS"] = formset.initial_form_count()
    html = response.content.decode()
    for name in ("lock_version", "submission", "typed_by"):
        data[name] = re.search(rf'name="{name}" value="([^"]*)"', html)[1]
    return data


def render_nothing(monkeypatch):
    """For walks that look at the status of an answer and at what was written: no template is
    rendered, which takes most of the time. The slow tier walks the same with the pages."""
    monkeypatch.setattr(Template, "render", lambda template, context: "")
