"""The public addresses."""

from django.urls import path

from .views import agencies, agreements, site

urlpatterns = [
    path("", site.home, name="home"),
    path("agreements/", agreements.agreement_list, name="agreement-list"),
    path("agreements.csv", agreements.agreement_csv, name="agreement-csv"),
    path("agreements/<slug:slug>/", agreements.agreement_detail, name="agreement-detail"),
    path("agencies/", agencies.agency_list, name="agency-list"),
    path("agencies/<slug:key>/", agencies.agency_detail, name="agency-detail"),
    path("about/", site.about, name="about"),
]
