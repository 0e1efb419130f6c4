"""Write the search terms of every agreement anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from agreements.history import reindex
from agreements.models import Agreement

CHUNK = 500


class Command(BaseCommand):
    """For the day after an upgrade that changed what search keeps of a record."""

    help = "Write the search terms and passages of every agreement anew."

    def handle(self, *args: Any, **options: Any) -> None:
        ids = list(Agreement.objects.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), CHUNK):
            chunk = Agreement.objects.filter(pk__in=ids[start : start + CHUNK]).with_related()
            with transaction.atomic():
                reindex(list(chunk))
        self.stdout.write(f"{len(ids)} agreements indexed.")
