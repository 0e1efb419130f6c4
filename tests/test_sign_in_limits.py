"""Every way of guessing a password or a code is counted, whatever the guesser writes around it."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.signing_in import FACTORS, PASSWORD, code_now, give_code, give_password, help_with, is_in

pytestmark = pytest.mark.django_db
CHANGE = "/admin/password_change/"
NEW = "another-made-up-password"


@pytest.fixture
def hosts(settings):
    settings.ALLOWED_HOSTS = ["register.example", "testserver"]


def change_password(client, old):
    return client.post(
        CHANGE, {"old_password": old, "new_password1": NEW, "new_password2": NEW}, follow=False
    )


@pytest.mark.usefixtures("hosts", "staff")
@pytest.mark.parametrize("spelled", ["register.example:{}", "REGISTER.EXAMPLE:{}"])
def test_an_account_is_locked_whatever_host_the_guesser_names(spelled):
    for number in range(5):
        host = {"headers": {"host": spelled.format(number + 1)}}
        data = {"login": "Somebody" if number % 2 else "somebody", "password": "wrong"}
        assert Client(**host).post("/admin/login/", data).status_code == 200
    assert give_password(Client()).status_code == 429


@pytest.mark.usefixtures("hosts")
def test_an_administrator_lifts_a_lockout_that_came_about_at_another_host(
    client, admin_client, staff
):
    for _ in range(5):
        Client(headers={"host": "register.example"}).post(
            "/admin/login/", {"login": "somebody", "password": "wrong"}
        )
    assert give_password(client).status_code == 429
    help_with(admin_client, staff)
    assert give_password(client).url == "/admin/"


def test_the_old_password_is_not_guessed_on_the_page_that_changes_it(client, staff):
    give_password(client)
    for _ in range(5):
        assert "old_password" in change_password(client, "wrong").context["form"].errors
    assert change_password(client, PASSWORD).status_code == 429
    assert User.objects.get(pk=staff.pk).check_password(PASSWORD)
    # It is one count with that of signing in.
    assert give_password(Client()).status_code == 429


def test_a_password_is_changed_by_who_knows_it_and_the_session_stays(client, staff):
    give_password(client)
    change_password(client, "wrong")
    page = client.get(CHANGE)
    assert "no-store" in page["Cache-Control"]
    assert "<title>Password change" in page.content.decode()
    done = change_password(client, PASSWORD)
    assert done.url == "/admin/password_change/done/"
    assert is_in(client)
    assert give_password(Client(), password=NEW).url == "/admin/"


def set_up(client):
    page = client.get(f"{FACTORS}app/").content.decode()
    return re.search(r'id="secret">([A-Z2-7]+)<', page).group(1)


def forget_allauths_mark():
    """allauth remembers a used code for 30 seconds, and takes it for 90."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM moctracker_cache WHERE cache_key LIKE '%%totp.used%%'")


def test_the_code_that_set_the_app_up_does_not_sign_in(client, staff):
    give_password(client)
    code = code_now(set_up(client))
    assert client.post(f"{FACTORS}app/", {"code": code}).status_code == 302
    other = Client()
    give_password(other)
    assert "used before" in give_code(other, code).content.decode()
    assert not is_in(other)


def test_a_used_code_is_not_another_one_with_a_dash_in_it(client, staff_with_app, monkeypatch):
    code = code_now()
    give_password(client)
    give_code(client, code)
    forget_allauths_mark()
    other = Client()
    give_password(other)
    assert "used before" in give_code(other, f"{code[:3]}-{code[3:]}").content.decode()
    assert not is_in(other)


def test_activating_codes_are_not_guessed(client, staff):
    give_password(client)
    secret = set_up(client)
    for _ in range(5):
        assert client.post(f"{FACTORS}app/", {"code": "1"}).status_code == 200
    assert client.post(f"{FACTORS}app/", {"code": code_now(secret)}).status_code == 429
