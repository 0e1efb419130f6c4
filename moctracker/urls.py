"""The admin and the public site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import include, path
from django.views.static import serve

handler400 = "agreements.views.site.bad_request"
handler403 = "agreements.views.site.not_allowed"
handler404 = "agreements.views.site.not_found"

urlpatterns = [
    path(
        "admin/stored/<path:path>",
        admin.site.admin_view(
            permission_required("agreements.view_source", raise_exception=True)(serve)
        ),
        {"document_root": settings.MEDIA_ROOT},
    ),
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
]
