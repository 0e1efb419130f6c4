"""The staff desk."""

from django.contrib import admin

from . import agency, agreement, revisions, vocabulary

__all__ = ["agency", "agreement", "revisions", "vocabulary"]

admin.site.site_title = "moctracker"
admin.site.site_header = "moctracker – staff desk"
admin.site.index_title = "The register"
# The change list needs the width.
admin.site.enable_nav_sidebar = False
