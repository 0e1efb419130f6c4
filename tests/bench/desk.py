"""What the desk and the deriving of one record cost."""

import random
import statistics
from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import (
    CaptureQueriesContext,
    setup_test_environment,
    teardown_test_environment,
)

from agreements.models import Agreement, Digest
from agreements.record.after_change import record_change
from tests.desk import as_shown, change_of, errors_of

from . import register
from .edits import text_changed
from .pages import biggest_shipped
from .server import Server, own_processor

SAVE_QUERIES, DERIVE_QUERIES, FRONT_PAGE = 60, 10, 60


def measure(server: Server, repeats: int) -> None:
    """The desk's front page served; in process, saving a draft with one field changed, and what
    one record's deriving takes."""
    user = User.objects.create_superuser("bench")
    setup_test_environment()
    try:
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        # The first answer makes what is kept for the next.
        server.get("/admin/", session=session)
        spent = [server.cost("/admin/", session=session).processor for _ in range(repeats)]
        told = f"{statistics.median(spent):>8.1f} ms of processor time"
        print(f"{'desk: front page':<28}{told:<52}aim <= {FRONT_PAGE}")
        draw = random.Random(4)  # noqa: S311
        (draft,) = register.add([2 * 10**6], draw, state="draft", owner=user)
        record_change([draft], reason="Made up.", user=user)
        _save("a made-up draft", client, Agreement.objects.get(pk=draft))
        shipped = Agreement.objects.get(slug=biggest_shipped())
        move = f"/admin/agreements/agreement/{shipped.pk}/move/edit/"
        client.post(move, {"lock_version": shipped.lock_version})
        _save("the biggest shipped", client, Agreement.objects.get(revises=shipped))
    finally:
        teardown_test_environment()
    pk = Agreement.objects.get(slug="bench-7").pk
    with CaptureQueriesContext(connection) as asked:
        text_changed(pk, draw)
    print(f"{'a change recorded':<28}{len(asked):>8} queries, reading and writing the record too")
    Digest.objects.filter(agreement=pk).delete()
    with CaptureQueriesContext(connection) as asked:
        call_command("derive", stdout=StringIO())
    told = f"{len(asked):>8} queries, finding it too"
    print(f"{'derive of one record':<28}{told:<52}aim <= {DERIVE_QUERIES}")


def _save(name: str, client: Client, draft: Agreement) -> None:
    address = change_of(draft)
    # The first save makes what is kept for the next.
    for summary in ("One.", "Another."):
        data = as_shown(client.get(address)) | {"summary": summary}
        spent = own_processor()
        with CaptureQueriesContext(connection) as asked:
            response = client.post(address, data)
        spent = (own_processor() - spent) * 1000
        assert response.status_code == 302, errors_of(response)
    told = f"{len(asked):>8} queries, {spent:.0f} ms of processor time"
    print(f"{'save ' + name:<28}{told:<52}aim <= {SAVE_QUERIES} queries")
