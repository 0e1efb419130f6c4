"""Write the search terms of every agreement anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from agreements.history import reindex_all
from agreements.models import Agreement


class Command(BaseCommand):
    """For the day after an upgrade that changed what search keeps of a record."""

    help = "Write the search terms and passages of every agreement anew."

    def handle(self, *args: Any, **options: Any) -> None:
        indexed = reindex_all(Agreement.objects.all())
        self.stdout.write(f"{indexed} agreement{pluralize(indexed)} indexed.")
