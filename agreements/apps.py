"""The one app."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections


class AgreementsConfig(AppConfig):
    """Everything the register is."""

    name = "agreements"
    verbose_name = "Register of agreements"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(_derived, checks.Tags.database)


def _derived(databases: Sequence[str] | None, **options: Any) -> Iterable[checks.CheckMessage]:
    """Warn where what follows from a record was not worked out by the present rules."""
    # Models cannot be imported before all apps are loaded.
    from .models import Digest
    from .record.derive import underived

    for database in databases or ():
        tables = connections[database].introspection.table_names()
        # Before it is made there is nothing to ask, and ``migrate`` asks first.
        if Digest._meta.db_table in tables and underived().using(database).exists():
            yield checks.Warning(
                "There are agreements of which nothing was worked out by the present rules: lists, "
                "tables and counts leave them out, or tell them as they were.",
                hint="Run manage.py derive before the site is started.",
                id="agreements.W001",
            )
