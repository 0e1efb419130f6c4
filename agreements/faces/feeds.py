"""The list for programs that come back: what changed (Atom) and what falls due (iCalendar)."""

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from icalendar import Calendar, Event

from ..dates import PartialDate, to_partial_date
from ..exports import Record, address_of, life_of
from ..models import Agreement, Digest
from ..models.querysets import batched
from ..question import AgreementFilterSet
from ..rules.status import MilestoneKind, status_on
from .listed import listed

#: A feed holds at most so many agreements of a list, the last changed.
FEED_LENGTH = 100
#: Records in memory at a time.
_SEVERAL = 200
#: What XML 1.0 forbids, and iCalendar too.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text without the characters that XML and iCalendar cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def agreements_atom(
    question: AgreementFilterSet, *, base_url: str, page_url: str, feed_url: str
) -> str:
    """The last changed of the agreements that answer, in their own order, as an Atom feed.

    ``page_url`` shows the list; an entry's id is the permanent address.
    """
    feed = Atom1Feed(
        title=printable(f"moctracker: {question.sentence}"),
        link=page_url,
        description="",
        subtitle=f"Of a longer list, the {FEED_LENGTH} agreements whose records changed last.",
        author_name="moctracker",
        language="en",
        feed_url=feed_url,
        feed_guid=feed_url,
    )
    register = question.register
    last_changed = set(register.ids(question.found, "changed")[:FEED_LENGTH])
    ids = [pk for pk in question.ids if pk in last_changed]
    published = dict(
        Agreement.objects.filter(pk__in=ids).values_list("pk", "first_published_at").order_by()
    )
    for agreement in listed(register, ids, question.day):
        row: Any = agreement
        url = base_url + agreement.get_absolute_url()
        # With its commitment: a stage alone would let what is only intended pass for more.
        stages = [
            f"stage:{cell.stage.value}:{reach.depth.value}:{reach.commitment.value}"
            for cell in agreement.stages
            for reach in cell.reaches
        ]
        words = f"{row.ruling.status.label}. {row.ruling.because} {agreement.summary}"
        feed.add_item(
            title=printable(agreement.title),
            link=url,
            # An Atom summary is read as HTML.
            description=escape(printable(words.strip())),
            unique_id=url,
            pubdate=published[agreement.pk],
            updateddate=agreement.updated_at,
            categories=[f"status:{row.ruling.status.value}", *stages],
        )
    return feed.writeString("utf-8")


def agreements_ics(question: AgreementFilterSet, *, base_url: str) -> bytes:
    """The stated ends of terms and the reviews due of the agreements that answer, as a calendar."""
    calendar = Calendar()
    calendar.add("prodid", "-//moctracker//register//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", printable(f"moctracker: terms and reviews of {question.sentence}"))
    due = set(Agreement.objects.falling_due().order_by().values_list("pk", flat=True))
    for few in batched([pk for pk in question.ids if pk in due], _SEVERAL):
        records = Digest.objects.records(few)
        for record in (records[pk] for pk in few if pk in records):
            seen: Counter[str] = Counter()
            for words, date, milestone in _due(record):
                name = f"{record['slug']}.{milestone['kind']}.{date.iso}"
                seen[name] += 1
                uid = f"{name}.{seen[name]}@moctracker"
                event = _event(record, words, date, milestone, uid, question.day, base_url)
                calendar.add_component(event)
    return bytes(calendar.to_ical())


def _due(record: Record) -> Iterator[tuple[str, PartialDate, Record]]:
    """What of one agreement falls due, and when."""
    for milestone in record["milestones"]:
        if until := to_partial_date(milestone["until"]):
            yield "Stated term ends", until, milestone
        date = to_partial_date(milestone["date"])
        if date and milestone["kind"] == MilestoneKind.REVIEW_DUE:
            yield "Review due", date, milestone


def _event(
    record: Record,
    words: str,
    date: PartialDate,
    milestone: Record,
    uid: str,
    day: datetime.date,
    base_url: str,
) -> Event:
    """One all-day event. A month or a year stands on its last day, and the text says so."""
    ruling = status_on(day, *life_of(record))
    url = address_of(record, base_url)
    named = record["short_title"] or record["title"]
    told = [record["title"], f"{words}: {date}."]
    summary = f"{words}: {named}"
    if date.precision != "day":
        summary = f"{words} in {date}, day not stated: {named}"
        told.append(
            f"Only the {date.precision} is stated. This entry stands on the last day it can mean."
        )
    told += [milestone["note"], f"Status: {ruling.status.label}. {ruling.because}", url]
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", datetime.datetime.fromisoformat(record["updated_at"]))
    event.add("dtstart", date.latest)
    event.add("summary", printable(summary))
    event.add("description", printable("\n".join(filter(None, told))))
    event.add("url", url)
    event.add("transp", "TRANSPARENT")
    return event
