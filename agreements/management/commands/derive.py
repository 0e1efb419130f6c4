"""Derive what is kept beside the records."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.template.defaultfilters import pluralize

from agreements.models import Agreement, Edition
from agreements.record.derive import derive_all, underived


class Command(BaseCommand):
    """Resumable: what is done stays done, and a run that was stopped goes on where it was."""

    help = (
        "Work out what follows from every agreement of which that was not done by the present "
        "rules: status, search terms, what lists, tables and feeds show."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="every agreement, and a new edition of the register: after the database was "
            "changed by hand",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["all"]:
            Edition.renew()
        chosen = Agreement.objects.all() if options["all"] else underived()
        derived = derive_all(chosen, self._tell)
        self.stdout.write(f"{derived} agreement{pluralize(derived)} derived.")

    def _tell(self, done: int, total: int) -> None:
        if done < total:
            self.stdout.write(f"{done} of {total} ...")
            self.stdout.flush()
