"""Every address of the staff desk, asked by every role: what is open to whom, and what to nobody.

A new address fails here until it has its line in the table.
"""

import os

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Count, Sum
from django.urls import URLPattern, URLResolver, get_resolver

from agreements import workflow
from agreements.exports import CHILDREN
from agreements.models import Agency, Agreement, CooperationArea, ProductCategory, Revision
from agreements.record.after_change import record_change
from agreements.workflow import Move
from tests import make
from tests.desk import empty_form, record, render_nothing, rows

pytestmark = pytest.mark.django_db

#: From the least to the most; ``staff`` has an account and no role.
SLOW = pytest.mark.slow
ROLES = ["anybody", "staff", "viewer", "editor", "publisher", "administrator", "superuser"]
NOBODY = "nobody"
#: Of this process alone: others run the same tests beside it.
STORED = f"made-up-role-{os.getpid()}.txt"


def crud(model, *, see, add, change, delete):
    """The lines of one model: who may GET and who may POST each of its addresses."""
    return {
        f"{model}_changelist": (see, see),
        f"{model}_add": (add, add),
        f"{model}_change": (see, change),
        f"{model}_delete": (delete, delete),
        f"{model}_history": (see, see),
    }


#: Name of the address, or its route where it has none: (who may GET it, who may POST to it).
TABLE = {
    "index": ("staff", "staff"),
    "password_change": ("staff", "staff"),
    "password_change_done": ("staff", NOBODY),
    "jsi18n": ("staff", NOBODY),
    "autocomplete": ("viewer", NOBODY),
    "view_on_site": ("staff", "staff"),
    "app_list": ("viewer", "viewer"),
    "admin/stored/sources/<path:path>": ("viewer", "viewer"),
    "agreements_import": ("publisher", "publisher"),
    # Of an import that is not there.
    "agreements_import_preview": (NOBODY, NOBODY),
    "agreements_import_apply": (NOBODY, NOBODY),
    "agreements_import_cancel": (NOBODY, NOBODY),
    **crud(
        "agreements_agency",
        see="viewer",
        add="editor",
        change="editor",
        delete="administrator",
    ),
    **crud(
        "agreements_cooperationarea",
        see="viewer",
        add="administrator",
        change="administrator",
        delete=NOBODY,
    ),
    **crud(
        "agreements_productcategory",
        see="viewer",
        add="administrator",
        change="administrator",
        delete=NOBODY,
    ),
    **crud("agreements_revision", see="viewer", add=NOBODY, change=NOBODY, delete=NOBODY),
    **crud(
        "auth_user",
        see="administrator",
        add="administrator",
        change="administrator",
        delete=NOBODY,
    ),
    "auth_user_password_change": ("administrator", "administrator"),
    **crud(
        "auth_group", see="administrator", add="superuser", change="superuser", delete="superuser"
    ),
    "agreements_agreement_changelist": ("viewer", "viewer"),
    "agreements_agreement_add": ("editor", "editor"),
}
#: The same for addresses of an agreement, by what kind of record it is; what is not named is open
#: to nobody. The people of the test own none of the records.
BY_KIND = {
    "agreements_agreement_change": {
        "draft": ("viewer", "editor"),
        "working copy": ("viewer", "editor"),
        "published": ("viewer", NOBODY),
        "withdrawn": ("viewer", NOBODY),
    },
    "agreements_agreement_delete": {
        "draft": ("editor", "editor"),
    },
    "agreements_agreement_history": dict.fromkeys(
        ("draft", "working copy", "published", "withdrawn"), ("viewer", NOBODY)
    ),
    "agreements_agreement_compare": dict.fromkeys(
        ("draft", "working copy", "published", "withdrawn"), ("viewer", NOBODY)
    ),
    # What is posted is forged: it does not say which version it saw.
    "agreements_agreement_restore": dict.fromkeys(
        ("draft", "working copy", "published", "withdrawn"), ("editor", NOBODY)
    ),
    "agreements_agreement_preview": dict.fromkeys(
        ("draft", "working copy", "published", "withdrawn"),
        ("viewer", NOBODY),
    ),
}
MOVES = {
    "draft": {"submit": "editor", "publish": "publisher"},
    "in review": {"return": "publisher", "publish": "publisher"},
    "working copy": {"submit": "editor", "publish": "publisher", "discard": "publisher"},
    "published": {"edit": "editor", "move": "publisher", "withdraw": "publisher"},
    "unchecked": {
        "edit": "editor",
        "move": "publisher",
        "withdraw": "publisher",
        "approve": "publisher",
    },
    "withdrawn": {"edit": "editor", "publish-again": "publisher"},
}
#: Before anybody has signed in there is nothing to refuse; what has no name leads on or is 404.
NOT_ASKED = {"login", "logout", "<path:object_id>/", "(?P<url>.*)$"}
#: The pages of signing in and of one's own second factors, which test_sign_in.py asks.
OWN_PAGES = ("account_", "mfa_")
TYPED = {
    "return": {"note": "Made up."},
    "move": {"slug": "made-up-new-address"},
    "withdraw": {"withdrawal_kind": "published_in_error", "withdrawal_reason": "Made up."},
    "publish-again": {"reason": "Made up."},
}


def person(role):
    user = User.objects.create_user(f"made-up-{role}", is_staff=True)
    if role == "superuser":
        user.is_superuser = True
        user.save()
    elif role != "staff":
        user.groups.add(Group.objects.get(name=role))
    return user


def desk_addresses(resolver=None, prefix=""):
    """Every address below /admin/: its key in the table, and its route."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if not prefix and not route.startswith("admin"):
                continue
            yield from desk_addresses(entry, route)
        elif route.startswith("admin"):
            assert isinstance(entry, URLPattern)
            yield entry.name or (route if "stored" in route else str(entry.pattern)), route


def records(typist):
    """One record of each kind, complete and last edited by somebody who asks nothing here."""

    def complete(**fields):
        made = make.agreement(
            **{"state": "draft", "summary": "Made up.", "signed_on": "2026"} | fields,
            participants=[make.agency()],
        )
        make.source(made)
        record_change([made.pk], reason="Created", user=typist)
        made.refresh_from_db()
        return made

    kinds = {
        "draft": complete(),
        "in review": complete(state="in_review"),
        "published": complete(state="published"),
        "unchecked": complete(state="published", unchecked_because="Made up."),
        "withdrawn": complete(state="published"),
    }
    Agreement.objects.filter(pk=kinds["withdrawn"].pk).update(
        state="withdrawn", withdrawal_kind="by_parties", withdrawal_reason="Made up."
    )
    original = complete(state="published")
    copy = workflow.begin_working_copy(original.pk, original.lock_version, typist)
    Agreement.objects.filter(pk=copy.pk).update(summary="Changed.", owner=None)
    record_change([copy.pk], reason="Edited", user=typist)
    kinds["working copy"] = copy
    for made in kinds.values():
        made.refresh_from_db()
    return kinds


def written():
    """What a refused request must leave as it was."""
    return (
        list(Agreement.objects.order_by().aggregate(Count("pk"), Sum("lock_version")).values()),
        list(Agreement.objects.order_by("pk").values_list("title", "state", "slug")),
        Revision.objects.count(),
        list(User.objects.order_by("pk").values_list("username", "is_active", "password")),
        list(Agency.objects.order_by("pk").values_list("name")),
        Group.objects.count(),
        CooperationArea.objects.count() + ProductCategory.objects.count(),
    )


def questions(kinds, other):
    """Every address with its arguments, what to post there, and who may ask it which way."""
    first = {
        "agency": Agency.objects.first(),
        "cooperationarea": CooperationArea.objects.first(),
        "productcategory": ProductCategory.objects.first(),
        "revision": Revision.objects.first(),
        "user": other,
        "group": Group.objects.get(name="viewer"),
    }
    forged = empty_form() | {"title": "Forged", "post": "yes", "_save": "Save"}
    ask = {"term": "x", "app_label": "agreements", "model_name": "relation", "field_name": "target"}
    for key, route in desk_addresses():
        if key in NOT_ASKED or key.startswith(OWN_PAGES):
            continue
        address = "/" + route
        if key == "agreements_agreement_move":
            for kind, made in kinds.items():
                for move in Move:
                    role = MOVES[kind].get(move.value, NOBODY)
                    typed = {"lock_version": made.lock_version} | TYPED.get(move.value, {})
                    url = address.replace("<int:pk>", str(made.pk))
                    url = url.replace("<slug:name>", move.value)
                    yield url, typed, (role, role), (kind, move.value)
        elif key in BY_KIND:
            for kind, made in kinds.items():
                # These differ from a draft, and from what is published, in their moves only.
                if kind in ("in review", "unchecked"):
                    continue
                url = address.replace("<int:pk>", str(made.pk))
                url = url.replace("<path:object_id>", str(made.pk))
                version = Revision.objects.filter(agreement=made.revises_id or made.pk).first()
                url = url.replace("<int:version>", str(version.pk))
                yield url, forged, BY_KIND[key].get(kind, (NOBODY, NOBODY)), (key, kind)
        else:
            assert key in TABLE, f"{key}: say in the table who may ask {route}"
            model = next((name for name in first if f"_{name}_" in key), None)
            if model:
                address = address.replace("<path:object_id>", str(first[model].pk))
                address = address.replace("<id>", str(first[model].pk))
            address = address.replace(r"^(?P<app_label>auth|agreements)/$", "agreements/")
            address = address.replace(
                "<path:content_type_id>", str(ContentType.objects.get_for_model(Agreement).pk)
            ).replace("<path:object_id>", str(kinds["published"].pk))
            address = address.replace("<path:path>", STORED)
            address = address.replace("<int:pk>", "0")
            assert "<" not in address, address
            yield address, ask if key == "autocomplete" else forged, TABLE[key], key


def refused(response):
    to_sign_in = response.status_code == 302 and "/login/" in response["Location"]
    return to_sign_in or response.status_code in (403, 404, 405, 409)


@pytest.fixture
def stored_copy(settings):
    folder = settings.MEDIA_ROOT / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / STORED
    copy.write_text("Made up.")
    yield
    copy.unlink()


@pytest.mark.parametrize(
    "role",
    [pytest.param(role, marks=[] if role in ("anybody", "editor") else SLOW) for role in ROLES],
)
def test_every_address_of_the_desk_is_open_to_whom_the_table_says_and_to_nobody_else(
    client, empty_register, stored_copy, monkeypatch, role
):
    render_nothing(monkeypatch)
    ask_every_address(client, role)


@pytest.mark.slow
def test_every_address_of_the_desk_has_its_page(client, empty_register, stored_copy):
    ask_every_address(client, "superuser")


def ask_every_address(client, role):
    """By GET and by POST: open to this role just where the tables say, and nothing else written."""
    typist = User.objects.create_user("made-up-typist", is_staff=True)
    typist.groups.add(Group.objects.get(name="editor"))
    kinds = records(typist)
    if role != "anybody":
        client.force_login(person(role))
    asked, faults, before = 0, [], written()
    for address, data, (may_get, may_post), what in list(questions(kinds, typist)):
        for ask, least in ((client.get, may_get), (client.post, may_post)):
            with transaction.atomic():
                response = ask(address, data)
                if response.streaming:
                    b"".join(response)
                open_to_role = least != NOBODY and ROLES.index(role) >= ROLES.index(least)
                wrote = (ask == client.get or not open_to_role) and written() != before
                # So that each question finds the same records.
                transaction.set_rollback(True)
            if response.status_code >= 500 or refused(response) == open_to_role or wrote:
                faults.append((what, ask.__name__, response.status_code))
            asked += 1
    assert faults == []
    assert asked > 200


def test_the_group_of_a_role_holds_all_that_the_role_below_it_may_do():
    below = set()
    for role in ("viewer", "editor", "publisher", "administrator"):
        holds = set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))
        assert below < holds
        below = holds
    assert not [p for p in below if p.startswith("delete_") and p.endswith(("_user", "_revision"))]


def test_a_viewer_sees_and_an_editor_types_every_kind_of_row_of_a_record():
    viewer, editor = (
        set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))
        for role in ("viewer", "editor")
    )
    for row in CHILDREN[Agreement].values():
        name = row._meta.model_name
        assert f"view_{name}" in viewer
        assert {f"add_{name}", f"change_{name}", f"delete_{name}"} <= editor


# --- Accounts -----------------------------------------------------------------------------------


def account(user, **fields):
    data = {
        "username": user.username,
        "is_active": "on",
        "last_login_0": "",
        "groups": [],
    }
    return data | fields


def test_an_administrator_makes_changes_and_shuts_an_account_but_makes_no_superuser(client):
    administrator = person("administrator")
    client.force_login(administrator)
    new = {
        "username": "made-up-new",
        "usable_password": "true",
        "password1": "a made-up long sentence",
        "password2": "a made-up long sentence",
    }
    forged = {"is_superuser": "on", "user_permissions": [1, 2], "is_staff": ""}
    assert client.post("/admin/auth/user/add/", new | forged).status_code == 302
    made = User.objects.get(username="made-up-new")
    assert (made.is_staff, made.is_superuser) == (True, False)

    change = f"/admin/auth/user/{made.pk}/change/"
    form = client.get(change).content.decode()
    assert 'name="is_superuser"' not in form
    assert 'name="user_permissions"' not in form
    editors = Group.objects.get(name="editor")
    assert client.post(change, account(made, groups=[editors.pk]) | forged).status_code == 302
    made.refresh_from_db()
    assert list(made.groups.all()) == [editors]
    assert (made.is_superuser, made.is_staff, made.user_permissions.count()) == (False, True, 0)
    shut = account(made)
    del shut["is_active"]
    client.post(change, shut)
    made.refresh_from_db()
    assert not made.is_active

    own = f"/admin/auth/user/{administrator.pk}/change/"
    group = Group.objects.get(name="administrator")
    assert client.post(own, account(administrator, groups=[group.pk]) | forged).status_code == 302
    administrator.refresh_from_db()
    assert not administrator.is_superuser


def test_an_administrator_cannot_take_over_an_account_that_may_do_more(client):
    client.force_login(person("administrator"))
    superuser = person("superuser")
    special = person("staff")
    beyond = Group.objects.create(name="made-up-beyond")
    beyond.permissions.add(*Group.objects.get(name="viewer").permissions.all())
    beyond.permissions.add(Permission.objects.get(codename="delete_user"))
    special.groups.add(beyond)
    shut = User.objects.create_user("made-up-shut", is_staff=True, is_active=False)
    shut.groups.add(beyond)
    password = {"password1": "a made-up long sentence", "password2": "a made-up long sentence"}
    for user in (superuser, special, shut):
        before = User.objects.filter(pk=user.pk).values().get()
        base = f"/admin/auth/user/{user.pk}"
        assert client.get(f"{base}/change/").status_code == 200
        assert client.post(f"{base}/change/", account(user)).status_code == 403
        assert client.post(f"{base}/password/", password).status_code == 403
        assert User.objects.filter(pk=user.pk).values().get() == before
    editor = person("editor")
    forged = account(editor, groups=[beyond.pk])
    response = client.post(f"/admin/auth/user/{editor.pk}/change/", forged)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["groups"]


def test_a_superuser_may_make_another_and_deletes_no_account(client):
    client.force_login(person("superuser"))
    editor = person("editor")
    change = f"/admin/auth/user/{editor.pk}/change/"
    forged = account(editor, is_staff="on", is_superuser="on")
    assert client.post(change, forged).status_code == 302
    editor.refresh_from_db()
    assert editor.is_superuser
    actions = client.get("/admin/auth/user/").content.decode()
    assert "delete_selected" not in actions
    bulk = {"action": "delete_selected", "_selected_action": [editor.pk], "post": "yes"}
    client.post("/admin/auth/user/", bulk)
    assert User.objects.filter(pk=editor.pk).exists()


# --- Forged rows --------------------------------------------------------------------------------


def test_a_forged_row_of_a_published_record_is_not_changed_through_the_form_of_a_draft(client):
    client.force_login(person("editor"))
    public = make.agreement(provisions=[{}])
    draft = make.agreement(state="draft")
    theirs = public.provisions.get()
    row = {"id": theirs.pk, "statement": "Forged.", "depth": "recognition", "position": 1}
    row |= {"area": theirs.area_id, "commitment": "agreed", "direction": "mutual"}
    for forged in (row, row | {"DELETE": "on"}, row | {"agreement": public.pk}):
        data = record(slug=draft.slug) | rows("provisions", forged)
        data["provisions-INITIAL_FORMS"] = 1
        response = client.post(f"/admin/agreements/agreement/{draft.pk}/change/", data)
        assert response.status_code in (200, 302)
        theirs.refresh_from_db()
        assert (theirs.statement, theirs.agreement) == ("Made up.", public)
