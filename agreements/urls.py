"""The public addresses."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from .exports import TABLES
from .faces import api as faces
from .faces import tables
from .faces.answer_cache import conditional, with_opened
from .pages import agencies, agreements, changes, coverage, releases, site
from .pages.sitemaps import SITEMAPS

urlpatterns = [
    path("", site.home, name="home"),
    path("agreements/", agreements.agreement_list, name="agreement-list"),
    path("agreements.csv", tables.table, {"name": "agreements"}, name="agreement-csv"),
    path("agreements.xlsx", tables.workbook, name="agreement-xlsx"),
    path("agreements.json", faces.agreement_json, name="agreement-json"),
    path("agreements.atom", faces.agreement_atom, name="agreement-atom"),
    path("agreements.ics", faces.agreement_ics, name="agreement-ics"),
    path("agreements/<slug:slug>/", agreements.agreement_detail, name="agreement-detail"),
    path(
        "agreements/<slug:slug>/changes/",
        changes.agreement_changes,
        name="agreement-changes",
    ),
    path("agreements/<slug:slug>.json", faces.record_json, name="record-json"),
    path("agreements/<slug:slug>.bib", faces.record_bib, name="record-bib"),
    path("agreements/<slug:slug>.csl.json", faces.record_csl, name="record-csl"),
    path("coverage/", coverage.coverage, name="coverage"),
    path("coverage.csv", coverage.coverage_csv, name="coverage-csv"),
    path(
        "coverage/<slug:key>/<slug:other>/",
        coverage.coverage_pair,
        name="coverage-pair",
    ),
    path("agencies/", agencies.agency_list, name="agency-list"),
    path("agencies/<slug:key>/", agencies.agency_detail, name="agency-detail"),
    path("agencies.json", faces.agency_json, name="agency-json"),
    path("agencies/<slug:key>.json", faces.agency_record_json, name="agency-record-json"),
    path("areas.json", faces.area_json, name="area-json"),
    path("products.json", faces.product_json, name="product-json"),
    path("api/openapi.json", faces.openapi_json, name="openapi"),
    *(
        path(f"{name}.csv", tables.table, {"name": name}, name=f"{name.replace('_', '-')}-csv")
        for name in TABLES
        if name != "agreements"
    ),
    path("data/", site.data, name="data"),
    path("data/dictionary/", site.dictionary, name="dictionary"),
    path("data/loading/", site.loading, name="loading"),
    path("data/releases/", releases.release_list, name="release-list"),
    path("data/releases/<slug:name>/", releases.release_detail, name="release-detail"),
    path("data/releases/<slug:name>.json", releases.release_json, name="release-json"),
    path("about/", site.about, name="about"),
    path("sitemap.xml", require_safe(sitemap), {"sitemaps": SITEMAPS}, name="sitemap"),
    path("robots.txt", site.robots, name="robots"),
]
for pattern in urlpatterns:
    pattern.callback = conditional(pattern.callback)
# These have entity tags of their own, or none: their answers do not follow the register's edition.
urlpatterns += [
    path("data/latest.zip", with_opened(releases.latest), name="release-latest"),
    path("data/moctracker-<slug:name>.zip", with_opened(releases.release_zip), name="release-zip"),
]
# Nothing is written at any of them, so a forged request does no harm: each refuses what is not
# GET or HEAD itself (405), and the check against forgery does not read what was sent.
for pattern in urlpatterns:
    pattern.callback = csrf_exempt(pattern.callback)
