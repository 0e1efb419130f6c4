"""No value in an address or a form of the desk ends in an error page."""

import pytest
from django.contrib import admin
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.database]
LISTS = [
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for model in admin.site._registry
]
UNREADABLE = ["\x00", "a\x00b", "9" * 20, "1," + "9" * 30, "-" + "9" * 40]


def names_of(model_admin, request):
    """Every parameter that narrows this list, and some that each list knows."""
    names = ["id__in", "pk__in", "id", "pk__gte", "p", "o", "e"]
    for each in model_admin.get_list_filter(request):
        if isinstance(each, str):
            names += [each, f"{each}__exact", f"{each}__id__exact", f"{each}__in"]
        elif isinstance(each, type) and issubclass(each, admin.SimpleListFilter):
            names.append(each.parameter_name)
    return names


@pytest.fixture
def desk(admin_client):
    admin_client.raise_request_exception = False
    return admin_client


@pytest.mark.parametrize("value", UNREADABLE, ids=range(len(UNREADABLE)))
@pytest.mark.parametrize("model", admin.site._registry, ids=str)
def test_a_filter_that_no_column_can_hold_is_refused_by_name(desk, rf, admin_user, model, value):
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    request = rf.get(address)
    request.user = admin_user
    for name in names_of(admin.site.get_model_admin(model), request):
        answer = desk.get(address, {name: value})
        assert answer.status_code == 400, name
        assert f"“{name}”" in answer.content.decode()


@pytest.mark.parametrize(
    ("model", "field"),
    [("agreement", "owner"), ("participation", "agency"), ("relation", "target")],
)
def test_a_term_with_a_null_character_is_refused_by_name(desk, model, field):
    asked = {"app_label": "agreements", "model_name": model, "field_name": field}
    answer = desk.get("/admin/autocomplete/", asked | {"term": "a\x00b"})
    assert answer.status_code == 400
    assert "“term”" in answer.content.decode()
    # Words that are looked for may be as long as they like.
    assert desk.get("/admin/autocomplete/", asked | {"term": "9" * 40}).status_code == 200


def test_a_long_number_may_be_searched_for(desk):
    for address in LISTS:
        assert desk.get(address, {"q": "9" * 40}).status_code == 200, address


@pytest.mark.parametrize("value", ["", "x", "\x00", "1.5", "9" * 40, "9" * 5000, "-1"])
def test_a_ticked_box_that_stands_for_no_record_is_refused(desk, value):
    ticked = {"action": "delete_selected", "_selected_action": ["1", value]}
    for address in LISTS:
        assert desk.post(address, ticked).status_code == 400, address


@pytest.mark.parametrize("value", ["x", "\x00", "9" * 20, "9" * 5000, "-1"])
def test_an_action_that_there_is_not_is_no_error(desk, value):
    address = reverse("admin:agreements_agreement_changelist")
    asked = {"action": value, "_selected_action": ["1"], "index": value}
    assert desk.post(address, asked).status_code in (200, 302)


@pytest.mark.parametrize("value", ["x", "\x00", "9" * 20, "9" * 40, "-1"])
@pytest.mark.parametrize("model", admin.site._registry, ids=str)
def test_no_field_of_an_empty_form_ends_in_an_error_page(desk, rf, admin_user, model, value):
    model_admin = admin.site.get_model_admin(model)
    request = rf.get("/")
    request.user = admin_user
    if not model_admin.has_add_permission(request):
        return
    typed = dict.fromkeys(model_admin.get_form(request).base_fields, value)
    for inline in model_admin.get_inline_instances(request):
        formset = inline.get_formset(request)
        prefix = formset.get_default_prefix()
        typed |= {f"{prefix}-0-{name}": value for name in formset.form.base_fields}
        typed |= {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": 0}
    answer = desk.post(
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add"), typed
    )
    assert answer.status_code == 200
    assert answer.context["errors"]
