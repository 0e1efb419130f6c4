"""What every process does first, and how settings are read from the environment variables.

Each reader raises ImproperlyConfigured with a sentence that names the variable. Nothing is written
here but by ``begin``, which the entry points call, and by ``generated_key``.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("MOCTRACKER_VAR") or BASE_DIR / "var")


def begin() -> None:
    """Set the umask, make the data folder and name the settings: what every entry point does first.

    The umask is 077: the data folder holds drafts, password hashes and the secrets of second
    factors, and is for the account that runs the program. Raises ImproperlyConfigured where the
    folder cannot be made.
    """
    os.umask(0o077)
    try:
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        if VAR_DIR == BASE_DIR / "var":
            # One that an earlier version made open is closed; a folder elsewhere is its owner's.
            VAR_DIR.chmod(0o700)
    except OSError as error:
        raise ImproperlyConfigured(f"{error.filename}: {error.strerror}.") from error
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moctracker.settings")


def generated_key() -> str:
    """The secret key of the embedded default: made when it is first asked for, and the same for
    every process with this data folder. Raises ImproperlyConfigured."""
    path = VAR_DIR / "secret_key"
    try:
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Written whole under another name first: nobody ever reads half a key.
            descriptor, name = tempfile.mkstemp(dir=VAR_DIR)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(50))
            with contextlib.suppress(FileExistsError):
                os.link(name, path)
            os.unlink(name)
        key = path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"{error.filename or path}: {error.strerror}.") from error
    if not key:
        raise ImproperlyConfigured(f"{path} is empty: delete it, and a new key is made.")
    return key


def switch(name: str, default: bool) -> bool:
    """The environment variable ``name``, 1 or 0; raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name) or str(int(default))
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
    return value == "1"


def number(name: str, default: int, most: int) -> int:
    """The environment variable ``name``, a whole number from 0 to ``most``; raises
    ImproperlyConfigured for anything else."""
    value = os.environ.get(name) or str(default)
    # The length first: Python refuses to read a number of thousands of digits.
    if not (value.isascii() and value.isdigit() and len(value) <= 12 and int(value) <= most):
        raise ImproperlyConfigured(f"{name} must be a number from 0 to {most:,}, not {value!r}.")
    return int(value)


def database(url: str) -> dj_database_url.DBConfig:
    """The database that ``url`` names; raises ImproperlyConfigured for one we are not tested on."""
    try:
        found = dj_database_url.parse(url)
    except ValueError:
        found = {}
    if not found.get("ENGINE", "").endswith((".sqlite3", ".postgresql")):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name "
            "or sqlite:////path/to/file."
        )
    return found


def mail_server(url: str) -> dict[str, Any]:
    """The mail server in ``smtp+tls://``, ``smtps://`` or ``smtp://``; the console for an empty
    one. Raises ImproperlyConfigured for anything else."""
    kinds = {"smtp+tls": (587, "asked for"), "smtps": (465, "from the start"), "smtp": (25, "")}
    try:
        parts = urlsplit(url or "smtp://localhost")
        usual_port, tls = kinds[parts.scheme]
        return {
            "backend": "smtp" if url else "console",
            "host": parts.hostname or "localhost",
            "port": parts.port or usual_port,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "tls": tls,
        }
    except (KeyError, ValueError) as error:
        raise ImproperlyConfigured(
            "MOCTRACKER_EMAIL_URL must look like smtp+tls://user:password@host:587, with smtps:// "
            "for TLS from the start and smtp:// for none."
        ) from error


def mail_address(variable: str) -> str:
    """The e-mail address in an environment variable, or nothing; raises ImproperlyConfigured."""
    address = os.environ.get(variable, "")
    if address:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ImproperlyConfigured(f"{variable} must be an e-mail address.") from error
    return address
