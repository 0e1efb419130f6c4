"""What changed in one record between the versions that the public has seen."""

import datetime
from itertools import pairwise
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..faces.asked import elsewhere, only, page_asked
from ..models import Agreement, Revision
from ..record.after_change import names_in, present_addresses
from ..record.differences import Difference, differences, in_one_line, public_part
from .agreements import withdrawn

PAGE_SIZE = 10


class Version(NamedTuple):
    """What a published version changed; no differences where it is the first."""

    made_at: datetime.datetime
    summary: str
    differences: list[Difference]


@require_safe
def agreement_changes(request: HttpRequest, slug: str) -> HttpResponse:
    """Every change of a public record since it was published, newest first."""
    agreement = Agreement.objects.register().filter(slug=slug).first()
    if agreement is None:
        return elsewhere(request, slug, withdrawn)
    only(request, "page")
    revisions = Revision.objects.public(agreement)
    page = page_asked(request, revisions, PAGE_SIZE)
    start = (page.number - 1) * PAGE_SIZE
    # One more than the page shows: its last version is told against the one before.
    shown = list(revisions[start : start + PAGE_SIZE + 1])
    context = {
        "agreement": agreement,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1),
        "versions": _versions(shown),
        "published": shown[-1] if shown and not page.has_next() else None,
    }
    return render(request, "agreements/record/changes.html", context)


def _versions(revisions: list[Revision]) -> list[Version]:
    """Each version against the one before it, but those in which nothing public changed."""
    addresses = present_addresses(revision.record for revision in revisions)
    told = [public_part(revision.record, addresses) for revision in revisions]
    names = names_in(told, public=True)
    versions = []
    for revision, (after, before) in zip(revisions, pairwise(told), strict=False):
        if found := differences(before, after, names=names):
            versions.append(Version(revision.made_at, in_one_line(found), found))
    return versions
