"""For the administrator who has lost their own second factor."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agreements.sign_in.factors import reset_second_factors


class Command(BaseCommand):
    """Whoever can run this could change the database too; it leaves a line in the history."""

    help = "Delete a person's second factors and recovery codes, so that they can set up new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the name the person signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get(username=options["username"])
        except User.DoesNotExist as error:
            raise CommandError(f"There is no account named {options['username']!r}.") from error
        reset_second_factors(user, by=user, how="on the command line")
        self.stdout.write(f"{user.get_username()} has no second factor now.")
