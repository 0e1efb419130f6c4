"""The database of the tests holds the shipped register; a test that wants it empty says so."""

import io
import os
import shutil
import threading

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import override_settings
from hypothesis import settings as hypothesis_settings

from agreements.models import Agency, Agreement, Edition, Relation
from agreements.views import tables
from moctracker import environment
from tests.kept import Kept

# The tests are an entry point like any other: their database lies in the data folder.
environment.begin()

KEPT = pytest.StashKey()

# A slow machine is no counter-example; in CI a failure must be the change's own.
hypothesis_settings.register_profile(
    "moctracker", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis_settings.load_profile("moctracker")


def pytest_collection_modifyitems(config, items):
    """Browser tests run where Chromium is; CI may not do without."""
    if shutil.which("chromium") or os.environ.get("CI") == "true":
        return
    skip = pytest.mark.skip(reason="Chromium is not installed: the browser tests are left out")
    for item in items:
        if "browser" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def django_db_setup(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        call_command("import_register", verbosity=0, stdout=io.StringIO())
        request.config.stash[KEPT] = django_db_blocker, Kept()


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
        blocker, kept = item.config.stash[KEPT]
        with blocker.unblock():
            kept.put_back()


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
