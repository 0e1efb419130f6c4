"""Several people save at the same moment: none fails, none is lost, nobody overwrites anybody."""

import datetime
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.db import close_old_connections, connection, connections
from django.test import Client

from agreements.exports import TABLES, register_document
from agreements.importer import ImportRefused, plan
from agreements.importer.document import from_json
from agreements.models import Agreement, Edition, Standing
from agreements.record.after_change import record_change
from agreements.record.derive import derive_all
from tests import make
from tests.desk import ADD, as_shown, change_of, record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database, pytest.mark.slow]


@pytest.fixture
def editors(db):
    """Eight people, each with a browser."""
    clients = []
    for number in range(8):
        user = get_user_model().objects.create_superuser(f"editor-{number}")
        client = Client(raise_request_exception=False)
        client.force_login(user)
        clients.append(client)
    return clients


def at_once(posts):
    """The answers to these posts, sent by threads that start together."""
    together = Barrier(len(posts))

    def send(post):
        client, address, data = post
        together.wait()
        try:
            return client.post(address, data)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(posts)) as pool:
        return list(pool.map(send, posts))


def drafts(count):
    made = [make.agreement(state="draft", title=f"Made-up draft {n}") for n in range(count)]
    record_change([each.pk for each in made], reason="Made for a test", name="test")
    return made


def test_eight_editors_save_eight_records_and_none_is_lost(editors):
    made = drafts(8)
    posts = []
    for number, (editor, draft) in enumerate(zip(editors, made, strict=True)):
        data = as_shown(editor.get(change_of(draft))) | {"signed_city": f"City {number}"}
        posts.append((editor, change_of(draft), data))
    answers = at_once(posts)
    assert [answer.status_code for answer in answers] == [302] * 8
    for number, draft in enumerate(made):
        draft.refresh_from_db()
        assert (draft.signed_city, draft.lock_version) == (f"City {number}", 2)
        assert draft.revisions.count() == 2


def test_whoever_derives_everything_while_editors_save_leaves_no_status_of_before(editors):
    made = drafts(7)
    posts = [(SimpleNamespace(post=lambda *_: derive_all(Agreement.objects.all())), "", {})]
    for number, (editor, draft) in enumerate(zip(editors, made, strict=False)):
        data = as_shown(editor.get(change_of(draft))) | {"signed_on": f"20{number + 10}"}
        posts.append((editor, change_of(draft), data))
    # So that new ones must be written, which refer to records that are locked.
    Standing.objects.all().delete()
    _, *answers = at_once(posts)
    assert [answer.status_code for answer in answers] == [302] * 7
    for number, draft in enumerate(made):
        assert list(draft.standings.order_by("from_day").values_list("status", "from_day")) == [
            ("not_known", datetime.date.min),
            ("signed", datetime.date(2010 + number, 1, 1)),
        ]


def test_an_import_of_the_records_that_editors_save_waits_for_them_or_they_for_it(editors):
    """Whoever changes a record locks the edition first and the record second, by whatever path."""
    made = drafts(7)
    text = "".join(register_document(Agreement.objects.filter(pk__in=[each.pk for each in made])))
    document = json.loads(text)
    for row in document["agreements"]:
        row["summary"] = "Imported."
    planned = plan(from_json(document))

    def imported(*_):
        try:
            return planned.apply(reason="Made for a test", name="test")
        except ImportRefused as refused:
            return str(refused)

    posts = [(SimpleNamespace(post=imported), "", {})]
    for number, (editor, draft) in enumerate(zip(editors, made, strict=False)):
        data = as_shown(editor.get(change_of(draft))) | {"signed_city": f"City {number}"}
        posts.append((editor, change_of(draft), data))
    outcome, *answers = at_once(posts)
    for answer in answers:
        # Saved, or told that the import has changed the record.
        assert answer.status_code == 302 or answer.context["saving"].conflict.by == "test"
    done = Agreement.objects.filter(summary="Imported.").count()
    assert done == (0 if isinstance(outcome, str) else len(made)), outcome


def test_of_those_who_save_one_record_at_once_exactly_one_wins(editors):
    (draft,) = drafts(1)
    posts = []
    for number, editor in enumerate(editors[:3]):
        data = as_shown(editor.get(change_of(draft))) | {"signed_city": f"City {number}"}
        posts.append((editor, change_of(draft), data))
    answers = at_once(posts)
    assert Counter(answer.status_code for answer in answers) == {302: 1, 200: 2}
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 302)
    for answer in answers:
        if answer.status_code == 200:
            conflict = answer.context["saving"].conflict
            assert conflict.by == f"editor-{winner}"
            assert conflict.differences[0].theirs == f"City {winner}"
    draft.refresh_from_db()
    assert (draft.signed_city, draft.lock_version) == (f"City {winner}", 2)


def test_a_form_sent_several_times_at_once_adds_one_record(editors):
    editor = editors[0]
    data = record(submission=as_shown(editor.get(ADD))["submission"])
    copies = []
    for _ in range(4):
        copy = Client(raise_request_exception=False)
        copy.cookies = editor.cookies
        copies.append((copy, ADD, data))
    answers = at_once(copies)
    assert [answer.status_code for answer in answers] == [302] * 4
    assert len({answer["Location"] for answer in answers}) == 1
    assert Agreement.objects.filter(title="Made-up memorandum").count() == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="On PostgreSQL the pool keeps them.")
def test_a_thread_keeps_its_connection_from_one_request_to_the_next():
    connection.close()
    connection.ensure_connection()
    kept = connection.connection
    close_old_connections()
    assert connection.connection is kept


def test_in_the_middle_of_a_download_a_thread_sees_what_others_saved(client):
    """SQLite holds a connection whose statement was not read to its end to the state in which the
    statement began, and whoever breaks a download off leaves the connection to the next reader."""

    def renewed():
        Edition.renew()
        try:
            return Edition.current()
        finally:
            connections.close_all()

    for name in TABLES:
        pieces = iter(client.get(f"/{name}.csv"))
        next(pieces)
        with ThreadPoolExecutor(1) as pool:
            mark = pool.submit(renewed).result()
        assert Edition.current() == mark, name
        list(pieces)
