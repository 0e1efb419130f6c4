"""Load a register document, a data package or a CSV."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agreements.importer import ImportRefused, plan, read

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "register.json"


class Command(BaseCommand):
    """Adds and updates; writes nothing at all if the document has a fault."""

    help = (
        "Load a register document, a data package or one of its CSV tables (by default the "
        "register that ships with the project)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=SHIPPED)
        parser.add_argument(
            "--whole",
            action="store_true",
            help="the file is not cut short, even if its last record has fewer rows than recorded",
        )

    def handle(self, *args: Any, file: Path, whole: bool, **options: Any) -> None:
        try:
            with file.open("rb") as opened:
                planned = plan(read(file.name, opened))
            if planned.may_be_cut_short and not whole:
                raise ImportRefused(
                    [f"{planned.may_be_cut_short} If it is not cut short, add --whole."]
                )
            planned.apply(reason=f"Imported from {file.name}", name="import_register")
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error
        except ImportRefused as refused:
            faults = "\n".join(f"  {fault}" for fault in refused.faults)
            raise CommandError(f"{file}: nothing was imported.\n{faults}") from refused
        for name, table in planned.tables.items():
            if table.changes or name == "agreements":
                self.stdout.write(
                    f"{name.capitalize()}: {len(table.added)} added, {len(table.changed)} changed, "
                    f"{table.unchanged} unchanged."
                )
            for change in table.changed:
                if change.hidden:
                    self.stdout.write(f"  {change.slug} is not public: {change.hidden}.")
