"""The admin and the public site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

handler400 = "agreements.views.site.bad_request"
handler404 = "agreements.views.site.not_found"

urlpatterns = [
    path(
        # Only the copies of sources: beside them lie files that were uploaded to be imported.
        "admin/stored/sources/<path:path>",
        admin.site.admin_view(serve),
        {"document_root": settings.MEDIA_ROOT / "sources"},
    ),
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
]
