"""What waits to be done: questions to the register, each with its number of records."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, Value
from django.http import HttpRequest
from django.utils import timezone

from ..models import Agreement
from ..models.querysets import AgreementQuerySet
from .guard import signed_in

#: How far ahead the front page looks for terms that lapse.
DAYS_AHEAD = 90

EDIT = "agreements.change_agreement"
PUBLISH = "agreements.publish_agreement"


@dataclass(frozen=True)
class Worklist:
    """One list. ``question`` narrows agreements to what this person has to do on this day;
    whoever lacks ``permission`` could do nothing about them and is not shown the list."""

    name: str
    title: str
    explanation: str
    permission: str
    question: Callable[[AgreementQuerySet, User, datetime.date], AgreementQuerySet]


WORKLISTS = (
    Worklist(
        "my-drafts",
        "My drafts",
        "You own them or edited them last, and the public has not seen them. Working copies of "
        "published records are among them.",
        EDIT,
        lambda agreements, user, day: agreements.drafts_of(user),
    ),
    Worklist(
        "awaiting-my-review",
        "Awaiting my review",
        "In review, and you have edited nothing in them that is still to be checked.",
        PUBLISH,
        lambda agreements, user, day: agreements.awaiting_review_of(user),
    ),
    Worklist(
        "unchecked",
        "Published without a second check",
        "Public, and not yet approved by another person.",
        PUBLISH,
        lambda agreements, user, day: agreements.unchecked(),
    ),
    Worklist(
        "lapsing",
        f"Terms lapsing in {DAYS_AHEAD} days",
        "The stated term ends, and no later one is recorded. Look for a renewal.",
        EDIT,
        lambda agreements, user, day: agreements.kept().lapsing(day, DAYS_AHEAD),
    ),
    Worklist(
        "lapsed",
        "Lapsed without a recorded renewal",
        "The stated term has ended. Record the renewal or the end, if a source tells either.",
        EDIT,
        lambda agreements, user, day: agreements.kept().lapsed_unrenewed(day),
    ),
    Worklist(
        "unreachable",
        "Sources not reachable",
        "An address did not answer when it was last checked. Correct it or name an archived copy.",
        EDIT,
        lambda agreements, user, day: agreements.kept().with_unreachable_source(),
    ),
    Worklist(
        "unsourced",
        "Facts without a source",
        "No source at all, or a provision, an event or an outcome that names none, or an intention "
        "without the words of its source.",
        EDIT,
        lambda agreements, user, day: agreements.kept().facts_without_source(),
    ),
    Worklist(
        "odd-dates",
        "Odd dates",
        "Signed in the future, an event before the signature that should follow it, or a term "
        "that ends before the effect. It may be right: odd is not wrong.",
        EDIT,
        lambda agreements, user, day: agreements.kept().odd_dates(day),
    ),
)


def worklists_for(user: User) -> list[Worklist]:
    """The lists on which this person can act."""
    return [worklist for worklist in WORKLISTS if user.has_perm(worklist.permission)]


def counted_for(user: User, day: datetime.date) -> list[tuple[Worklist, int]]:
    """The lists on which this person can act, each with its number of records, in one query."""
    shown = worklists_for(user)
    # One number after the other: otherwise every record would be held against every list.
    numbers = [
        worklist.question(Agreement.objects.order_by(), user, day)
        .values(place=Value(place))
        .annotate(number=Count("pk"))
        for place, worklist in enumerate(shown)
    ]
    counted: Any = Agreement.objects.none().union(*numbers, all=True)
    found = {row["place"]: row["number"] for row in counted}
    return [(worklist, found[place]) for place, worklist in enumerate(shown)]


class WorklistFilter(admin.SimpleListFilter):
    """Narrow the change list to one worklist."""

    title = "worklist"
    parameter_name = "worklist"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [(worklist.name, worklist.title) for worklist in worklists_for(signed_in(request))]

    def has_output(self) -> bool:
        """Also where a list is named that this reader does not have: it must be refused, and the
        whole list must not pass for it."""
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The records of the chosen list; none, and a message, if it is not this person's."""
        if self.value() is None:
            return queryset
        for worklist in worklists_for(signed_in(request)):
            if worklist.name == self.value():
                return worklist.question(queryset, signed_in(request), timezone.localdate())
        messages.error(request, "Worklist: there is none of this name that you can act on.")
        return queryset.none()
