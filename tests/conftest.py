"""The database of the tests holds the shipped register; a test that wants it empty says so."""

import io
import os
import shutil

import pytest
from django.core.management import call_command
from hypothesis import settings as hypothesis_settings

from agreements.models import Agency, Agreement, Edition, Relation

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
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        call_command("import_register", verbosity=0, stdout=io.StringIO())


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Templates may name static files without collectstatic having run."""
    storages = settings.STORAGES
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**storages, "staticfiles": {"BACKEND": backend}}


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
