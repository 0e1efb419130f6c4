"""The forms of the desk in a real browser: accessible, by keyboard, on a narrow screen."""

from functools import partial

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from agreements.exports import record
from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    Evidence,
    Milestone,
    Outcome,
    ProductCategory,
    Provision,
    Relation,
    Signatory,
    Source,
)
from agreements.record.after_change import record_change
from tests import make
from tests.desk import change_of
from tests.looks import accessibility_faults, follow, following

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADD = "/admin/agreements/agreement/add/"


@pytest.fixture
def desk(visit):
    """Opens pages of the desk as somebody who has signed in."""
    return partial(visit, user=get_user_model().objects.create_superuser("typist"))


@pytest.fixture
def long_record(desk):
    made = make.agreement(state="draft", signed_city="Tokyo")
    source = make.source(made)
    for number in range(40):
        make.provision(made, products=["medicines"], position=number, source=source)
    record_change([made.pk], reason="Made for a test", name="a colleague")
    made.refresh_from_db()
    return made


def is_accessible(page, scheme="light"):
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    assert accessibility_faults(page, scheme) == ""
    # Axe adds a style of its own, which the policy blocks.
    page.complaints.clear()


def save(page, name="_save"):
    follow(page.locator(f'.submit-row input[name="{name}"]').last)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_forms_are_accessible_also_when_they_come_back(desk, long_record, scheme, width):
    page = desk(ADD, scheme=scheme, width=width)
    is_accessible(page, scheme)
    save(page)  # no title
    assert page.title().startswith("Error:")
    expect(page.locator(".desk-head")).to_be_focused()
    is_accessible(page, scheme)
    page.locator(".desk-head a").first.click()
    expect(page.locator("#id_title")).to_be_focused()

    page = desk(change_of(long_record), scheme=scheme, width=width)
    is_accessible(page, scheme)
    Agreement.objects.filter(pk=long_record.pk).update(signed_city="Osaka")
    Agreement.objects.filter(pk=long_record.pk).update(lock_version=7)
    page.fill("#id_signed_city", "Kyoto")
    save(page)
    assert "a colleague saved this record" in page.inner_text(".desk-head")
    assert "Osaka" in page.inner_text(".desk-head table")
    is_accessible(page, scheme)
    page.fill("#id_signed_on", "2199")
    save(page)
    assert "is in the future" in page.inner_text(".desk-head")
    is_accessible(page, scheme)
    page.check("#id_confirmed")
    save(page, "_continue")
    assert page.url.endswith("#section-signature-and-term")
    long_record.refresh_from_db()
    assert (long_record.signed_city, long_record.signed_on.iso) == ("Kyoto", "2199")


SECTIONS = {
    "sources": ("source", ["number", "kind", "publisher", "title", "published_on"]),
    "participations": ("participant", ["agency"]),
    "signatories": (
        "signatory",
        ["capacity", "honorific", "name", "post", "agency", "acted_for", "note"],
    ),
    "provisions": (
        "provision",
        ["area", "depth", "commitment", "products", "statement", "source", "locator", "direction"],
    ),
    "relations": ("relation", ["kind", "target", "source"]),
    "outcomes": (
        "outcome",
        ["statement", "qualifier", "figure", "unit", "stage", "products", "source"],
    ),
    "milestones": ("milestone", ["kind", "date", "note", "source"]),
    "evidence": ("piece of evidence", ["topic", "statement", "verbatim", "source"]),
}
#: What stands in the boxes of a new row before anything is typed.
AS_IT_STANDS = {"kind": "official", "source": 1}
REACHED = """id => {
    const field = document.getElementById(id), active = document.activeElement;
    const stand = field && field.nextElementSibling;
    return active === field || Boolean(
        field && field.classList.contains("select2-hidden-accessible") && stand.contains(active));
}"""


def labels_of_everything():
    """What a person would type or see for each code of the record."""
    labels = {row.key: row.name for row in Agency.objects.all()} | {
        row.code: row.name
        for row in [*CooperationArea.objects.all(), *ProductCategory.objects.all()]
    }
    labels |= {
        "jsepa-2002": Agreement.objects.get(slug="jsepa-2002").title[:40],
        "hsa-mhlw-pmda-information-exchange-2010": Agreement.objects.get(
            slug="hsa-mhlw-pmda-information-exchange-2010"
        ).title[:60],
    }
    for prefix, model, name in (
        ("sources", Source, "kind"),
        ("signatories", Signatory, "capacity"),
        ("provisions", Provision, "depth"),
        ("provisions", Provision, "commitment"),
        ("provisions", Provision, "direction"),
        ("relations", Relation, "kind"),
        ("outcomes", Outcome, "stage"),
        ("milestones", Milestone, "kind"),
        ("evidence", Evidence, "topic"),
    ):
        labels[prefix, name] = dict(model._meta.get_field(name).choices)
    return labels


class Typist:
    """Works a form by keyboard alone, and counts the strokes."""

    def __init__(self, page):
        self.page, self.strokes, self.fields = page, 0, 0

    def press(self, key):
        self.page.keyboard.press(key)
        self.strokes += 1

    def type(self, text):
        self.page.keyboard.insert_text(text) if not text.isascii() else self.page.keyboard.type(
            text
        )
        self.strokes += len(text)

    def go_to(self, name):
        for _ in range(120):
            if self.page.evaluate(REACHED, f"id_{name}"):
                self.fields += 1
                return
            self.press("Tab")
        raise AssertionError(f"{name} is not reached by the Tab key")

    def add(self, noun):
        """Tab to "Add another ..." of these rows; the new row has the focus."""
        for _ in range(120):
            text = self.page.evaluate("document.activeElement.innerText")
            if text.casefold() == f"add another {noun}":
                self.press("Enter")
                return
            self.press("Tab")
        raise AssertionError(f"no row of {noun} can be added by keyboard")

    def fill(self, name, text):
        self.go_to(name)
        self.type(text)

    def choose(self, name, label):
        """Type-ahead in a select."""
        self.fill(name, label)

    def find(self, name, term):
        """Type into what finds by name, and take the first that is offered."""
        self.go_to(name)
        if not self.page.evaluate(f"document.getElementById('id_{name}').multiple"):
            self.press("Space")
        self.type(term)
        self.page.wait_for_selector(".select2-results__option--highlighted:not(.loading-results)")
        # Not wait_for_function: the policy of the page forbids what it does.
        offered = "document.querySelector('.select2-results__option--highlighted').innerText"
        for _ in range(100):
            if term in self.page.evaluate(offered):
                break
            self.page.wait_for_timeout(50)
        self.press("Enter")


def typed_row(typist, prefix, number, names, row, labels):
    for name in names:
        value, at = row[name], f"{prefix}-{number}-{name}"
        if value in (None, "", False, []) or (
            prefix != "relations" and AS_IT_STANDS.get(name) == value and name == "kind"
        ):
            continue
        if name == "source" and prefix == "provisions" and number:
            continue  # It is that of the row above.
        if name in ("agency", "area", "target"):
            typist.find(at, labels[value])
        elif name == "products":
            for code in value:
                typist.find(at, labels[code])
        elif name == "verbatim":
            typist.go_to(at)
            typist.press("Space")
        elif (prefix, name) in labels:
            typist.choose(at, labels[prefix, name][value])
        else:
            typist.fill(at, str(value))


def test_the_reference_record_is_typed_from_its_announcement_by_keyboard_alone(desk, capsys):
    told = record(Agreement.objects.with_related().get(slug="hsa-mhlw-moc-2026"))
    labels = labels_of_everything()
    Agreement.objects.filter(slug=told["slug"]).delete()
    page = desk(ADD)
    typist = Typist(page)
    for name in ("title", "short_title"):
        typist.fill(name, told[name])
    typist.go_to("slug")
    typist.press("Control+a")
    typist.type(told["slug"])
    typist.choose("instrument_type", "Memorandum of Coop")
    typist.fill("instrument_title", told["instrument_title"])

    def rows(prefix):
        noun, names = SECTIONS[prefix]
        for number, row in enumerate(told[prefix]):
            typist.add(noun)
            typed_row(typist, prefix, number, names, row, labels)

    rows("sources")
    rows("participations")
    rows("signatories")
    typist.fill("signed_on", "20 April 2026")
    typist.fill("signed_city", "Tokyo")
    typist.fill("signed_country", "Japan")
    typist.fill("summary", told["summary"])
    typist.fill("areas_stated", told["areas_stated"])
    for code in told["products"]:
        typist.find("products", labels[code])
    for prefix in ("provisions", "relations", "outcomes", "milestones", "evidence"):
        rows(prefix)
    typist.fill("source_notes", told["source_notes"])
    typist.go_to("reason")
    with following(page):
        typist.press("Enter")
    assert page.locator(".desk-head").count() == 0, page.inner_text(".desk-head")
    made = Agreement.objects.with_related().get(slug=told["slug"])
    assert record(made) == told
    with capsys.disabled():
        print(f"\n{typist.fields} fields, {typist.strokes} strokes")
    # Seven strokes a second are forty words a minute for somebody who reads as well.
    assert typist.strokes < 10 * 60 * 14
