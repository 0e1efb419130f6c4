"""Ask every source's address whether it still answers."""

import datetime
import time
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from agreements.management.arguments import whole_number
from agreements.nightly.links import (
    RUN_SECONDS,
    LinkChecker,
    addresses_due,
    by_turns,
    record_finding,
)


class Command(BaseCommand):
    """Each finding is kept at once: a run that is stopped loses nothing, and the next goes on."""

    help = "Check the addresses of sources and record what was found, for the worklist."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--limit",
            type=whole_number(1, 100_000),
            default=500,
            metavar="N",
            help="Check at most so many addresses (500).",
        )
        parser.add_argument(
            "--older-than",
            type=whole_number(0, 36_500),
            default=30,
            metavar="DAYS",
            help="Leave out what was checked within so many days (30).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        due = addresses_due(datetime.timedelta(days=options["older_than"]), options["limit"])
        checker = LinkChecker(agent=f"moctracker-link-check ({self._contact()})")
        started, counts, unchecked = time.monotonic(), Counter[bool | None](), 0
        for url in by_turns(due):
            if time.monotonic() - started > RUN_SECONDS:
                unchecked += 1
                continue
            finding = checker.check(url)
            record_finding(url, finding)
            counts[finding.reachable] += 1
            if finding.reachable is not True:
                self.stdout.write(f"{finding.words}: {url}")
        self.stdout.write(
            f"Addresses: {counts[True]} reachable, {counts[False]} not reachable, "
            f"{counts[None]} not told to a program."
        )
        if unchecked:
            self.stdout.write(f"The time was up: {unchecked} are left for the next run.")

    @staticmethod
    def _contact() -> str:
        """Whom the operator of a site can turn to."""
        return settings.DESK_EMAIL or settings.SITE_URL
