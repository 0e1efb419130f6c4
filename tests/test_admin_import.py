"""Import in the admin: looked at first, confirmed, and then written whole or not at all."""

import datetime
import io
import json
import re
import threading
import time

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone

from agreements.admin import imports
from agreements.admin.background import Outcome, Teller, in_background
from agreements.exports import TABLES, package, table_csv
from agreements.importer import FORMAT
from agreements.importer.writing import write
from agreements.management.commands.import_register import SHIPPED
from agreements.models import Agreement, Edition, PendingImport, Revision
from agreements.record.after_change import record_change
from tests import make

pytestmark = pytest.mark.django_db
UPLOAD = "/admin/agreements/agreement/import/"


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def publisher(client, django_user_model):
    person = staff(django_user_model, "made-up-publisher", "publisher")
    client.force_login(person)
    return person


@pytest.fixture
def at_once(monkeypatch):
    """The work in the test's own thread, and so in its transaction."""

    def worked(work):
        teller, outcome = Teller(), Outcome()
        try:
            outcome.result = work(teller)
        except Exception as error:
            outcome.error = error
        while not teller.lines.empty():
            yield teller.lines.get()
        return outcome

    monkeypatch.setattr(imports, "in_background", worked)


def staff(users, name, *roles):
    person = users.objects.create_user(name, is_staff=True)
    person.groups.set(Group.objects.filter(name__in=roles))
    return person


RECORDS = {record["slug"]: record for record in json.loads(SHIPPED.read_text())["agreements"]}


def shipped(address, **changes):
    """A record of the shipped register, changed."""
    return RECORDS[address] | changes


def document(*agreements):
    return json.dumps({"format": FORMAT, "agreements": list(agreements)}).encode()


def one_changed_one_added_one_left():
    """A file that changes, adds and repeats one record each."""
    added = shipped("jsepa-2002", slug="made-up-import", title="Made-up <b>import</b>")
    changed = shipped("jsepa-2002", summary="Made-up summary.")
    return document(changed, added, shipped("hsa-mhlw-moc-2026"))


def uploaded(client, content, name="made-up.json"):
    """Upload, and the address of the preview."""
    response = client.post(UPLOAD, {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 302, response.content.decode()
    return response.url


def shown(response):
    """A streamed page as text, its spaces made one."""
    assert response.status_code == 200
    return " ".join(b"".join(response.streaming_content).decode().split())


def standing():
    """What must not change where nothing is written."""
    records = Agreement.objects.order_by("pk").values_list("pk", "summary", "updated_at")
    return list(records), Edition.current(), Revision.objects.count()


@pytest.mark.usefixtures("at_once")
def test_a_file_is_looked_at_confirmed_and_written_with_one_reason(client, publisher):
    before = standing()
    address = uploaded(client, one_changed_one_added_one_left())
    page = shown(client.get(address))
    assert (
        "<strong>1</strong> would be added, <strong>1</strong> changed, <strong>1</strong> left"
        in (page)
    )
    assert "Made-up &lt;b&gt;import&lt;/b&gt;" in page
    assert "<dt>Summary</dt>" in page
    assert '<span class="difference__text">Made-up summary.</span>' in page
    assert "New agreements are <strong>published</strong>" in page
    assert standing() == before, "a preview writes nothing"
    page = shown(client.post(address + "apply/", {"reason": "The made-up list of 2026"}))
    assert "<h2>Imported</h2>" in page
    made = Agreement.objects.get(slug="made-up-import")
    changed = Agreement.objects.get(slug="jsepa-2002")
    assert client.get(made.get_absolute_url()).status_code == 200
    assert changed.summary == "Made-up summary."
    for agreement in (made, changed):
        revision = agreement.revisions.first()
        assert revision.reason == "The made-up list of 2026"
        assert (revision.made_by, revision.made_by_name) == (publisher, "made-up-publisher")
    assert Revision.objects.count() == before[2] + 2
    assert Agreement.objects.search("made-up import").exists()


@pytest.mark.usefixtures("at_once", "publisher")
def test_the_preview_says_which_changed_record_is_not_public(client):
    changed = document(shipped("jsepa-2002", summary="Made-up summary."))
    assert "not public" not in shown(client.get(uploaded(client, changed)))
    Agreement.objects.filter(slug="jsepa-2002").update(state="draft")
    address = uploaded(client, changed)
    assert "(jsepa-2002; Draft, not public)" in shown(client.get(address))


@pytest.mark.usefixtures("at_once", "publisher")
def test_the_preview_asks_whether_a_table_is_whole_whose_last_record_loses_rows(client):
    whole = b"".join(client.get("/milestones.csv?q=project+orbis"))
    page = shown(client.get(uploaded(client, whole, "milestones.csv")))
    assert "Is the file whole?" not in page
    cut = whole.rstrip(b"\r\n").rpartition(b"\r\n")[0] + b"\r\n"
    page = shown(client.get(uploaded(client, cut, "milestones.csv")))
    assert "Is the file whole?" in page


@pytest.mark.usefixtures("at_once", "publisher")
def test_confirming_twice_imports_once(client):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    shown(client.post(address + "apply/", {"reason": "x"}))
    before = standing()
    for again in (
        client.post(address + "apply/", {"reason": "x"}),
        client.post(address + "cancel/"),
        client.get(address),
    ):
        assert (again.status_code, again.url) == (302, UPLOAD)
    assert standing() == before
    assert "This file has been imported already." in client.get(UPLOAD).content.decode()


@pytest.mark.usefixtures("at_once")
def test_of_two_confirmations_at_the_same_moment_the_second_finds_it_done(client, publisher):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    response = client.post(address + "apply/", {"reason": "x"})
    # The other one has got through while this one was being read.
    PendingImport.objects.update(applied_at=timezone.now())
    before = standing()
    assert "This file has been imported already." in shown(response)
    assert standing() == before


@pytest.mark.usefixtures("at_once", "publisher")
def test_what_was_shown_must_still_hold_when_it_is_confirmed(client):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    make.agreement()
    before = standing()
    page = shown(client.post(address + "apply/", {"reason": "x"}))
    assert "The register has changed since you were shown what would happen." in page
    assert standing() == before
    shown(client.get(address))
    assert "<h2>Imported</h2>" in shown(client.post(address + "apply/", {"reason": "x"}))


@pytest.mark.usefixtures("at_once", "publisher")
def test_confirming_what_was_never_looked_at_is_refused(client):
    address = uploaded(client, one_changed_one_added_one_left())
    before = standing()
    page = shown(client.post(address + "apply/", {"reason": "x"}))
    assert "Nothing was imported" in page
    assert standing() == before


@pytest.mark.usefixtures("at_once", "publisher")
@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("broken.json", b'{"format": ', "line 1, column"),
        ("list.csv", "name\nä".encode("latin-1"), "not UTF-8"),
        ("empty.csv", b"  \n", "the file is empty"),
        ("unknown.csv", b"made,up\n1,2\n", "unknown.csv"),
        ("bomb.zip", b"PK\x03\x04nonsense", "bomb.zip"),
        (
            "date.json",
            document(shipped("jsepa-2002", signed_on="2002-13")),
            "signed_on: There is no month 13.",
        ),
    ],
)
def test_a_faulty_file_is_told_by_place_and_cannot_be_confirmed(client, name, content, fault):
    before = standing()
    page = shown(client.get(uploaded(client, content, name)))
    assert fault in page
    assert "Nothing was imported" in page
    assert "Import now" not in page
    assert standing() == before


@pytest.mark.shipped
@pytest.mark.usefixtures("at_once", "publisher")
def test_a_file_that_repeats_the_register_leaves_nothing_to_import(client):
    page = shown(client.get(uploaded(client, SHIPPED.read_bytes())))
    assert "there is nothing to import" in page
    assert "Import now" not in page


@pytest.mark.usefixtures("at_once", "publisher")
def test_a_data_package_and_one_of_its_tables_are_taken_as_they_are_given(client):
    register, today = Agreement.objects.register(), timezone.localdate()
    archive = io.BytesIO()
    package(register, today, "https://example.org", archive)
    assert "there is nothing to import" in shown(
        client.get(uploaded(client, archive.getvalue(), "made-up.zip"))
    )
    ids = list(register.values_list("pk", flat=True))
    table = "".join(table_csv(TABLES["agreements"], ids, today, "https://example.org"))
    changed = table.replace("Terms of Reference, Australia", "Made-up, Australia", 1).encode()
    assert changed != table.encode()
    page = shown(client.get(uploaded(client, changed, "agreements.csv")))
    assert "<strong>0</strong> would be added, <strong>1</strong> changed" in page


@pytest.mark.usefixtures("at_once", "publisher")
@pytest.mark.parametrize("reason", ["", "   ", "a\x00b", "x" * 401])
def test_without_a_good_reason_nothing_is_written_and_the_field_is_named(client, reason):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    before = standing()
    response = client.post(address + "apply/", {"reason": reason})
    assert response.status_code == 200
    assert re.search(r"<li>Reason: [A-Z].*?</li>", response.content.decode())
    assert standing() == before


@pytest.mark.usefixtures("publisher")
def test_a_missing_an_empty_and_a_huge_file_are_refused_by_field(client, monkeypatch):
    monkeypatch.setattr(imports, "IMPORT_FILE_LIMIT", 10)
    for data, words in (
        ({}, "File: This field is required."),
        ({"file": SimpleUploadedFile("a.csv", b"")}, "File: The submitted file is empty."),
        ({"file": SimpleUploadedFile("a.csv", b"x" * 11)}, "File: The file has more than 200 MB."),
    ):
        response = client.post(UPLOAD, data)
        assert response.status_code == 200
        assert words in response.content.decode()
    assert not PendingImport.objects.exists()


@pytest.mark.usefixtures("publisher")
def test_the_name_of_a_file_is_kept_as_a_name_and_never_as_a_place(client, settings):
    address = uploaded(client, b"x", '../../etc/<script>alert("x")\x1f' + "y" * 300 + ".csv")
    pending = PendingImport.objects.get()
    assert pending.file.name.startswith("imports/")
    assert len(pending.name) <= 200
    assert "\x1f" not in pending.name
    assert [path.parent.name for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == [
        "imports"
    ]
    assert "<script>alert" not in shown(client.get(address))


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_who_may_import_comes_to_any_of_the_pages(client, django_user_model, role):
    other = staff(django_user_model, "made-up-publisher", "publisher")
    client.force_login(other)
    address = uploaded(client, one_changed_one_added_one_left())
    client.force_login(staff(django_user_model, "made-up-person", role))
    before = standing()
    for path in (UPLOAD, address, address + "apply/", address + "cancel/"):
        assert client.get(path).status_code == 403, path
        assert client.post(path, {"reason": "x"}).status_code == 403, path
    client.logout()
    for path in (UPLOAD, address, address + "apply/"):
        assert client.post(path, {"reason": "x"}).status_code == 302, path
    assert standing() == before
    assert PendingImport.objects.count() == 1
    page = client.get("/admin/agreements/agreement/")
    assert b"Import a file" not in page.content


def test_nobody_sees_or_confirms_the_upload_of_another(client, django_user_model, settings):
    client.force_login(staff(django_user_model, "made-up-first", "publisher"))
    address = uploaded(client, one_changed_one_added_one_left())
    client.force_login(staff(django_user_model, "made-up-second", "administrator"))
    assert client.get(address).status_code == 404
    assert client.post(address + "apply/", {"reason": "x"}).status_code == 404
    assert client.post(address + "cancel/").status_code == 404
    assert client.get(f"{UPLOAD}{'9' * 40}/").status_code == 404
    stored = PendingImport.objects.get().file
    for path in (stored.name, f"sources/../{stored.name}", f"sources/%2e%2e/{stored.name}"):
        assert client.get(f"/admin/stored/{path}").status_code in (400, 404)
    assert stored.storage.exists(stored.name)


@pytest.mark.usefixtures("publisher")
def test_a_cancelled_a_replaced_and_an_old_file_are_forgotten(client, settings):
    def files():
        return [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]

    address = uploaded(client, b"first")
    uploaded(client, b"second")
    assert len(files()) == PendingImport.objects.count() == 1
    assert client.get(address).status_code == 404
    client.post(f"{UPLOAD}{PendingImport.objects.get().pk}/cancel/")
    assert files() == []
    uploaded(client, b"third")
    PendingImport.objects.update(uploaded_at=timezone.now() - datetime.timedelta(hours=25))
    call_command("discard_imports", stdout=io.StringIO())
    assert files() == []
    assert not PendingImport.objects.exists()


@pytest.mark.usefixtures("at_once", "publisher")
def test_the_file_goes_with_the_import(client, settings):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    shown(client.post(address + "apply/", {"reason": "x"}))
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("at_once", "publisher")
def test_a_file_that_is_gone_and_an_error_of_ours_are_told_and_nothing_is_written(
    client, monkeypatch, caplog
):
    address = uploaded(client, one_changed_one_added_one_left())
    shown(client.get(address))
    before = standing()

    def fails(*args, **kwargs):
        raise RuntimeError("made up")

    monkeypatch.setattr("agreements.importer.write", fails)
    page = shown(client.post(address + "apply/", {"reason": "x"}))
    assert "Something went wrong that is not your fault." in page
    assert "made up" not in page
    assert "made up" in caplog.text
    PendingImport.objects.get().file.delete(save=False)
    assert "The file is no longer here." in shown(client.get(address))
    assert standing() == before
    assert PendingImport.objects.get().applied_at is None


@pytest.mark.usefixtures("at_once", "publisher")
def test_the_page_comes_in_pieces_that_nothing_holds_back(client):
    address = uploaded(client, one_changed_one_added_one_left())
    response = client.get(address, headers={"accept-encoding": "gzip, br"})
    pieces = [piece.decode() for piece in response.streaming_content]
    assert response["Content-Encoding"] == "identity"
    assert "</h1>" in pieces[0]
    assert pieces[1].startswith('<div role="status">')
    assert pieces[2] == "<li>Reading the file.</li>\n"
    assert "<li>Checked 3 of 3 agreements.</li>\n" in pieces
    assert "would be added" not in "".join(pieces[:-3])


# The thread itself.


def test_the_lines_come_while_the_work_is_done():
    go_on = threading.Event()

    def work(teller):
        teller.line("first")
        assert go_on.wait(5)
        teller.line("second")
        return "result"

    running = in_background(work)
    assert next(running) == "first"
    go_on.set()
    assert next(running) == "second"
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value.result == "result"


def test_an_error_in_the_work_is_handed_over():
    def work(teller):
        raise ValueError("made up")

    with pytest.raises(StopIteration) as ended:
        next(in_background(work))
    assert str(ended.value.value.error) == "made up"


def test_counts_are_said_now_and_then_and_at_the_end():
    teller = Teller()
    count = teller.counting("Checked")
    for number in range(1, 5001):
        count(number, 5000)
    lines = []
    while not teller.lines.empty():
        lines.append(teller.lines.get())
    assert lines[-1] == "Checked 5,000 of 5,000 agreements."
    assert len(lines) < 100


@pytest.mark.django_db(transaction=True)
def test_a_page_closed_in_the_middle_of_an_import_leaves_nothing_half_written(
    django_user_model, monkeypatch
):
    person = django_user_model.objects.create_superuser("made-up-admin", password="x")
    pending = PendingImport(uploaded_by=person, name="made-up.json", edition=Edition.of_all())
    pending.file.save("made-up", ContentFile(one_changed_one_added_one_left()))
    before = standing()
    request = RequestFactory().post("/")
    request.user = person

    def written_slowly(*args, progress, **kwargs):
        write(*args, progress=progress, **kwargs)
        for number in range(1000):
            progress(number, 1000)
            time.sleep(0.01)

    monkeypatch.setattr("agreements.admin.background.BETWEEN_COUNTS", 0)
    with monkeypatch.context() as slow:
        slow.setattr("agreements.importer.write", written_slowly)
        page = imports._applied(request, pending, "made up")
        assert any("Wrote 2 of 2 agreements" in line for line in page)
        assert "Wrote 5 of 1,000" in "".join(next(page) for _ in range(8))
        page.close()
    assert standing() == before
    assert PendingImport.objects.get().applied_at is None

    pending = PendingImport.objects.get()
    assert "Imported" in "".join(imports._applied(request, pending, "made up"))
    assert Agreement.objects.filter(slug="made-up-import").exists()


@pytest.mark.usefixtures("at_once", "publisher")
def test_a_draft_that_was_changed_after_the_preview_is_not_written_over(client):
    """Drafts begin no new edition of the register, and yet what was shown no longer holds."""
    content = document(shipped("jsepa-2002", summary="From the file."))
    draft = Agreement.objects.filter(slug="jsepa-2002")
    draft.update(state="draft")
    address = uploaded(client, content)
    shown(client.get(address))
    draft.update(summary="Typed meanwhile.")
    record_change([draft.get().pk], reason="typed", name="a colleague")
    page = shown(client.post(address + "apply/", {"reason": "x"}))
    assert "The register has changed since you were shown what would happen." in page
    assert draft.get().summary == "Typed meanwhile."
