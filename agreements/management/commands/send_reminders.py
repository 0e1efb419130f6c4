"""Mail each owner what falls due, once."""

from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agreements.management.arguments import whole_number
from agreements.nightly.reminders import (
    Letter,
    NotSent,
    begun_and_not_finished,
    due_dates,
    letters,
    send,
    unreachable_because,
)


class Command(BaseCommand):
    """Meant for every morning: what was told once is not told again."""

    help = "Mail each owner the terms that end and the reviews that fall due, once each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=whole_number(0, 3660),
            default=90,
            metavar="N",
            help="How many days ahead to look (90).",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be sent, and send nothing."
        )
        parser.add_argument(
            "--unfinished",
            action="store_true",
            help="Send also what an earlier run began and did not finish. It may arrive twice.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        day = timezone.localdate()
        due = due_dates(day, options["days"])
        for owner in {item.agreement.owner for item in due if item.agreement.owner}:
            if why := unreachable_because(owner):
                self.stdout.write(f"{owner.get_username()} {why}.")
        if not options["unfinished"]:
            for reminder in begun_and_not_finished(day):
                self.stdout.write(
                    f"Begun and perhaps not sent, see --unfinished: {reminder} to "
                    f"{reminder.owner or 'the desk'}."
                )
        written = letters(due, settings.DESK_EMAIL, unfinished=options["unfinished"])
        to_send = [letter for letter in written if letter.address]
        for letter in written:
            if not letter.address:
                self._nobody_hears(letter)
        if options["dry_run"]:
            for letter in to_send:
                self._say("Would be told", letter)
            return
        if to_send:
            self._send(to_send, unfinished=options["unfinished"])

    def _send(self, to_send: list[Letter], *, unfinished: bool) -> None:
        connection = get_connection()
        refused = False
        try:
            connection.open()
        except OSError as error:
            raise CommandError(
                f"The mail server cannot be used, nothing was sent: {error}"
            ) from error
        try:
            for letter in to_send:
                try:
                    if send(letter, connection, settings.SITE_URL, unfinished=unfinished):
                        self._say("Told", letter)
                except NotSent as error:
                    refused = True
                    self.stdout.write(f"Refused for {letter.address}, to be tried again: {error}")
        except OSError as error:
            raise CommandError(
                f"The mail server was lost while writing to {letter.address}, and it is not known "
                f"whether that mail went out: {error}"
            ) from error
        finally:
            connection.close()
        if refused:
            raise CommandError("Some mails were refused, see above.")

    def _nobody_hears(self, letter: Letter) -> None:
        self.stdout.write("Nobody is told of these, because MOCTRACKER_DESK_EMAIL is not set:")
        self._items(letter)

    def _say(self, verb: str, letter: Letter) -> None:
        self.stdout.write(f"{verb}: {letter.address}")
        self._items(letter)

    def _items(self, letter: Letter) -> None:
        for item in letter.due:
            self.stdout.write(f"  {item.due_on:%Y-%m-%d} {item.agreement}: {'; '.join(item.words)}")
