"""What ``make run`` runs: bring the database up to date and serve it."""

import os
import secrets
import socket
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from agreements.models import Agreement
from agreements.record.derive import underived


class Command(BaseCommand):
    """Starts in seconds the second time and never touches what is already there."""

    help = "Prepare the database, load the register if it is empty, and serve it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        port = self._free_port(os.environ.get("PORT") or "8000")
        # The generated key is made here: where it cannot be, that is told now, and not by a page.
        str(settings.SECRET_KEY)
        try:
            self._reach_database()
            call_command("migrate", verbosity=0, interactive=False)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"The database cannot be used: {reason}") from error
        call_command("collectstatic", verbosity=0, interactive=False)
        if not Agreement.objects.exists():
            self.stdout.write("Loading the register that ships with the project ...")
            call_command("import_register", stdout=self.stdout)
        if underived().exists():
            self.stdout.write("Working out what follows from the records ...")
            call_command("derive", stdout=self.stdout)
        account = self._first_account()
        address = f"http://127.0.0.1:{port}/"
        self.stdout.write(f"\nThe register:   {address}\nThe staff desk: {address}admin/\n")
        if account:
            self.stdout.write(
                "Staff account:  {} with the password {}\n"
                "                It is shown this once; change it after signing in.\n".format(
                    *account
                )
            )
        self.stdout.write("Stop with Ctrl-C.\n")
        self.stdout.flush()
        connection.close()
        # A process of its own: pages and downloads never wait for a release to be built.
        builder = [str(settings.BASE_DIR / "manage.py"), "build_package", "--watch"]
        subprocess.Popen([sys.executable, *builder], stdout=subprocess.DEVNULL)  # noqa: S603
        server = ["-m", "gunicorn", "moctracker.wsgi", "--bind", f"127.0.0.1:{port}"]
        server += ["--threads", "16", "--log-level", "warning"]
        os.execv(sys.executable, [sys.executable, *server])  # noqa: S606

    @staticmethod
    def _reach_database() -> None:
        """Connect once without the pool, which would only say that it waited in vain."""
        probe = connection.copy()
        options = {k: v for k, v in probe.settings_dict["OPTIONS"].items() if k != "pool"}
        probe.settings_dict = probe.settings_dict | {"OPTIONS": options}
        probe.ensure_connection()
        probe.close()

    @staticmethod
    def _free_port(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
            raise CommandError(f"PORT must be a number from 1 to 65535, not {text!r}.")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(text)))
            except OSError as error:
                raise CommandError(
                    f"Port {text} cannot be used ({error.strerror}): choose another, "
                    f"for example: make run PORT=8001"
                ) from error
        return int(text)

    @staticmethod
    def _first_account() -> tuple[str, str] | None:
        """Name and password of a new administrator, if there is no account at all yet."""
        users = get_user_model().objects
        if users.exists():
            return None
        password = secrets.token_urlsafe(12)
        users.create_superuser("staff", password=password)
        return "staff", password
