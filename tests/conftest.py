"""The database of the tests holds a small register; a test that wants another one says so."""

import os
import shutil
import threading

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import blocking_manager_key

from agreements.faces import tables
from agreements.models import Agency, Agreement, Edition, Relation
from moctracker import environment
from tests.moving import person
from tests.registers import Registers
from tests.signing_in import PASSWORD, SECRET

# The tests are an entry point like any other: their database lies in the data folder.
environment.begin()

WANTED = pytest.StashKey[str]()
REGISTERS = pytest.StashKey[Registers]()

# A slow machine is no counter-example; in CI a failure must be the change's own.
hypothesis_settings.register_profile(
    "moctracker", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis_settings.load_profile("moctracker")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Browser tests are slow ones, and run where Chromium is; CI may not do without. The tests of
    the shipped register come last, so that the database changes its content once."""
    missing = not (shutil.which("chromium") or os.environ.get("CI") == "true")
    skip = pytest.mark.skip(reason="Chromium is not installed: the browser tests are left out")
    for item in items:
        if "browser" in item.keywords:
            item.add_marker(pytest.mark.slow)
            if missing:
                item.add_marker(skip)
    items.sort(key=register_of, reverse=True)


def register_of(item):
    """The name of the register that a test wants to find in the database."""
    return "shipped" if item.get_closest_marker("shipped") else "small"


@pytest.fixture(scope="session")
def django_db_setup(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        request.config.stash[REGISTERS] = Registers(request.config.stash[WANTED])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before any of its fixtures, a test finds the register that it wants."""
    item.config.stash[WANTED] = register_of(item)
    if REGISTERS in item.config.stash:
        with item.config.stash[blocking_manager_key].unblock():
            item.config.stash[REGISTERS].show(register_of(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """After a test that wrote for good, whatever runs next finds what was there before it."""
    yield
    if nextitem is None:
        # The test database is gone.
        return
    marker = item.get_closest_marker("django_db")
    for_good = bool(marker and marker.kwargs.get("transaction"))
    if for_good or {"transactional_db", "live_server"} & set(item.fixturenames):
        with item.config.stash[blocking_manager_key].unblock():
            item.config.stash[REGISTERS].put_back()


@pytest.fixture(scope="session", autouse=True)
def quick_settings():
    """Templates may name static files without collectstatic having run, and a password is not
    made hard to guess: that alone takes a third of a second."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    with override_settings(
        STORAGES={**django_settings.STORAGES, "staticfiles": {"BACKEND": backend}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ):
        yield


@pytest.fixture(autouse=True)
def free_places(monkeypatch):
    """The test client leaves what it did not read to the garbage collector: each test begins with
    every place for a download free."""
    monkeypatch.setattr(tables, "_places", threading.BoundedSemaphore(tables.AT_ONCE))


@pytest.fixture(autouse=True)
def no_release(settings, tmp_path_factory):
    """The releases of whoever runs the tests are not those of the tests."""
    settings.RELEASES_ROOT = tmp_path_factory.getbasetemp() / "no-releases"


@pytest.fixture(autouse=True)
def no_response_cache(settings):
    """Tests change rows without beginning an edition."""
    settings.ANSWER_CACHE_BYTES = 0


@pytest.fixture
def empty_register(db):
    """No agreement and no agency; the vocabularies stay."""
    Relation.objects.all().delete()
    Agreement.objects.all().delete()
    Agency.objects.update(parent=None)
    Agency.objects.all().delete()
    Edition.renew()


@pytest.fixture
def reference(db):
    """The record the register grew out of."""
    return Agreement.objects.with_related().get(slug="hsa-mhlw-moc-2026")


@pytest.fixture
def editor(db):
    """Somebody who may draft."""
    return person("editor")


@pytest.fixture
def publisher(db):
    """Somebody who may publish."""
    return person("publisher")


@pytest.fixture
def other_publisher(db):
    """Somebody else who may publish."""
    return person("publisher", "made-up-second-publisher")


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium."""
    from playwright.sync_api import sync_playwright

    # Playwright runs its own event loop in this thread; Django is right that views must not.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(live_server):
    """The address of the site that the browser visits."""
    return live_server.url


@pytest.fixture
def visit(browser, site):
    """Opens a page, as somebody who has signed in if there is a ``user``. The page notes its
    complaints; a test must wait for each page that it goes on to, by ``tests.looks.follow``."""
    from tests.looks import watch

    contexts, pages = [], []

    def open_page(path, *, width=1280, scheme="light", javascript=True, user=None):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=javascript,
        )
        contexts.append(context)
        if user:
            client = Client()
            client.force_login(user)
            session = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        page = watch(context.new_page())
        pages.append(page)
        page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [page.not_awaited for page in pages if page.not_awaited] == []


@pytest.fixture
def staff(db):
    """Somebody who may do everything at the desk, with a password."""
    return User.objects.create_superuser("somebody", "somebody@agency.example", PASSWORD)


@pytest.fixture
def staff_with_app(staff):
    """The same person with an app for codes and with recovery codes."""
    TOTP.activate(staff, SECRET)
    RecoveryCodes.activate(staff)
    return staff
