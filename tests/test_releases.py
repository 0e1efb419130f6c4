"""Dated releases of the data package: each kept, each with what changed since the one before."""

import datetime
import hashlib
import io
import itertools
import json
import os
import zipfile

import pytest
from django.core.management import CommandError, call_command

from agreements import releases
from agreements.exports import TABLES
from agreements.management.commands import build_package
from agreements.models import Agency, Agreement, CooperationArea, Edition
from agreements.models.querysets import PublicationState
from agreements.record.after_change import record_change
from agreements.record.derive import reindex_agencies, reindex_terms
from agreements.releases import building
from tests import make

pytestmark = pytest.mark.django_db
BASE = "https://register.example"
DAY = datetime.date(2026, 11, 24)
NEXT_DAY = DAY + datetime.timedelta(days=1)
ONE = "jsepa-2002"
KINDS = ("added", "changed", "withdrawn")


@pytest.fixture
def folder(settings, tmp_path):
    settings.RELEASES_ROOT = tmp_path / "releases"
    return settings.RELEASES_ROOT


@pytest.fixture
def small(empty_register, folder):
    """A register of two made-up agreements, in which a release takes no time."""
    agency = make.agency(key="made-up-agency", acronym="MUA")
    for slug in ("made-up-first", "made-up-second"):
        make.agreement(slug=slug, participants=[agency], milestones=[("announced", "2020")])
    return folder


def build(day=DAY):
    return releases.build(day, BASE)


def told(release, table="agreements"):
    """Of one noun, what was added, changed and withdrawn, by id."""
    found = release.changes.get(table) or {kind: [] for kind in KINDS}
    return tuple([row["id"] for row in found[kind]] for kind in KINDS)


def touched(slug, **fields):
    Agreement.objects.filter(slug=slug).update(**fields)
    record_change([Agreement.objects.get(slug=slug).pk], reason="test", name="test")


# --- What a release is --------------------------------------------------------------------------


def test_the_first_release_holds_the_whole_register_and_tells_its_size_rows_and_checksum(folder):
    release = build()
    content = (folder / "moctracker-2026-11-24.zip").read_bytes()
    assert release.name == "2026-11-24"
    assert (release.size, release.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert release.rows["agreements"] == Agreement.objects.register().count()
    assert set(release.rows) == set(TABLES)
    assert release.before == ""
    assert release.changes == {}
    assert releases.named(release.name) == release == releases.newest()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None


def test_an_empty_register_has_no_release(empty_register, folder):
    assert build() is None
    assert releases.every() == []
    assert releases.newest() is None


def test_nothing_is_built_while_nothing_public_changed(small):
    build()
    assert build() is None
    # A new day, another address and a draft change nothing that a release would tell.
    assert releases.build(NEXT_DAY, "https://elsewhere.example") is None
    make.agreement(state="draft")
    touched("made-up-first", staff_notes="For staff only.")
    assert build(NEXT_DAY) is None
    assert releases.every() == ["2026-11-24"]


def test_nothing_is_read_again_while_the_edition_and_the_day_are_the_same(small, monkeypatch):
    build()
    assert build(NEXT_DAY) is None
    monkeypatch.setattr(building, "package", None)
    assert build(NEXT_DAY) is None


def test_every_past_release_stays_and_a_second_one_of_a_day_gets_a_number(small):
    build()
    first = (small / "moctracker-2026-11-24.zip").read_bytes()
    for number, title in enumerate(["Second", "Third"], start=2):
        touched("made-up-first", title=title)
        assert build().name == f"2026-11-24-{number}"
    touched("made-up-first", title="Fourth")
    assert build(NEXT_DAY).before == "2026-11-24-3"
    assert releases.every() == ["2026-11-25", "2026-11-24-3", "2026-11-24-2", "2026-11-24"]
    assert (small / "moctracker-2026-11-24.zip").read_bytes() == first


# --- What changed -------------------------------------------------------------------------------


def test_a_release_tells_what_was_added_changed_with_its_fields_and_withdrawn(small):
    build()
    make.agreement(slug="made-up-third")
    first = Agreement.objects.get(slug="made-up-first")
    make.provision(first)
    touched("made-up-first", title="Another title", signed_on="2020-05")
    touched("made-up-second", state=PublicationState.WITHDRAWN)
    release = build()
    assert told(release) == (["made-up-third"], ["made-up-first"], ["made-up-second"])
    what = release.changes["agreements"]["changed"][0]["what"]
    assert what == "title, date of signature; provisions: 1 added; status"
    assert set(release.changes) == {"agreements"}


def test_a_status_that_changes_with_the_day_alone_makes_a_release(small):
    make.agreement(
        slug="made-up-term", milestones=[("entered_into_force", "2020-01-01", "2026-11-24")]
    )
    build()
    release = build(NEXT_DAY)
    assert release.changes["agreements"]["changed"] == [{"id": "made-up-term", "what": "status"}]


def test_a_record_that_moved_is_changed_and_not_another_one(small):
    build()
    moved = Agreement.objects.get(slug="made-up-second")
    moved.former_slugs.create(slug="made-up-second")
    Agreement.objects.filter(pk=moved.pk).update(slug="a-new-address", summary="Moved.")
    make.derived(moved)
    release = build()
    assert told(release) == ([], ["a-new-address"], [])
    what = release.changes["agreements"]["changed"][0]["what"]
    assert what == "moved from made-up-second; summary"


def test_a_renamed_agency_is_told_of_with_the_rows_that_name_it(small):
    build()
    Agency.objects.update(acronym="NEW")
    area = CooperationArea.objects.first()
    CooperationArea.objects.filter(pk=area.pk).update(name="Renamed area")
    reindex_agencies(Agency.objects.values_list("pk", flat=True))
    reindex_terms([area])
    release = build()
    assert told(release, "agencies") == ([], ["made-up-agency"], [])
    assert release.changes["agencies"]["changed"][0]["what"] == "acronym"
    assert told(release, "areas") == ([], [area.code], [])
    assert {row["what"] for row in release.changes["agreements"]["changed"]} == {"participants"}


def rewritten(release, files):
    """The release with other files in its ZIP, as if an older version had built it."""
    with zipfile.ZipFile(release.path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = release.path.read_bytes()
    told = release.as_json() | {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    release.path.with_suffix(".json").write_text(json.dumps(told))


def test_a_new_column_makes_a_release_and_changes_no_record(small):
    release = build()
    kept = release.path
    with zipfile.ZipFile(kept) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    files["areas.csv"] = "\r\n".join(
        line.rpartition(",")[0] for line in files["areas.csv"].splitlines()
    )
    rewritten(release, files)
    Edition.renew()
    assert build().changes == {
        "columns": {"added": [{"id": "areas.retired"}], "changed": [], "withdrawn": []}
    }


def test_a_new_table_makes_a_release_and_changes_no_record(small):
    release = build()
    kept = release.path
    with zipfile.ZipFile(kept) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    new = ("milestones.csv", "products.csv")
    rewritten(release, {name: each for name, each in files.items() if name not in new})
    Edition.renew()
    changes = build().changes
    assert list(changes) == ["columns"]
    assert {row["id"].partition(".")[0] for row in changes["columns"]["added"]} == {
        "milestones",
        "products",
    }


# --- Whole or not at all ------------------------------------------------------------------------


def test_a_build_that_fails_leaves_the_last_release_and_nothing_else(small, monkeypatch):
    build()
    before = sorted(path.name for path in small.rglob("*"))
    touched("made-up-first", title="Another title")

    def fails(register, day, base_url, file):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(building, "package", fails)
    with pytest.raises(OSError, match="disk full"):
        build()
    assert sorted(path.name for path in small.rglob("*")) == before


def test_a_register_that_changes_while_it_is_read_gives_no_release(small, monkeypatch):
    original = building.package

    def meanwhile(*given):
        rows = original(*given)
        Edition.renew()
        return rows

    monkeypatch.setattr(building, "package", meanwhile)
    with pytest.raises(releases.RegisterChanged):
        build()
    assert releases.every() == []


def test_two_builds_at_once_are_one(small):
    with building._alone(), pytest.raises(releases.UnderWay):
        build()
    assert build()


def test_a_release_without_its_description_is_not_there_and_is_built_again(small):
    build()
    (small / "moctracker-2026-11-24.json").unlink()
    assert releases.newest() is None
    assert build().name == "2026-11-24"


# --- The command --------------------------------------------------------------------------------


def test_the_command_builds_once_and_says_so(small):
    printed = io.StringIO()
    call_command("build_package", stdout=printed)
    assert "Built " in printed.getvalue()
    call_command("build_package", stdout=printed)
    assert printed.getvalue().endswith("Nothing public changed since the last release.\n")


def test_the_command_says_in_one_sentence_why_it_cannot(small, settings):
    with building._alone(), pytest.raises(CommandError, match=r"^Another process is building"):
        call_command("build_package")
    settings.RELEASES_ROOT = small / "made-up-file"
    settings.RELEASES_ROOT.write_text("")
    with pytest.raises(CommandError, match="made-up-file"):
        call_command("build_package")


@pytest.fixture
def watched(monkeypatch):
    """Runs the watch for as many looks as there are functions, each called before one."""

    def run(*between):
        steps, parent = iter(between), os.getpid()
        still = [parent]
        seconds = itertools.count(1)

        def sleep(_):
            if next(seconds) % build_package.BETWEEN_LOOKS == 0:
                step = next(steps, None)
                step() if step else still.append(1)

        monkeypatch.setattr(build_package.os, "getppid", lambda: still[-1])
        monkeypatch.setattr(build_package.time, "sleep", sleep)
        monkeypatch.setattr(build_package.connection, "close", lambda: None)
        errors = io.StringIO()
        call_command("build_package", "--watch", stdout=io.StringIO(), stderr=errors)
        return errors.getvalue()

    return run


def test_the_watch_builds_at_once_and_after_a_change_that_has_rested(small, watched):
    found = []

    def change():
        touched("made-up-first", title="Another title")
        found.append(len(releases.every()))

    def look():
        found.append(len(releases.every()))

    assert watched(change, look, look) == ""
    # At the start; nothing at the first look after a change; a release at the second.
    assert found == [1, 1, 2]


def test_the_watch_outlives_a_failure_and_ends_with_its_parent(small, watched, monkeypatch):
    def fails(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(releases, "build", fails)
    assert "No space left on device" in watched(lambda: None)


# --- The pages ----------------------------------------------------------------------------------


def test_the_newest_release_is_downloaded_from_one_address_as_a_file(small, client):
    release = build()
    answer = client.get("/data/latest.zip")
    assert (answer.status_code, answer.url) == (302, "/data/moctracker-2026-11-24.zip")
    assert answer["Cache-Control"] == "public, no-cache"
    answer = client.get(answer.url, headers={"accept-encoding": "gzip"})
    content = b"".join(answer)
    assert hashlib.sha256(content).hexdigest() == release.sha256
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in answer
    assert int(answer["Content-Length"]) == len(content)
    assert answer["Content-Disposition"] == 'attachment; filename="moctracker-2026-11-24.zip"'
    assert answer["ETag"] == f'"{release.sha256}"'
    assert answer["Access-Control-Allow-Origin"] == "*"
    touched("made-up-first", title="Another title")
    build(NEXT_DAY)
    assert client.get("/data/latest.zip").url == "/data/moctracker-2026-11-25.zip"


def test_a_download_asks_the_database_nothing_and_whoever_has_it_gets_304(
    small, client, django_assert_num_queries
):
    release = build()
    address = "/data/moctracker-2026-11-24.zip"
    with django_assert_num_queries(0):
        assert b"".join(client.get(address))
        assert client.get("/data/latest.zip").status_code == 302
        known = client.get(address, headers={"if-none-match": f'"{release.sha256}"'})
    assert known.status_code == 304
    assert known["Access-Control-Allow-Origin"] == "*"
    # What is kept takes over the headers of the 304.
    assert known["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "name", ["latest", "2026-11-25", "2026-11-24-2", "2026-11-24-1", "0", "x" * 300, "2026-13-99"]
)
def test_a_release_that_there_is_not_is_404(small, client, name):
    build()
    for address in (f"moctracker-{name}.zip", f"releases/{name}/", f"releases/{name}.json"):
        assert client.get(f"/data/{address}").status_code == 404
    for name in ("..%2Fx", "moctracker-..%2f..%2fsecret_key", "%00"):
        assert client.get(f"/data/moctracker-{name}.zip").status_code == 404


def test_before_the_first_release_the_pages_say_so(small, client):
    for address in ("/data/", "/data/releases/"):
        assert "No release has been made yet" in client.get(address).content.decode()
    assert client.get("/data/latest.zip").status_code == 404


def test_the_pages_list_every_release_with_what_changed_in_it(small, client):
    first = build()
    make.agreement(slug="made-up-third", title="A third one")
    touched("made-up-first", title="Another title")
    second = build()
    page = client.get("/data/").content.decode()
    assert second.sha256 in page
    assert "Agreements: 1 added, 1 changed. <a" in " ".join(page.split())
    listed = client.get("/data/releases/").content.decode()
    assert listed.index(second.sha256) < listed.index(first.sha256)
    assert "The first release" in listed
    detail = " ".join(client.get("/data/releases/2026-11-24-2/").content.decode().split())
    assert "Agreements added: 1" in detail
    assert (
        '>A third one</a> <span class="changes__what"><code>made-up-third</code></span>' in detail
    )
    assert ">title · <code>made-up-first</code></span>" in detail
    told = client.get("/data/releases/2026-11-24-2.json").json()
    assert told["changes"]["agreements"]["changed"] == [{"id": "made-up-first", "what": "title"}]
    assert told["before"] == "2026-11-24"
    assert told["offered"] is True


def test_a_page_of_data_is_another_one_after_a_release(small, client):
    tag = client.get("/data/")["ETag"]
    assert client.get("/data/")["ETag"] == tag
    build()
    assert client.get("/data/")["ETag"] != tag


def test_the_time_of_a_file_makes_no_page_another_one(small, client):
    """A copy of the folder on another machine, or a touched file, changes no entity tag."""
    build()
    tag = client.get("/data/")["ETag"]
    for path in (small, *small.iterdir()):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert client.get("/data/")["ETag"] == tag


def test_of_a_record_withdrawn_since_the_pages_tell_its_address_and_nothing_else(small, client):
    agreement = Agreement.objects.get(slug="made-up-second")
    Agreement.objects.filter(pk=agreement.pk).update(title="Kanarienvogel")
    build()
    page = client.get("/data/releases/2026-11-24/").content.decode()
    assert "Withdrawn since" not in page
    why = {"withdrawal_kind": "by_parties", "withdrawal_reason": "Made up."}
    touched("made-up-second", state=PublicationState.WITHDRAWN, **why)
    build(NEXT_DAY)
    pages = {
        address: client.get(f"/data/{address}").content.decode()
        for address in ("", "releases/", "releases/2026-11-24/", "releases/2026-11-25/")
    }
    assert "Kanarienvogel" not in "".join(pages.values())
    for page in list(pages.values())[2:]:
        assert 'href="/agreements/made-up-second/"' in page
    assert "Withdrawn since" in pages["releases/2026-11-24/"]
    assert "Withdrawn since" not in pages["releases/2026-11-25/"]
    # What was withdrawn before it was released, or has come back, is not withdrawn since.
    why = dict.fromkeys(why, "")
    touched("made-up-second", state=PublicationState.PUBLISHED, **why)
    build(NEXT_DAY + datetime.timedelta(days=1))
    assert releases.withdrawn_since(releases.named("2026-11-24")) == []


def test_a_record_that_moved_and_was_withdrawn_is_named_as_an_older_release_has_it(small, client):
    def moved(old, new):
        agreement = Agreement.objects.get(slug=old)
        agreement.former_slugs.create(slug=old)
        Agreement.objects.filter(pk=agreement.pk).update(slug=new)
        make.derived(agreement)

    build()
    moved("made-up-second", "its-second-name")
    build()
    moved("its-second-name", "its-last-name")
    build()
    assert releases.withdrawn_since(releases.named("2026-11-24")) == []
    why = {"withdrawal_kind": "by_parties", "withdrawal_reason": "Made up."}
    touched("its-last-name", state=PublicationState.WITHDRAWN, **why)
    build()
    here = {"2026-11-24": "made-up-second", "2026-11-24-2": "its-second-name"}
    for name, known_as in here.items():
        row = {"id": "its-last-name", "what": f"here {known_as}"}
        assert releases.withdrawn_since(releases.named(name)) == [row]
        page = client.get(f"/data/releases/{name}/").content.decode()
        assert 'href="/agreements/its-last-name/"' in page
        assert f"here {known_as}" in page
    assert releases.withdrawn_since(releases.named("2026-11-24-3")) == [{"id": "its-last-name"}]


def test_a_release_that_the_operator_took_away_stays_listed_and_is_gone(small, client, settings):
    settings.DESK_EMAIL = "desk@register.example"
    release = build()
    touched("made-up-first", title="Another title")
    build(NEXT_DAY)
    release.path.unlink()
    answer = client.get("/data/moctracker-2026-11-24.zip")
    assert answer.status_code == 410
    assert "/data/releases/2026-11-24/" in answer.content.decode()
    page = client.get("/data/releases/2026-11-24/").content.decode()
    assert "taken away" in page
    assert release.sha256 in page
    assert "mailto:desk@register.example" in client.get("/data/releases/").content.decode()
    # If it was the newest, the one before is again, and the next tells its changes against that.
    (small / "moctracker-2026-11-25.zip").unlink()
    assert client.get("/data/latest.zip").status_code == 404
    assert build(NEXT_DAY).before == ""


# --- Damage -------------------------------------------------------------------------------------

DAMAGES = {
    "empty description": (".json", lambda content: b""),
    "description cut short": (".json", lambda content: content[: len(content) // 2]),
    "description of zeros": (".json", lambda content: bytes(len(content))),
    "description of something else": (".json", lambda content: b"[1]"),
    "empty ZIP": (".zip", lambda content: b""),
    "ZIP cut short": (".zip", lambda content: content[: len(content) // 2]),
    "ZIP with one bit turned": (".zip", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
}


@pytest.fixture(params=DAMAGES)
def damaged(request, small):
    """Two releases, of which the newer has been damaged; the name of the damaged file."""
    build()
    touched("made-up-first", title="Another title")
    suffix, damage = DAMAGES[request.param]
    path = build(NEXT_DAY).path.with_suffix(suffix)
    path.write_bytes(damage(path.read_bytes()))
    return path.name


def test_a_damaged_file_is_named_in_the_log_and_takes_no_page_down(damaged, client, caplog):
    for address in ("/data/", "/data/releases/", "/data/releases/2026-11-24/"):
        assert client.get(address).status_code == 200, address
    assert client.get("/data/latest.zip").url == "/data/moctracker-2026-11-24.zip"
    assert damaged in caplog.text


def test_a_damaged_file_is_never_handed_out_as_whole(damaged, client):
    answer = client.get("/data/moctracker-2026-11-25.zip")
    if damaged.endswith(".json"):
        assert answer.status_code == 404
        return
    assert answer.status_code == 503
    assert answer["Cache-Control"] == "no-store"
    assert "ETag" not in answer
    for address in ("/data/releases/", "/data/releases/2026-11-25/"):
        page = client.get(address).content.decode()
        assert "the file is damaged" in page
        assert "taken away." not in page.partition("Whoever wants")[0]
    assert client.get("/data/releases/2026-11-25.json").json()["offered"] is False


def test_a_damaged_release_is_built_again_under_another_name(damaged):
    again = build(NEXT_DAY)
    assert (again.name, again.before) == ("2026-11-25-2", "2026-11-24")
    assert told(again) == ([], ["made-up-first"], [])
    assert build(NEXT_DAY) is None


def test_a_damaged_note_of_what_has_been_looked_at_is_no_note(small):
    build()
    (small / ".building" / "looked-at.json").write_text("")
    assert build() is None


def test_a_description_is_on_the_disk_before_it_bears_its_name(small, monkeypatch):
    synced, renamed = set(), []
    monkeypatch.setattr(building.os, "fsync", lambda file: synced.add(os.fstat(file).st_ino))
    replace = building.Path.replace

    def replaced(path, target):
        renamed.append(path.stat().st_ino)
        return replace(path, target)

    monkeypatch.setattr(building.Path, "replace", replaced)
    build()
    assert len(renamed) == 3
    assert set(renamed) <= synced
