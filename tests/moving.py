"""Records on their way from draft to published, for the tests of the desk's moves."""

from django.contrib.auth.models import Group, User

from agreements import workflow
from agreements.models import Agreement
from agreements.record.after_change import record_change
from tests import make


def person(role, name=None):
    user = User.objects.create_user(name or f"made-up-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def complete(editor, **fields):
    """A draft that may be published, typed by ``editor``."""
    draft = make.agreement(
        **{"state": "draft", "owner": editor, "signed_on": "2026-04-20", "summary": "Made up."}
        | fields,
        participants=[make.agency(), make.agency()],
    )
    source = make.source(draft)
    make.provision(draft, source=source, products=["medicines"])
    record_change([draft.pk], reason="Created", user=editor)
    draft.refresh_from_db()
    return draft


def published(editor, publisher, **fields):
    draft = complete(editor, **fields)
    workflow.publish(draft.pk, draft.lock_version, publisher)
    draft.refresh_from_db()
    return draft


def move_url(agreement, move):
    return f"/admin/agreements/agreement/{agreement.pk}/move/{move}/"


def send(client, user, agreement, move, **typed):
    client.force_login(user)
    agreement.refresh_from_db()
    return client.post(move_url(agreement, move), {"lock_version": agreement.lock_version} | typed)


def begun(client, user, original):
    assert send(client, user, original, "edit").status_code == 302
    return Agreement.objects.get(revises=original)


def edited(working_copy, user, **fields):
    Agreement.objects.filter(pk=working_copy.pk).update(**fields)
    record_change([working_copy.pk], reason="Edited", user=user)
