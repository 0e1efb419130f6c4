"""The public addresses."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("agreements/", views.agreement_list, name="agreement-list"),
    path("agreements.csv", views.agreement_csv, name="agreement-csv"),
    path("agreements/<slug:slug>/", views.agreement_detail, name="agreement-detail"),
    path("agencies/", views.agency_list, name="agency-list"),
    path("agencies/<slug:key>/", views.agency_detail, name="agency-detail"),
    path("about/", views.about, name="about"),
]
