"""Build a release of the data package, if anything public changed since the last one."""

import datetime
import os
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from agreements import releases
from agreements.models import Edition

#: Seconds between two looks; a change is released once the register has rested for as long.
BETWEEN_LOOKS = 60


class Command(BaseCommand):
    """From cron in production; ``serve`` starts it with --watch."""

    help = "Build a release of the data package, if anything public changed since the last one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            action="store_true",
            help="go on, look every minute, and stop with the program that started this",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["watch"]:
            self._watch()
            return
        try:
            built = self._build()
        except releases.UnderWay as error:
            raise CommandError("Another process is building a release.") from error
        except releases.RegisterChanged as error:
            raise CommandError("The register changed meanwhile: run this again.") from error
        except OSError as error:
            # A full disk is told without a name: what was being written lies in this folder.
            where = error.filename or settings.RELEASES_ROOT
            raise CommandError(f"{where}: {error.strerror}.") from error
        if not built:
            self.stdout.write("Nothing public changed since the last release.")

    def _build(self) -> releases.Release | None:
        built = releases.build(timezone.localdate(), settings.SITE_URL)
        if built:
            self.stdout.write(f"Built {built.path}, {built.size:,} bytes.")
        return built

    def _watch(self) -> None:
        parent, seen = os.getppid(), self._look(None)
        while os.getppid() == parent:
            try:
                for _ in range(BETWEEN_LOOKS):
                    time.sleep(1)
                    if os.getppid() != parent:
                        return
            except KeyboardInterrupt:
                return
            seen = self._look(seen)

    def _look(self, seen: tuple[str, datetime.date] | None) -> tuple[str, datetime.date] | None:
        """Build, unless somebody has saved since the last look; what was seen now."""
        now = None
        try:
            now = Edition.current(), timezone.localdate()
            if seen in (None, now):
                self._build()
        except (releases.UnderWay, releases.RegisterChanged):
            pass
        except (DatabaseError, OSError) as error:
            self.stderr.write(f"No release of the data package could be built: {error}")
        finally:
            connection.close()
        return now
