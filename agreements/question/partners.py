"""Whose coverage, told by which partners: the question of the table of partners."""

from collections.abc import Iterable
from functools import cached_property, reduce
from operator import or_
from urllib.parse import urlencode

import django_filters
from django import forms

from ..models import Agency
from ..rules.coverage import Asked
from ..rules.partners import Instrument
from ..rules.status import STANDING
from .asked import Question
from .filters import AgreementFilterSet


class CoverageFilterSet(Question):
    """Whose coverage, told by which partners, on which day.

    Asks of one agency or one country. What a provision must meet is not a filter on agreements
    here: the table says in each cell what meets it.
    """

    # Asked and told as in the list.
    product = AgreementFilterSet.base_filters["product"]
    depth = AgreementFilterSet.base_filters["depth"]
    commitment = AgreementFilterSet.base_filters["commitment"]
    status = AgreementFilterSet.base_filters["status"]
    as_of = AgreementFilterSet.base_filters["as_of"]
    agency = django_filters.ChoiceFilter(
        label="Agency",
        choices=[],
        empty_label="Choose an agency",
        help_text="The subject: an agency key. Or give country.",
        widget=forms.Select(attrs={"class": "govuk-select", "id": "agency"}),
    )
    country = django_filters.ChoiceFilter(
        label="Country or union",
        choices=[],
        empty_label="Choose a country",
        help_text="The subject: an ISO 3166-1 code, or EU, for all its agencies. Or give agency.",
    )
    by = django_filters.ChoiceFilter(
        label="Partners",
        choices=[("agency", "By agency"), ("country", "By country")],
        empty_label=None,
        help_text="What a row stands for. Left out: an agency.",
    )

    #: Whose table it is; that stands in its heading.
    NOT_NARROWING = ("agency", "country", "by")

    def further_problems(self) -> dict[str, list[str]]:
        """Two subjects: a table has one."""
        if self.query.get("agency") and self.query.get("country"):
            return {"country": ["Choose an agency or a country, not both."]}
        return {}

    @property
    def subject(self) -> str:
        """The agency's key or the country's code; empty where neither was chosen."""
        asked = self.asked
        subject: str = asked["agency"] or asked["country"]
        return subject

    @property
    def reached(self) -> Asked:
        """What a provision must meet to be counted."""
        names = ("product", "depth", "commitment")
        return Asked(**{name: frozenset(self.asked[name]) for name in names})

    @property
    def statuses(self) -> list[str]:
        """The statuses that count: those asked for, or all in which an agreement stands."""
        return self.asked["status"] or [status.value for status in STANDING]

    @cached_property
    def standing(self) -> int:
        """The bits of the agreements that stand on the day."""
        return self.register.standing(self.statuses, self.day, self.past_day)

    def instruments(self, sides: Iterable[str]) -> list[Instrument]:
        """The agreements of any of these sides that stand on the day."""
        with_them = (self.register.taking_part(side, self.day) for side in sides)
        return self.register.instruments(self.standing & reduce(or_, with_them, 0), self.day)

    def most_connected(self, most: int) -> list[tuple[str, int]]:
        """The agencies with the most partners in other countries: key and number of partners."""
        return self.register.most_connected(most, self.standing, self.day)

    @property
    def by_country(self) -> bool:
        """Whether a partner is a country; a body of no country stays a partner of its own."""
        return bool(self.asked["by"] == "country")

    @property
    def subject_query(self) -> str:
        """The question without what narrows it, as a query string."""
        return urlencode([p for p in self.pairs if p[0] in self.NOT_NARROWING])

    def with_agency(self, key: str) -> str:
        """The same question asked of an agency, as a query string."""
        others = [pair for pair in self.pairs if pair[0] not in ("agency", "country")]
        return urlencode([("agency", key), *others])

    def side_of(self, agency: Agency) -> str:
        """The partner that an agency belongs to, as a side of ``between``."""
        return (self.by_country and agency.jurisdiction.code) or agency.key

    def list_query(self, *sides: str) -> str:
        """The query string of the list of agreements that count between these sides."""
        kept = {"product", "depth", "commitment", "as_of"}
        pairs = [("between", side) for side in sides]
        pairs += [pair for pair in self.pairs if pair[0] in kept]
        return urlencode(sorted(pairs + [("status", status) for status in self.statuses]))
