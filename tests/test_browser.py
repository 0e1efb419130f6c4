"""The pages in a real browser: accessible, within the policy, usable by keyboard and on a phone."""

import datetime
import json
import re

import pytest

from agreements import releases
from agreements.importer import FORMAT
from agreements.management.commands.import_register import SHIPPED
from agreements.models import Agreement
from agreements.record.after_change import record_change
from tests import make
from tests.looks import accessibility_faults, follow, following

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGES = [
    "/",
    "/agreements/",
    "/agreements/?q=GMP&stage=manufacturing&status=in_effect",
    "/agreements/?q=nothingatallmatchesthis",
    "/agreements/?signed_after=banana",
    "/agreements/?as_of=2011-01-01",
    "/agreements/hsa-mhlw-moc-2026/",
    "/agreements/project-orbis/",
    "/agreements/mfds-bfarm-2021/",
    "/agreements/mhlw-thai-fda-moc-2018/",
    "/agreements/fda-swissmedic-mra-2023/",
    "/agreements/hsa-mhlw-moc-2026/changes/",
    "/coverage/",
    "/coverage/?agency=smc",
    "/coverage/?country=JP&by=country&product=medicines&depth=reliance",
    "/coverage/?agency=nobody",
    "/coverage/?agency=dghs-in",
    "/coverage/hsa/mhlw/",
    "/coverage/fda/hsa/",
    "/coverage/fda/smc/?as_of=2015-01-01",
    "/coverage/cofepris/hsa/",
    "/agencies/",
    "/agencies/mhlw/",
    "/about/",
    "/data/",
    "/data/dictionary/",
    "/data/loading/",
    "/data/releases/",
    "/nowhere/",
]


LOOKS = pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])


def look_at(visit, site, paths, scheme, width):
    """Each page keeps the policy, the accessibility rules and the width of the screen."""
    page = visit("/robots.txt", scheme=scheme, width=width)
    for path in paths:
        page.goto(site + path)
        # Axe adds a style sheet of its own, so the policy is looked at before it runs.
        assert page.complaints == [], path
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (path, wide)
        assert accessibility_faults(page, scheme) == "", path
        page.complaints.clear()


@LOOKS
def test_no_page_violates_an_accessibility_rule_or_the_policy_or_scrolls_sideways(
    visit, site, scheme, width
):
    look_at(visit, site, PAGES, scheme, width)


@LOOKS
def test_the_pages_of_releases_do_neither(visit, site, settings, tmp_path, scheme, width):
    settings.RELEASES_ROOT = tmp_path
    day = datetime.date(2026, 11, 24)
    first = releases.build(day, site)
    changed, withdrawn = Agreement.objects.register().newest_first()[:2]
    changed.title = "Another title"
    changed.save()
    withdrawn.state, withdrawn.withdrawal_kind = "withdrawn", "by_parties"
    withdrawn.withdrawal_reason = "Made up."
    withdrawn.save()
    added = make.agreement(slug="made-up-" + "long-" * 20 + "name", title="Made up")
    record_change([changed.pk, withdrawn.pk, added.pk], reason="made", name="test")
    second = releases.build(day, site)
    assert second.changes["agreements"]["withdrawn"]
    paths = [f"/data/releases/{each.name}/" for each in (first, second)]
    look_at(visit, site, ["/data/", "/data/releases/", *paths], scheme, width)


def test_the_reference_record_prints_on_two_pages_with_its_links_spelled_out(visit):
    page = visit("/agreements/hsa-mhlw-moc-2026/")
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2
    page = visit("/agreements/fda-swissmedic-mra-2023/")
    page.emulate_media(media="print")
    source = "document.querySelector('#source-1 a[rel=external]')"
    shown = page.evaluate(f"getComputedStyle({source}, '::after').content")
    assert page.evaluate(f"{source}.href") in shown


def test_the_page_of_a_withdrawn_record(visit):
    made = Agreement.objects.get(slug="project-orbis")
    made.state, made.withdrawal_kind, made.withdrawal_reason = "withdrawn", "by_parties", "x" * 200
    made.save()
    page = visit(made.get_absolute_url(), width=320)
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert accessibility_faults(page) == ""


def test_the_citation_is_shown_as_text_within_the_page(visit):
    page = visit("/agreements/hsa-mhlw-moc-2026/", width=320)
    page.get_by_text("BibTeX as text").click()
    assert page.get_by_text("@misc{hsa-mhlw-moc-2026").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert accessibility_faults(page) == ""


def test_a_phone_finds_the_reference_record_by_keyboard_without_javascript(visit):
    page = visit("/", width=360, javascript=False)
    page.get_by_role("searchbox").focus()
    page.keyboard.type("HSA MHLW memorandum of cooperation")
    with following(page):
        page.keyboard.press("Enter")
    link = page.get_by_role("link", name="HSA–MHLW MOC 2026").first
    follow(link, "Enter")
    assert page.url.endswith("/agreements/hsa-mhlw-moc-2026/")
    assert page.get_by_role("heading", level=1).count() == 1


def test_the_first_tab_leads_past_the_navigation(visit):
    page = visit("/agreements/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"


def test_a_filter_is_chosen_applied_and_removed(visit):
    page = visit("/agreements/")
    page.get_by_label("Suspended").evaluate("box => box.closest('details').open = true")
    page.get_by_label("Suspended").check()
    follow(page.get_by_role("button", name="Show").first)
    assert "status=suspended" in page.url
    assert page.get_by_role("heading", level=1).inner_text().startswith("1 agreement")
    follow(page.get_by_role("link", name="Status: Suspended"))
    assert "status=" not in page.url


def test_the_admin_form_of_a_full_record_opens_within_the_policy(visit, django_user_model):
    user = django_user_model.objects.create_superuser("editor")
    made = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    page = visit(f"/admin/agreements/agreement/{made.pk}/change/", user=user)
    assert page.get_by_role("heading", name="Provisions", exact=False).count()
    assert page.complaints == []


def test_the_history_of_a_record_is_read_compared_and_restored_by_keyboard(
    visit, django_user_model
):
    user = django_user_model.objects.create_superuser("editor")
    made = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    made.summary, made.legal_nature = made.summary + " More.", "binding"
    made.save()
    record_change([made.pk], reason="Made up.", name="test")
    history = f"/admin/agreements/agreement/{made.pk}/history/"
    page = visit(history, width=320, scheme="dark", javascript=False, user=user)

    def sound():
        assert page.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320

    sound()
    follow(page.get_by_role("button", name="Compare the two"), "Enter")
    assert page.get_by_text("More.").count()
    sound()
    follow(page.get_by_role("link", name="restore").first, "Enter")
    sound()
    follow(page.get_by_role("button", name="Restore this version"), "Enter")
    assert Agreement.objects.get(revises=made).legal_nature == "not_stated"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_the_pages_of_the_history_violate_no_accessibility_rule(
    visit, site, django_user_model, scheme, width
):
    user = django_user_model.objects.create_superuser("editor")
    made = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    made.summary = made.summary.replace("Tokyo", "the capital") + " More."
    made.save()
    made.evidence.first().delete()
    record_change([made.pk], reason="Made up.", name="test")
    after, before = made.revisions.all()[:2]
    page = visit("/robots.txt", width=width, scheme=scheme, user=user)
    history = f"{site}/admin/agreements/agreement/{made.pk}/history/"
    for address in (
        history,
        f"{history}compare/?from={before.pk}&to={after.pk}",
        f"{history}{before.pk}/restore/",
        f"{site}/agreements/{made.slug}/changes/",
    ):
        page.goto(address)
        assert accessibility_faults(page) == "", address


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_the_worklists_and_the_import_are_accessible_within_the_policy_and_fit(
    visit, site, django_user_model, settings, tmp_path, scheme, width
):
    settings.MEDIA_ROOT = tmp_path
    record = json.loads(SHIPPED.read_text())["agreements"][0] | {"summary": "Made up."}
    good, bad = tmp_path / "good.json", tmp_path / "bad.csv"
    good.write_text(json.dumps({"format": FORMAT, "agreements": [record]}))
    bad.write_text("made,up\n1,2\n")
    user = django_user_model.objects.create_superuser("made-up-admin")
    page = visit("/admin/", scheme=scheme, width=width, user=user)

    def looked_at(heading):
        assert page.get_by_role("heading", name=heading).count(), heading
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (heading, wide)
        assert page.complaints == [], heading
        faults = accessibility_faults(page)
        page.complaints.clear()
        assert faults == "", heading

    def upload(file):
        page.goto(f"{site}/admin/agreements/agreement/import/")
        page.get_by_label("File:").set_input_files(file)
        follow(page.get_by_role("button", name="Show what would change"))

    looked_at("Worklists")
    page.goto(f"{site}/admin/agreements/agreement/import/")
    looked_at("Import")
    upload(bad)
    looked_at("Nothing was imported")
    upload(good)
    looked_at("Import this")
    page.get_by_label("Reason:").fill("Made up")
    follow(page.get_by_role("button", name="Import now"))
    looked_at("Imported")
