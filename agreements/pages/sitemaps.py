"""Every published page, once, for search engines."""

import datetime

from django.contrib.sitemaps import Sitemap
from django.urls import reverse

from ..models import Agency, Agreement
from ..models.querysets import AgencyQuerySet, AgreementQuerySet


class PageSitemap(Sitemap):
    """The pages about the register as a whole."""

    def items(self) -> list[str]:
        return ["home", "agreement-list", "agency-list", "data", "dictionary", "loading", "about"]

    def location(self, item: str) -> str:
        return reverse(item)


class AgreementSitemap(Sitemap):
    """The page of each agreement."""

    def items(self) -> AgreementQuerySet:
        return Agreement.objects.register().only("slug", "updated_at", "revises").order_by("slug")

    def lastmod(self, item: Agreement) -> datetime.datetime:
        return item.updated_at


class AgencySitemap(Sitemap):
    """The page of each agency."""

    def items(self) -> AgencyQuerySet:
        return Agency.objects.register().only("key").order_by("key")


SITEMAPS = {"pages": PageSitemap, "agreements": AgreementSitemap, "agencies": AgencySitemap}
