"""The list for programs that come back: what changed (Atom) and what falls due (iCalendar)."""

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from icalendar import Calendar, Event

from .dates import PartialDate
from .models import Agreement, Milestone
from .querysets import AgreementQuerySet
from .status import MilestoneKind

#: A feed holds at most so many agreements of a list, the last changed.
FEED_LENGTH = 100
#: What XML 1.0 forbids, and iCalendar too.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text without the characters that XML and iCalendar cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def agreements_atom(
    agreements: AgreementQuerySet,
    day: datetime.date,
    *,
    base_url: str,
    title: str,
    page_url: str,
    feed_url: str,
) -> str:
    """The last changed of these agreements, in their own order, as an Atom feed.

    ``title`` says which list it is, ``page_url`` shows it; an entry's id is the permanent address.
    """
    feed = Atom1Feed(
        title=printable(f"moctracker: {title}"),
        link=page_url,
        description="",
        subtitle=f"Of a longer list, the {FEED_LENGTH} agreements whose records changed last.",
        author_name="moctracker",
        language="en",
        feed_url=feed_url,
        feed_guid=feed_url,
    )
    for agreement in agreements.changed_last(FEED_LENGTH).with_listed():
        ruling = agreement.ruling_on(day)
        url = base_url + agreement.get_absolute_url()
        # With its commitment: a stage alone would let what is only intended pass for more.
        stages = [
            f"stage:{cell.stage.value}:{reach.depth.value}:{reach.commitment.value}"
            for cell in agreement.stages
            for reach in cell.reaches
        ]
        words = f"{ruling.status.label}. {ruling.because} {agreement.summary}"
        feed.add_item(
            title=printable(agreement.title),
            link=url,
            # An Atom summary is read as HTML.
            description=escape(printable(words.strip())),
            unique_id=url,
            pubdate=agreement.first_published_at,
            updateddate=agreement.updated_at,
            categories=[f"status:{ruling.status.value}", *stages],
        )
    return feed.writeString("utf-8")


def agreements_ics(
    agreements: AgreementQuerySet, day: datetime.date, *, base_url: str, title: str
) -> bytes:
    """The stated ends of terms and the reviews due of these agreements, as a calendar."""
    calendar = Calendar()
    calendar.add("prodid", "-//moctracker//register//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", printable(f"moctracker: terms and reviews of {title}"))
    for agreement in agreements.falling_due().prefetch_related("milestones").iterator(200):
        seen: Counter[str] = Counter()
        for words, date, milestone in _due(agreement):
            name = f"{agreement.slug}.{milestone.kind}.{date.iso}"
            seen[name] += 1
            uid = f"{name}.{seen[name]}@moctracker"
            calendar.add_component(_event(agreement, words, date, milestone, uid, day, base_url))
    return calendar.to_ical()


def _due(agreement: Agreement) -> Iterator[tuple[str, PartialDate, Milestone]]:
    """What of one agreement falls due, and when."""
    for milestone in agreement.milestones.all():
        until: Any = milestone.until
        if until:
            yield "Stated term ends", until, milestone
        if milestone.kind == MilestoneKind.REVIEW_DUE:
            date: Any = milestone.date
            yield "Review due", date, milestone


def _event(
    agreement: Agreement,
    words: str,
    date: PartialDate,
    milestone: Milestone,
    uid: str,
    day: datetime.date,
    base_url: str,
) -> Event:
    """One all-day event. A month or a year stands on its last day, and the text says so."""
    ruling = agreement.ruling_on(day)
    url = base_url + agreement.get_absolute_url()
    told = [agreement.title, f"{words}: {date}."]
    summary = f"{words}: {agreement}"
    if date.precision != "day":
        summary = f"{words} in {date}, day not stated: {agreement}"
        told.append(
            f"Only the {date.precision} is stated. This entry stands on the last day it can mean."
        )
    told += [milestone.note, f"Status: {ruling.status.label}. {ruling.because}", url]
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", agreement.updated_at.astimezone(datetime.UTC))
    event.add("dtstart", date.latest)
    event.add("summary", printable(summary))
    event.add("description", printable("\n".join(filter(None, told))))
    event.add("url", url)
    event.add("transp", "TRANSPARENT")
    return event
