"""Signing in with a real browser: keys, accessibility, policy, narrow screens, keyboard."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User

from tests.looks import accessibility_faults, follow, following
from tests.signing_in import FACTORS, PASSWORD, code_now

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def somebody(settings):
    """A member of staff, on a site that requires two factors."""
    settings.TWO_FACTORS_REQUIRED = True
    return User.objects.create_superuser("somebody", password=PASSWORD)


def give_password(page):
    page.get_by_label("Username").fill("somebody")
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Log in"))


def examine(page):
    """Nothing against the policy, no sideways scroll, no finding of axe, one heading."""
    assert page.complaints == [], page.url
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.viewport_size["width"], (page.url, wide)
    assert page.get_by_role("heading", level=1).count() == 1, page.url
    assert accessibility_faults(page) == "", page.url


def give_a_key(page):
    """A key that the browser itself plays; it answers without being touched."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_key_is_added_and_signs_in(visit, site):
    page = visit("/admin/")
    give_a_key(page)
    give_password(page)
    follow(page.get_by_role("link", name="Add a key"))
    page.get_by_label("Name").fill("In the drawer")
    follow(page.get_by_role("button", name="Add the key"))
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert str(Authenticator.objects.get(type="webauthn")) == "In the drawer"
    page.goto(f"{site}/admin/agreements/agreement/")
    follow(page.get_by_role("button", name="Log out"))

    page.goto(f"{site}/admin/agreements/agency/")
    give_password(page)
    follow(page.get_by_role("button", name="Use a security key"))
    assert page.url == f"{site}/admin/agreements/agency/"
    assert page.complaints == []

    # The same key confirms who is there before it is removed.
    page.goto(f"{site}/admin/account/confirm/key/?next={FACTORS}keys/")
    follow(page.get_by_role("button", name="Use a security key"))
    follow(page.get_by_role("link", name="Remove In the drawer"))
    follow(page.get_by_role("button", name="Remove the key"))
    page.get_by_role("heading", name="Second factors").wait_for()
    assert not Authenticator.objects.exists()


def test_a_key_that_does_not_answer_is_said_in_words(visit):
    page = visit("/admin/")
    give_password(page)
    follow(page.get_by_role("link", name="Add a key"))
    page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new Error()); }")
    said = page.get_by_text("The key did not answer")
    assert not said.is_visible()
    page.get_by_role("button", name="Add the key").click()
    said.wait_for()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_every_page_of_signing_in_is_accessible_and_within_the_policy(
    visit,
    site,
    scheme,
    width,
):
    page = visit("/admin/", scheme=scheme, width=width)
    examine(page)
    page.get_by_label("Username").fill("somebody")
    page.get_by_label("Password").fill("wrong")
    follow(page.get_by_role("button", name="Log in"))
    page.get_by_role("alert").wait_for()
    examine(page)
    give_password(page)
    page.get_by_role("heading", name="Second factors").wait_for()
    examine(page)
    give_a_key(page)
    for path in ("keys/add/", "app/"):
        page.goto(site + FACTORS + path)
        examine(page)
    page.get_by_role("textbox", name="code").fill("1")
    follow(page.get_by_role("button", name="Set up"))
    page.get_by_role("alert").wait_for()
    examine(page)
    page.get_by_role("textbox", name="code").fill(code_now(page.locator("#secret").inner_text()))
    follow(page.get_by_role("button", name="Set up"))
    page.get_by_role("heading", name="Recovery codes").wait_for()
    examine(page)
    page.goto(f"{site}{FACTORS}keys/add/")
    follow(page.get_by_role("button", name="Add the key"))
    page.get_by_role("heading", name="Second factors").wait_for()
    key = Authenticator.objects.get(type="webauthn").pk
    paths = ("", "keys/", f"keys/{key}/", f"keys/{key}/remove/", "app/remove/", "codes/generate/")
    for path in paths:
        page.goto(site + FACTORS + path)
        examine(page)
    for path in ("", "code/", "key/"):
        page.goto(f"{site}/admin/account/confirm/{path}")
        examine(page)
    page.goto(f"{site}/admin/logout/")
    examine(page)
    follow(page.locator("#content").get_by_role("button", name="Log out"))
    give_password(page)
    page.get_by_role("heading", name="Second factor").wait_for()
    examine(page)
    for _ in range(6):
        page.get_by_label("Code").fill("1")
        follow(page.get_by_role("button", name="Log in"))
    page.get_by_role("heading", name="Too many attempts").wait_for()
    examine(page)


def test_the_notice_of_the_embedded_default_is_accessible(visit, settings):
    settings.TWO_FACTORS_REQUIRED = False
    page = visit("/admin/", width=320, scheme="dark")
    examine(page)
    give_password(page)
    assert page.get_by_text("second factors are not required").is_visible()
    assert page.complaints == []


def test_an_app_is_set_up_and_signs_in_by_keyboard_without_javascript(visit):
    page = visit("/admin/", width=360, javascript=False)
    page.get_by_label("Username").focus()
    page.keyboard.type("somebody")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with following(page):
        page.keyboard.press("Enter")
    follow(page.get_by_role("link", name="Set up an app"), "Enter")
    secret = page.locator("#secret").inner_text()
    page.get_by_role("textbox", name="code").focus()
    page.keyboard.type(code_now(secret))
    with following(page):
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert len(re.findall(r"\d{8}", page.locator(".codes").inner_text().replace(" ", ""))) == 10
