"""Reminders: each owner hears of each due date once, whatever happens in between."""

import datetime
import io
import smtplib

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.utils import timezone

from agreements.dates import to_partial_date
from agreements.models import Reminder
from agreements.nightly.reminders import due_dates, letters
from tests import make

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("empty_register"),
    pytest.mark.database,
]


def in_days(days):
    return timezone.localdate() + datetime.timedelta(days=days)


@pytest.fixture
def owner(django_user_model):
    return django_user_model.objects.create_user(
        "made-up-owner", email="owner@example.org", is_staff=True
    )


@pytest.fixture
def desk(settings):
    settings.DESK_EMAIL = "desk@example.org"
    return settings.DESK_EMAIL


def term(days, **fields):
    """An agreement whose term ends in so many days."""
    until = in_days(days).isoformat()
    return make.agreement(signed_on="2020", milestones=[("term_set", None, until)], **fields)


def review(days, **fields):
    due = in_days(days).isoformat()
    return make.agreement(signed_on="2020", milestones=[("review_due", due)], **fields)


def run(*arguments):
    out = io.StringIO()
    call_command("send_reminders", *arguments, stdout=out)
    return out.getvalue()


def test_an_owner_hears_of_each_date_once_in_one_mail(owner, settings):
    settings.SITE_URL = "https://register.example.org"
    ending, due = term(90, owner=owner, title="Made-up term"), review(0, owner=owner)
    term(91, owner=owner, title="Made-up later term")
    run()
    (sent,) = mail.outbox
    assert sent.to == ["owner@example.org"]
    assert sent.subject == f"moctracker: 2 dates until {to_partial_date(in_days(90))}"
    for made in (ending, due):
        address = f"/admin/agreements/agreement/{made.pk}/change/"
        assert "https://register.example.org" + address in sent.body
    assert "Stated term ends" in sent.body
    assert "Review due" in sent.body
    assert "Made-up later term" not in sent.body
    run()
    assert len(mail.outbox) == 1
    assert Reminder.objects.filter(sent_at=None).count() == 0


def test_a_new_date_and_a_new_owner_are_heard_of_again(owner, django_user_model):
    made = term(30, owner=owner)
    run()
    made.milestones.create(kind="renewed", date="2021", until=in_days(60).isoformat())
    make.derived(made)
    run()
    made.owner = django_user_model.objects.create_user(
        "made-up-second", email="second@example.org", is_staff=True
    )
    made.save()
    run()
    assert [message.to for message in mail.outbox] == [
        ["owner@example.org"],
        ["owner@example.org"],
        ["second@example.org"],
    ]


@pytest.mark.parametrize(
    "later",
    [
        {"kind": "renewed", "date": "2021"},
        {"kind": "renewed", "date": "2021", "until": "2190"},
        {"kind": "terminated", "date": "2022"},
        {"kind": "superseded", "date": "2022"},
    ],
)
def test_nobody_is_reminded_of_a_term_that_no_longer_counts(owner, later):
    made = term(30, owner=owner)
    made.milestones.create(**later)
    make.derived(made)
    run()
    assert mail.outbox == []


def test_nobody_is_reminded_of_what_is_withdrawn_nor_twice_because_of_a_working_copy(owner):
    public = term(30, owner=owner)
    term(30, owner=owner, revises=public, state="draft")
    term(30, owner=owner, state="withdrawn", withdrawal_kind="by_parties", withdrawal_reason="x")
    run()
    assert len(mail.outbox) == 1
    assert mail.outbox[0].body.count("/change/") == 1


def test_a_term_and_a_review_on_the_same_day_are_one_date(owner):
    made = term(30, owner=owner)
    made.milestones.create(kind="review_due", date=in_days(30).isoformat())
    make.derived(made)
    run()
    (sent,) = mail.outbox
    assert "1 date until" in sent.subject
    assert "Stated term ends" in sent.body
    assert "Review due" in sent.body


def test_a_date_known_in_part_falls_due_on_its_first_day_and_says_so(owner):
    year = timezone.localdate().year + 1
    make.agreement(owner=owner, milestones=[("term_set", None, str(year))])
    (due,) = due_dates(datetime.date(year - 1, 12, 31), 90)
    assert due.due_on == datetime.date(year, 1, 1)
    assert due.words == (f"Stated term ends: {year} (day not stated)",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_active": False}, "is no longer active on the staff desk"),
        ({"is_staff": False}, "is no longer active on the staff desk"),
        ({"email": ""}, "has no valid e-mail address"),
        ({"email": "not an address"}, "has no valid e-mail address"),
        ({"email": "a@example.org\nBcc: b@example.org"}, "has no valid e-mail address"),
    ],
)
def test_who_cannot_be_mailed_is_named_and_the_desk_hears_instead(owner, desk, change, why):
    term(30, owner=owner)
    type(owner).objects.update(**change)
    assert f"made-up-owner {why}." in run()
    assert [message.to for message in mail.outbox] == [[desk]]
    run()
    assert len(mail.outbox) == 1


def test_records_without_an_owner_go_to_the_desk_once(owner, desk):
    term(30)
    term(40)
    term(50, owner=owner)
    run()
    assert sorted(message.to[0] for message in mail.outbox) == [desk, "owner@example.org"]
    run()
    assert len(mail.outbox) == 2


def test_without_a_desk_the_run_says_that_nobody_is_told(settings):
    settings.DESK_EMAIL = ""
    made = term(30)
    told = run()
    assert "Nobody is told of these, because MOCTRACKER_DESK_EMAIL is not set:" in told
    assert str(made) in told
    assert mail.outbox == []
    assert not Reminder.objects.exists()


def test_a_dry_run_says_what_it_would_send_and_does_nothing(owner, desk):
    made = term(30, owner=owner)
    told = run("--dry-run")
    assert "Would be told: owner@example.org" in told
    assert str(made) in told
    assert mail.outbox == []
    assert not Reminder.objects.exists()


def test_a_title_cannot_write_into_the_header_nor_break_the_list(owner):
    term(30, owner=owner, title="Made-up\r\nBcc: everybody@example.org")
    run()
    (sent,) = mail.outbox
    assert sent.recipients() == ["owner@example.org"]
    assert "Made-up Bcc: everybody@example.org" in sent.body
    assert "Bcc" not in sent.message().as_string().partition("\n\n")[0]


class Dying(EmailBackend):
    """A mail server that fails as ``error`` says."""

    error: Exception

    def send_messages(self, messages):
        raise self.error


@pytest.fixture
def failing(settings):
    def set_error(error):
        Dying.error = error
        settings.EMAIL_BACKEND = f"{__name__}.Dying"

    return set_error


def mended(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.mark.parametrize(
    "error", [smtplib.SMTPServerDisconnected("gone"), TimeoutError("slow"), ConnectionResetError()]
)
def test_a_mail_that_may_have_gone_out_is_never_sent_twice_and_never_forgotten(
    owner, settings, failing, error
):
    made = term(30, owner=owner)
    failing(error)
    with pytest.raises(CommandError, match="it is not known whether that mail went out"):
        run()
    mended(settings)
    for _ in range(2):
        assert f"Begun and perhaps not sent, see --unfinished: {made}" in run()
    assert mail.outbox == []
    run("--unfinished")
    assert len(mail.outbox) == 1
    assert "Begun" not in run("--unfinished")
    assert len(mail.outbox) == 1


def test_a_program_killed_while_sending_leaves_the_mail_recorded_as_begun(owner, settings, failing):
    term(30, owner=owner)
    failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run()
    mended(settings)
    assert "Begun and perhaps not sent" in run()
    assert mail.outbox == []


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPDataError(554, b"no\r\nthanks"),
        smtplib.SMTPRecipientsRefused({"owner@example.org": (550, b"unknown")}),
    ],
)
def test_a_mail_that_was_refused_is_tried_again(owner, settings, failing, error):
    term(30, owner=owner)
    failing(error)
    with pytest.raises(CommandError, match="Some mails were refused"):
        run()
    assert not Reminder.objects.exists()
    mended(settings)
    run()
    assert len(mail.outbox) == 1


def test_a_mail_server_that_does_not_answer_costs_nothing(owner, settings):
    term(30, owner=owner)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with pytest.raises(CommandError, match="nothing was sent"):
        run()
    assert not Reminder.objects.exists()


def test_two_runs_at_once_do_not_tell_the_same_twice(owner, desk):
    """Both have read what is due before either writes; the second finds it taken."""
    from django.core.mail import get_connection

    from agreements.nightly.reminders import send

    term(30, owner=owner)
    term(30)
    day = timezone.localdate()
    first, second = (letters(due_dates(day, 90), desk) for _ in range(2))
    connection = get_connection()
    assert [send(letter, connection, "") for letter in first] == [1, 1]
    assert [send(letter, connection, "") for letter in second] == [0, 0]
    # And also while the first is still sending.
    Reminder.objects.update(sent_at=None)
    assert [send(letter, connection, "") for letter in second] == [0, 0]
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("value", ["-1", "x", "99999", "9" * 5000])
def test_days_must_be_a_sensible_number(value):
    with pytest.raises(CommandError, match="argument --days: a whole number from"):
        run(f"--days={value}")
