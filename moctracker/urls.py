"""The admin and the public site."""

from django.contrib import admin
from django.urls import include, path

handler404 = "agreements.views.problem"
handler400 = "agreements.views.problem"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
]
