"""The admin and the public site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import include, path
from django.views.static import serve

handler400 = "agreements.pages.site.bad_request"
handler403 = "agreements.pages.site.not_allowed"
handler404 = "agreements.pages.site.not_found"
handler500 = "agreements.pages.site.failed"
# allauth's: what it answers to too many attempts.
handler429 = "agreements.sign_in.lockout.too_many_attempts"

urlpatterns = [
    path(
        # Only the copies of sources: beside them lie files that were uploaded to be imported.
        "admin/stored/sources/<path:path>",
        admin.site.admin_view(
            permission_required("agreements.view_source", raise_exception=True)(serve)
        ),
        {"document_root": settings.MEDIA_ROOT / "sources"},
    ),
    path("admin/", include("agreements.sign_in.urls")),
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
]
