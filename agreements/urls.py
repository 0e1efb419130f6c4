"""The public addresses."""

from django.urls import path

from .views import agencies, agreements, coverage, site

urlpatterns = [
    path("", site.home, name="home"),
    path("agreements/", agreements.agreement_list, name="agreement-list"),
    path("agreements.csv", agreements.agreement_csv, name="agreement-csv"),
    path("agreements/<slug:slug>/", agreements.agreement_detail, name="agreement-detail"),
    path("coverage/", coverage.coverage, name="coverage"),
    path("coverage.csv", coverage.coverage_csv, name="coverage-csv"),
    path(
        "coverage/<slug:key>/<slug:other>/",
        coverage.coverage_pair,
        name="coverage-pair",
    ),
    path("agencies/", agencies.agency_list, name="agency-list"),
    path("agencies/<slug:key>/", agencies.agency_detail, name="agency-detail"),
    path("about/", site.about, name="about"),
]
