"""Who is to hear of which term that ends and which review that falls due, once each.

A reminder is written down first and sent second. If the program dies in between, nobody knows
whether the mail went out: it is not sent again by itself, and every later run says so until
somebody asks for it. So no mail is ever sent twice, and none is lost in silence.
"""

import datetime
import smtplib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from ..dates import PartialDate, to_partial_date
from ..models import Agreement, Reminder
from ..rules.status import MilestoneKind, term_ending


@dataclass(frozen=True)
class DueDate:
    """What of one agreement falls due on one day, in words. A date known in part falls due on the
    first day it can mean, as it does for the status."""

    agreement: Agreement
    due_on: datetime.date
    words: tuple[str, ...]


@dataclass
class Letter:
    """One mail: to an owner, or to the desk where ``owner`` is None."""

    owner: User | None
    address: str
    due: list[DueDate] = field(default_factory=list)


class NotSent(Exception):
    """The mail server refused a letter; nothing of it is recorded. The message says why."""


def due_dates(day: datetime.date, days: int) -> list[DueDate]:
    """Terms that end and reviews that fall due on ``day`` or within ``days`` days after it, the
    soonest first."""
    kept = Agreement.objects.kept().select_related("owner").prefetch_related("milestones")
    end = day + datetime.timedelta(days=days)
    words: dict[tuple[Agreement, datetime.date], list[str]] = defaultdict(list)
    for agreement in kept.lapsing(day, days):
        until = term_ending(day, days, agreement.signed_on, agreement.milestones.all())
        if until:
            words[agreement, until.earliest].append(f"Stated term ends: {_told(until)}")
    for agreement in kept.reviews_due(day, days):
        for milestone in agreement.milestones.all():
            date: PartialDate | None = milestone.date
            review = milestone.kind == MilestoneKind.REVIEW_DUE
            if review and date and day <= date.earliest <= end:
                words[agreement, date.earliest].append(f"Review due: {_told(date)}")
    found = [DueDate(agreement, due_on, tuple(w)) for (agreement, due_on), w in words.items()]
    return sorted(found, key=lambda due: (due.due_on, due.agreement.pk))


def _told(date: PartialDate) -> str:
    return str(date) if date.precision == "day" else f"{date} (day not stated)"


def unreachable_because(owner: User) -> str:
    """Why an owner cannot be mailed; empty if nothing speaks against it."""
    if not owner.is_active or not owner.is_staff:
        return "is no longer active on the staff desk"
    try:
        validate_email(owner.email)
    except ValidationError:
        return "has no valid e-mail address"
    return ""


def letters(due: Iterable[DueDate], desk: str, *, unfinished: bool = False) -> list[Letter]:
    """One letter to each who has not heard of these dates. Where nobody owns a record, or its owner
    cannot be mailed, it goes to ``desk``; the address is empty if there is no desk. ``unfinished``
    takes in what an earlier run began to send and did not finish."""
    known = Reminder.objects.exclude(sent_at=None) if unfinished else Reminder.objects.all()
    heard = set(known.values_list("agreement", "owner", "due_on"))
    written: dict[int | None, Letter] = {}
    for item in due:
        owner = item.agreement.owner
        if owner is not None and unreachable_because(owner):
            owner = None
        key = owner.pk if owner else None
        if (item.agreement.pk, key, item.due_on) in heard:
            continue
        letter = written.setdefault(key, Letter(owner, owner.email if owner else desk))
        letter.due.append(item)
    return list(written.values())


def begun_and_not_finished(day: datetime.date) -> list[Reminder]:
    """Reminders of dates from ``day`` on of which nobody knows whether they were sent."""
    begun = Reminder.objects.filter(sent_at=None, due_on__gte=day)
    return list(begun.select_related("agreement", "owner").order_by("due_on", "pk"))


def send(
    letter: Letter, connection: BaseEmailBackend, site: str, *, unfinished: bool = False
) -> int:
    """Record a letter, then send it over an open connection; returns how many dates it told.

    What another run has taken meanwhile is left out, unless ``unfinished`` asks for it. Raises
    NotSent if the server refused it for certain. Any other error leaves the letter recorded as
    begun, and is raised.
    """
    taken, items = [], []
    for item in letter.due:
        reminder, made = Reminder.objects.get_or_create(
            agreement=item.agreement, owner=letter.owner, due_on=item.due_on
        )
        if made or (unfinished and reminder.sent_at is None):
            taken.append(reminder.pk)
            items.append(item)
    if not items:
        return 0
    try:
        connection.send_messages([_mail(letter, items, site)])
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        Reminder.objects.filter(pk__in=taken).delete()
        raise NotSent(" ".join(str(error).split())) from error
    Reminder.objects.filter(pk__in=taken).update(sent_at=timezone.now())
    return len(items)


def _mail(letter: Letter, items: list[DueDate], site: str) -> EmailMessage:
    """The mail. Nothing that a person typed into a record stands in its header."""
    count = f"{len(items)} date{'s' if len(items) > 1 else ''}"
    opening = "You look after these records."
    if letter.owner is None:
        opening = "Nobody looks after these records, or whoever does cannot be mailed."
    told = [opening]
    for item in items:
        address = reverse("admin:agreements_agreement_change", args=[item.agreement.pk])
        lines = [" ".join(str(item.agreement).split()), *item.words, site + address]
        told.append("\n".join([lines[0], *(f"  {line}" for line in lines[1:])]))
    told.append("Record what came of it, a renewal, an end or a review, once a source tells it.")
    return EmailMessage(
        subject=f"moctracker: {count} until {to_partial_date(items[-1].due_on)}",
        body="\n\n".join(told) + "\n",
        to=[letter.address],
    )
