"""Write the public register as one document, or as the data package."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agreements.exports import package, register_document
from agreements.models import Agreement


class Command(BaseCommand):
    """The inverse of import_register."""

    help = "Write the published register as one JSON document to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--package", type=Path, metavar="FILE", help="write the data package to this ZIP file"
        )
        parser.add_argument(
            "--base-url",
            default="",
            metavar="URL",
            help="what the addresses in the package begin with, for example https://example.org",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        agreements = Agreement.objects.register()
        if not options["package"]:
            for piece in register_document(agreements):
                self.stdout.write(piece, ending="")
            return
        try:
            with options["package"].open("wb") as file:
                package(agreements, timezone.localdate(), options["base_url"], file)
        except OSError as error:
            raise CommandError(f"{options['package']}: {error.strerror}.") from error
