"""Forget the files that were uploaded to be imported and then left."""

from typing import Any

from django.core.management.base import BaseCommand

from agreements.models import PendingImport


class Command(BaseCommand):
    """The import page does the same whenever it is opened."""

    help = "Delete uploads that nobody has confirmed or cancelled within a day."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Uploads discarded: {PendingImport.discard_old()}.")
