"""What ``make run`` prints and refuses; the server is replaced by a note of how it was called."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections

from agreements.management.commands import serve
from agreements.management.commands.import_register import SHIPPED
from agreements.models import Agreement, Digest, Standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(monkeypatch, settings, tmp_path):
    """Runs the command; returns what it printed and the command line of the server."""
    settings.STATIC_ROOT = tmp_path / "static"
    started = []
    monkeypatch.setattr(serve.subprocess, "Popen", lambda argv, **options: None)
    monkeypatch.setattr(serve.os, "execv", lambda path, argv: started.append(argv))
    monkeypatch.setattr(connection, "close", lambda: None)

    def run(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        output = io.StringIO()
        call_command("serve", stdout=output)
        return output.getvalue(), started[-1]

    return run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_first_time_it_loads_the_register_and_makes_an_account(served, empty_register, client):
    port = free_port()
    printed, server = served(PORT=port)
    assert Agreement.objects.count() == len(json.loads(SHIPPED.read_text())["agreements"])
    assert f"http://127.0.0.1:{port}/admin/" in printed
    password = printed.partition("with the password ")[2].split()[0]
    signed_in = client.post("/admin/login/", {"login": "staff", "password": password})
    assert signed_in.url == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert server[:3] == [sys.executable, "-m", "gunicorn"]
    assert f"127.0.0.1:{port}" in server


def test_the_second_time_it_keeps_every_edit_and_says_no_password(served):
    get_user_model().objects.create_superuser("somebody")
    Agreement.objects.filter(slug="jsepa-2002").update(summary="Edited.")
    printed, _ = served(PORT=free_port())
    assert "password" not in printed
    assert "Loading" not in printed
    assert Agreement.objects.get(slug="jsepa-2002").summary == "Edited."


def test_a_start_works_out_what_an_older_version_did_not(served):
    Standing.objects.all().delete()
    Digest.objects.update(rules=0)
    printed, _ = served(PORT=free_port())
    assert f"{Agreement.objects.count()} agreements derived." in printed
    assert Standing.objects.exists()
    printed, _ = served(PORT=free_port())
    assert "derived" not in printed


def test_a_used_port_is_one_plain_sentence(served):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with pytest.raises(
            CommandError, match=rf"^Port {port} cannot be used .*make run PORT=8001$"
        ):
            served(PORT=port)


@pytest.mark.parametrize("port", ["web", "0", "65536", "-1", "99999999999999999999"])
def test_a_port_that_is_none_is_one_plain_sentence(served, port):
    with pytest.raises(CommandError, match="PORT must be a number from 1 to 65535"):
        served(PORT=port)


def test_an_unreachable_database_is_one_plain_sentence(served, monkeypatch):
    def unreachable(self):
        raise OperationalError("connection refused\nIs the server running?")

    with monkeypatch.context() as patched:
        patched.setattr(type(connections["default"]), "ensure_connection", unreachable)
        with pytest.raises(
            CommandError, match=r"^The database cannot be used: connection refused$"
        ):
            served(PORT=free_port())


@pytest.mark.parametrize("address", ["nonsense", "mysql://localhost/x", "://", "postgres://[x"])
def test_a_database_we_do_not_know_is_one_plain_sentence(address):
    manage = Path(__file__).parents[1] / "manage.py"
    environment = {**os.environ, "DATABASE_URL": address}
    done = subprocess.run(
        [sys.executable, manage, "serve"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The settings cannot be used: DATABASE_URL must look like")
    assert done.stderr.count("\n") == 1
