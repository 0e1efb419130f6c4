"""Write the public register as one document."""

from typing import Any

from django.core.management.base import BaseCommand

from agreements.exports import register_document
from agreements.models import Agreement


class Command(BaseCommand):
    """The inverse of import_register."""

    help = "Write the published register as one JSON document to standard output."

    def handle(self, *args: Any, **options: Any) -> None:
        for piece in register_document(Agreement.objects.register()):
            self.stdout.write(piece, ending="")
