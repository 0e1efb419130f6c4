"""Staff sign in with a password and a second factor; nobody else gets in, and guessing is slow."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse

from agreements.models import Agreement
from tests.made_up_key import Key
from tests.signing_in import (
    FACTORS,
    PASSWORD,
    SECRET,
    code_now,
    give_code,
    give_password,
    help_with,
    is_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def required(settings):
    """As on a public site."""
    settings.TWO_FACTORS_REQUIRED = True


def test_a_password_opens_the_desk_where_second_factors_are_not_required(client, staff):
    assert client.get("/admin/").url == "/admin/login/?next=/admin/"
    response = give_password(client)
    assert response.url == "/admin/"
    assert is_in(client)


def test_what_is_off_is_said_where_people_look_and_nowhere_else(client, staff, settings):
    assert "MOCTRACKER_TWO_FACTORS=1" in client.get("/admin/login/").content.decode()
    give_password(client)
    assert "MOCTRACKER_TWO_FACTORS=1" in client.get("/admin/").content.decode()
    assert "MOCTRACKER_TWO_FACTORS" not in client.get("/").content.decode()
    settings.TWO_FACTORS_REQUIRED = True
    assert "MOCTRACKER_TWO_FACTORS" not in Client().get("/admin/login/").content.decode()


def test_signing_in_leads_where_one_wanted_to_go(client, staff):
    wanted = client.get("/admin/agreements/agreement/?q=gmp").url
    page = client.get(wanted).content.decode()
    hidden = re.search(r'name="next"[^>]*value="([^"]*)"', page).group(1)
    assert give_password(client, next=hidden).url == "/admin/agreements/agreement/?q=gmp"


@pytest.mark.parametrize(
    "hostile",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "\\\\elsewhere.example/",
        "javascript:alert(1)",
        "http:///elsewhere.example",
        "/admin/\r\nSet-Cookie: a=b",
        "\0",
    ],
)
def test_signing_in_never_leads_off_the_site(client, staff, hostile):
    client.get("/admin/login/", {"next": hostile})
    response = give_password(client, next=hostile)
    assert response.status_code == 302
    assert response.url.startswith("/admin/")
    assert "\n" not in response.url


@pytest.mark.parametrize("name", ["signup", "email", "reset_password", "request_login_code"])
def test_there_is_no_sign_up_and_nothing_that_needs_mail(admin_client, rf, name):
    with pytest.raises(NoReverseMatch):
        reverse(f"account_{name}")
    for prefix in ("/admin/", "/admin/account/", "/accounts/", "/"):
        assert admin_client.get(f"{prefix}{name}/").status_code == 404
    assert not get_adapter().is_open_for_signup(rf.get("/"))


def test_who_is_not_staff_is_told_the_same_as_for_a_wrong_password(client, staff):
    User.objects.create_user("visitor", password=PASSWORD)
    wrong = give_password(client, password="wrong").context["form"].errors
    assert give_password(client, "visitor").context["form"].errors == wrong
    assert not is_in(client)


def test_who_is_no_longer_staff_comes_to_the_sign_in_page_and_not_into_a_circle(client, staff):
    give_password(client)
    User.objects.update(is_staff=False)
    response = client.get("/admin/", follow=True)
    assert response.status_code == 200
    assert "Log in to the staff desk" in response.content.decode()


def test_the_admins_own_form_signs_nobody_in(client, staff_with_app):
    client.post("/admin/login/", {"username": "somebody", "password": PASSWORD})
    assert not is_in(client)
    client.force_login(User.objects.create_superuser("other"))
    give_password(client)
    assert client.get("/admin/").context["user"].username == "other"


def admin_addresses():
    """Every address of the staff desk without arguments, and one with."""
    found = {"/admin/", "/admin/agreements/agreement/1/change/", "/admin/stored/a.pdf"}
    entries = [("/", get_resolver())]
    while entries:
        prefix, resolver = entries.pop()
        for entry in resolver.url_patterns:
            address = prefix + str(entry.pattern)
            if hasattr(entry, "url_patterns"):
                entries.append((address, entry))
            elif address.startswith("/admin/") and not re.search(r"[<(^?]", address):
                found.add(address)
    return found


def test_nobody_gets_further_than_the_sign_in_page(client):
    for address in admin_addresses() - {"/admin/login/", "/admin/logout/"}:
        for response in (client.get(address), client.post(address, {})):
            assert response.status_code in (302, 405), address
            if response.status_code == 302:
                assert response.url.partition("?")[0] == "/admin/login/", address
    assert client.get("/admin/logout/").url == "/admin/login/"


def test_without_a_second_factor_only_the_pages_that_set_one_up_are_open(client, staff, required):
    give_password(client)
    addresses = admin_addresses()
    assert len(addresses) > 30
    opened = set()
    for address in addresses - {"/admin/login/", "/admin/logout/"}:
        for response in (client.get(address), client.post(address, {})):
            if response.status_code != 302 or response.url != FACTORS:
                opened.add(address)
    assert opened == {
        FACTORS,
        f"{FACTORS}app/",
        f"{FACTORS}keys/add/",
        "/admin/account/confirm/",
    }
    assert client.get("/").status_code == 200


def test_setting_an_app_up_shows_recovery_codes_and_opens_the_desk(client, staff, required):
    give_password(client)
    response = client.get(f"{FACTORS}app/")
    assert "no-store" in response["Cache-Control"]
    page = response.content.decode()
    secret = re.search(r'id="secret">([A-Z2-7]+)<', page).group(1)
    assert "<svg" in page
    assert "data:image" not in page
    refused = client.post(f"{FACTORS}app/", {"code": "000000x"})
    assert "Incorrect code" in refused.content.decode()
    response = client.post(f"{FACTORS}app/", {"code": code_now(secret)}, follow=True)
    codes = re.findall(r"<li><code>([^<]+)</code>", response.content.decode())
    assert len(codes) == 10
    assert is_in(client)

    other = Client()
    assert give_password(other).url == "/admin/login/factor/"
    assert give_code(other, codes[0]).url == "/admin/"
    assert is_in(other)


def test_the_password_alone_is_not_enough_for_who_has_a_factor(client, staff_with_app):
    give_password(client, next="/admin/agreements/")
    assert not is_in(client)
    assert client.get("/admin/login/").url == "/admin/login/factor/"
    assert "Incorrect code" in give_code(client, "12345").content.decode()
    assert not is_in(client)
    assert give_code(client, code_now()).url == "/admin/agreements/"
    assert is_in(client)


def test_a_code_is_good_once(client, staff_with_app, monkeypatch):
    code = code_now()
    give_password(client)
    give_code(client, code)
    later = Client()
    give_password(later)
    real = time.time
    # Still within the tolerance, but after allauth has forgotten the code.
    monkeypatch.setattr(time, "time", lambda: real() + 29)
    Authenticator.objects.update(last_used_at=None)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM moctracker_cache WHERE cache_key LIKE '%%totp.used%%'")
    assert "used before" in give_code(later, code).content.decode()
    assert not is_in(later)


def test_a_recovery_code_is_good_once(client, staff_with_app):
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    give_password(client)
    give_code(client, codes[0])
    assert is_in(client)
    other = Client()
    give_password(other)
    give_code(other, codes[0])
    assert not is_in(other)


def test_a_session_that_knew_only_the_password_must_show_the_factor_set_up_since(client, staff):
    give_password(client)
    TOTP.activate(staff, SECRET)
    for address in ("/admin/", f"{FACTORS}keys/add/", f"{FACTORS}app/remove/", FACTORS):
        response = client.get(address)
        assert response.url.startswith("/admin/account/confirm/code/?next="), address
    # Not even the password helps.
    response = client.post("/admin/account/confirm/", {"password": PASSWORD})
    assert response.url.startswith("/admin/account/confirm/code/")
    page = client.get("/admin/account/confirm/code/").content.decode()
    assert 'href="/admin/account/confirm/' not in page
    data = {"code": code_now(), "next": "/admin/agreements/"}
    assert client.post("/admin/account/confirm/code/", data).url == "/admin/agreements/"
    assert is_in(client)


def test_factors_change_only_after_a_fresh_proof_of_who_is_there(client, staff_with_app):
    give_password(client)
    give_code(client, code_now())
    session = client.session
    for record in session[AUTHENTICATION_METHODS_SESSION_KEY]:
        record["at"] -= 3600
    session.save()
    for address in ("app/remove/", "keys/add/", "codes/", "codes/download/", "codes/generate/"):
        response = client.get(FACTORS + address)
        assert response.url.startswith("/admin/account/confirm/?next="), address
    for address in ("app/remove/", "keys/add/", "codes/generate/"):
        response = client.post(FACTORS + address)
        assert response.url.startswith("/admin/account/confirm/?next="), address
    assert Authenticator.objects.filter(type="totp").exists()
    data = {"password": PASSWORD, "next": f"{FACTORS}app/remove/"}
    client.get(client.post("/admin/account/confirm/", data).url)
    client.post(f"{FACTORS}app/remove/")
    assert not Authenticator.objects.exists()


def test_five_wrong_passwords_lock_the_account_for_everybody_and_say_until_when(client, staff):
    for _ in range(5):
        assert give_password(client, password="wrong").status_code == 200
    response = give_password(client)
    page = response.content.decode()
    assert response.status_code == 429
    assert response["Retry-After"] == "900"
    assert re.search(r"Try again after \d\d:\d\d</strong> \(Asia/Singapore time\)", page)
    assert give_password(Client(), address="198.51.100.7").status_code == 429
    assert give_password(Client(), "SOMEBODY").status_code == 429
    User.objects.create_superuser("other", password=PASSWORD)
    assert give_password(Client(), "other").status_code == 302


def test_a_lockout_ends_by_itself_and_refused_attempts_do_not_prolong_it(
    client, staff, monkeypatch
):
    for _ in range(9):
        give_password(client, password="wrong")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 15 * 60 + 1)
    assert give_password(client).status_code == 302
    assert is_in(client)


def test_failures_are_counted_where_every_process_sees_them(client, staff):
    give_password(client, password="wrong")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM moctracker_cache WHERE cache_key LIKE '%%login_failed%%'"
        )
        assert cursor.fetchone() == (2,)


def test_an_address_that_guesses_many_names_is_shut_out_and_others_are_not(client, staff):
    for number in range(20):
        assert give_password(client, f"name{number}", address="198.51.100.7").status_code == 200
    assert give_password(client, address="198.51.100.7").status_code == 429
    assert give_password(client, address="198.51.100.8").status_code == 302


def test_behind_a_proxy_the_visitors_address_counts_and_cannot_be_made_up(client, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    def attempt(number, forwarded):
        data = {"login": f"name{number}", "password": "wrong"}
        return client.post("/admin/login/", data, headers={"X-Forwarded-For": forwarded})

    for number in range(20):
        attempt(number, f"203.0.113.{number}, 198.51.100.7")
    assert attempt(20, "203.0.113.99, 198.51.100.7").status_code == 429
    assert attempt(21, "198.51.100.7, 198.51.100.8").status_code == 200


def test_guessing_codes_is_slow_too(client, staff_with_app):
    give_password(client)
    for _ in range(5):
        assert give_code(client, "1").status_code == 200
    assert give_code(client, code_now()).status_code == 429
    assert not is_in(client)


def test_guessing_the_password_in_an_open_session_is_slow_too(client, staff):
    give_password(client)
    for _ in range(5):
        client.post("/admin/account/confirm/", {"password": "wrong"})
    assert client.post("/admin/account/confirm/", {"password": PASSWORD}).status_code == 429


def test_what_the_session_held_before_signing_in_is_there_afterwards(client, staff_with_app):
    """Typed values are put aside there when a session has expired."""
    session = client.session
    session["put_aside"] = {"title": "Made-up"}
    session.save()
    before = session.session_key
    give_password(client)
    assert client.session["put_aside"] == {"title": "Made-up"}
    give_code(client, code_now())
    assert is_in(client)
    assert client.session["put_aside"] == {"title": "Made-up"}
    assert client.session.session_key != before


def test_a_session_ends_with_the_browser_or_after_eight_idle_hours(client, staff):
    give_password(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert not cookie["max-age"]
    assert client.session.get_expire_at_browser_close()
    assert client.session.get_expiry_age() == 8 * 60 * 60


def test_work_keeps_a_session_awake_without_a_write_for_each_page(client, staff):
    give_password(client)
    client.get("/admin/")
    first = client.session["last_seen"]
    session = client.session
    session["last_seen"] = first - 301
    session.save()
    client.get("/admin/")
    assert client.session["last_seen"] >= first
    session = client.session
    session["last_seen"] = recent = int(time.time()) - 60
    session.save()
    client.get("/admin/")
    assert client.session["last_seen"] == recent


def test_public_pages_do_not_look_at_the_session_of_staff(client, staff):
    give_password(client)
    for address in ("/", "/agreements/", "/nowhere/"):
        response = client.get(address)
        assert not response.cookies
        assert "Cookie" not in response.get("Vary", "")


def test_logging_out_is_a_button_and_ends_the_session(client, staff):
    give_password(client)
    client.get("/admin/logout/")
    assert is_in(client)
    assert client.post("/admin/logout/").url == "/admin/login/"
    assert not is_in(client)


def test_the_header_leads_to_password_factors_and_log_out(client, staff):
    give_password(client)
    page = client.get("/admin/").content.decode()
    for address in (FACTORS, "/admin/password_change/", "/admin/logout/"):
        assert f'"{address}"' in page


HOSTILE = ["\0", "\ud800", "a" * 100_000, "9" * 5000, "١٢٣٤٥٦", "<script>", "%00", "null", ""]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_are_answered_with_a_form(client, staff_with_app, hostile):
    for name in (hostile, "somebody"):
        data = {"login": name, "password": hostile, "next": hostile}
        body = "&".join(f"{key}={quoted(value)}" for key, value in data.items())
        response = client.post("/admin/login/", body, "application/x-www-form-urlencoded")
        assert response.status_code == 200
    give_password(client)
    assert give_code(client, hostile.encode("utf-8", "replace").decode()).status_code == 200


def quoted(text):
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


CREDENTIALS = [
    "",
    "{",
    "[" * 5000,
    "1e999999",
    "null",
    "[]",
    '"text"',
    "{}",
    '{"id": 1, "rawId": null, "type": [], "response": {}}',
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": "x"}',
    json.dumps(
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "e30",
                "attestationObject": "oA",
                "authenticatorData": "AA",
                "signature": "AA",
                "userHandle": "\0",
            },
        }
    ),
    json.dumps(
        {
            "id": "*",
            "rawId": "*",
            "type": "public-key",
            "response": {"clientDataJSON": "W10", "attestationObject": "_____w"},
        }
    ),
]


@pytest.mark.parametrize("credential", CREDENTIALS, ids=range(len(CREDENTIALS)))
def test_a_forged_key_is_answered_with_a_message(client, staff, credential):
    give_password(client)
    client.get(f"{FACTORS}keys/add/")
    added = client.post(f"{FACTORS}keys/add/", {"credential": credential, "name": "x"})
    assert added.status_code == 200
    assert "Key:" in added.content.decode()
    assert not Authenticator.objects.exists()
    TOTP.activate(staff, SECRET)
    other = Client()
    give_password(other)
    other.get("/admin/login/factor/")
    response = other.post("/admin/login/factor/", {"credential": credential})
    assert response.status_code == 200
    assert "Key:" in response.content.decode()
    assert not is_in(other)


def test_only_the_key_that_was_added_signs_in_and_only_its_public_part_is_kept(
    client, staff, settings
):
    key = Key()
    give_password(client)
    client.get(f"{FACTORS}keys/add/")
    answer = key.created(client) | {"clientExtensionResults": {"more": "\0\ud800"}}
    client.post(f"{FACTORS}keys/add/", {"credential": json.dumps(answer), "name": ""})
    kept = Authenticator.objects.get(type="webauthn").data["credential"]
    assert set(kept) == {"id", "rawId", "type", "response"}

    other = Client()
    give_password(other)
    other.get("/admin/login/factor/")
    # With these settings the site has TLS, as in public.
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False
    for forge in (
        lambda: Key().used(other, origin="https://testserver"),
        lambda: key.used(other, origin="https://elsewhere.example"),
        lambda: key.used(other, origin="https://testserver") | {"id": "AAAA", "rawId": "AAAA"},
    ):
        data = {"credential": json.dumps(forge())}
        response = other.post("/admin/login/factor/", data)
        assert "The key was not accepted" in response.content.decode()
        assert not is_in(other)
    used = key.used(other, origin="https://testserver")
    response = other.post("/admin/login/factor/", {"credential": json.dumps(used)})
    assert response.url == "/admin/"
    assert is_in(other)


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**40])
def test_another_persons_key_and_one_that_is_none_are_not_found(client, staff, number):
    give_password(client)
    for address in (f"{FACTORS}keys/{number}/", f"{FACTORS}keys/{number}/remove/"):
        assert client.get(address).status_code == 404


def test_an_administrator_lets_a_colleague_in_again_and_the_history_tells(
    client, admin_client, admin_user, staff_with_app
):
    for _ in range(5):
        give_password(client, password="wrong")
    assert give_password(client).status_code == 429
    help_with(admin_client, staff_with_app)
    assert not Authenticator.objects.filter(user=staff_with_app).exists()
    assert give_password(client).url == "/admin/"
    entry = LogEntry.objects.get(object_id=staff_with_app.pk)
    assert entry.user == admin_user
    assert "Second factors reset by an administrator" in entry.get_change_message()


def test_an_administrator_cannot_go_round_the_question_for_their_own_factors(
    admin_client, admin_user
):
    TOTP.activate(admin_user, SECRET)
    session = admin_client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "at": 0}]
    session["account_authentication_methods_user"] = str(admin_user.pk)
    session.save()
    response = help_with(admin_client, admin_user)
    assert "change your own second factors" in response.content.decode()
    assert Authenticator.objects.filter(user=admin_user).exists()


@pytest.mark.parametrize(("role", "helped"), [("administrator", True), ("publisher", False)])
def test_only_administrators_reset_factors_and_only_superusers_those_of_superusers(
    client, staff_with_app, role, helped
):
    colleague = User.objects.create_user("colleague", is_staff=True)
    TOTP.activate(colleague, SECRET)
    helper = User.objects.create_user("helper", is_staff=True)
    helper.groups.add(Group.objects.get(name=role))
    client.force_login(helper)
    help_with(client, colleague, staff_with_app)
    assert Authenticator.objects.filter(user=colleague).exists() is not helped
    assert Authenticator.objects.filter(user=staff_with_app).exists()


def test_the_list_of_users_shows_who_has_no_second_factor(admin_client, staff_with_app):
    page = admin_client.get("/admin/auth/user/").content.decode()
    shown = re.findall(r'field-second_factor"><img[^>]*alt="(\w+)"', page)
    # By name: "admin" has none yet, "somebody" has an app.
    assert shown == ["False", "True"]


def test_the_command_helps_the_last_administrator(staff_with_app, capsys):
    call_command("reset_second_factors", "somebody")
    assert "somebody has no second factor now" in capsys.readouterr().out
    assert not Authenticator.objects.exists()
    assert "on the command line" in LogEntry.objects.get().get_change_message()
    with pytest.raises(CommandError, match="There is no account named 'nobody'"):
        call_command("reset_second_factors", "nobody")


def test_nobody_reads_the_secrets_of_second_factors_in_the_admin():
    assert not admin.site.is_registered(Authenticator)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "False 0"),
        ({"MOCTRACKER_HOSTS": "register.example"}, "True 1"),
        ({"MOCTRACKER_HOSTS": "register.example", "MOCTRACKER_TWO_FACTORS": "0"}, "False 1"),
        ({"MOCTRACKER_TWO_FACTORS": "1", "MOCTRACKER_PROXIES": "2"}, "True 2"),
        ({"MOCTRACKER_TWO_FACTORS": "yes"}, "MOCTRACKER_TWO_FACTORS must be 1 or 0, not 'yes'."),
        ({"MOCTRACKER_PROXIES": "-1"}, "MOCTRACKER_PROXIES must be a number from 0 to 9"),
    ],
)
def test_a_public_site_requires_two_factors_unless_told_otherwise(environment, said):
    ask = "from moctracker import settings as s; "
    ask += "print(s.TWO_FACTORS_REQUIRED, s.ALLAUTH_TRUSTED_PROXY_COUNT)"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert said in done.stdout + done.stderr


def test_a_form_posted_without_a_second_factor_changes_nothing(client, staff, required):
    give_password(client)
    before = Agreement.objects.count()
    data = {"title": "Made-up", "slug": "made-up", "state": "draft"}
    assert client.post("/admin/agreements/agreement/add/", data).url == FACTORS
    assert Agreement.objects.count() == before
