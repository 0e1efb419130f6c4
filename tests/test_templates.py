"""No page shows a name that nobody gave it, nor Python's own words for an object."""

import datetime
import json
import re
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template import Node, Variable, engines
from django.template.base import FilterExpression
from django.template.defaulttags import CsrfTokenNode, ForNode, WithNode
from django.template.loader_tags import IncludeNode
from django.template.smartif import TokenBase
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from agreements import exports, releases, workflow
from agreements.admin import imports
from agreements.admin.background import Outcome, Teller
from agreements.importer import FORMAT
from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    PendingImport,
    ProductCategory,
)
from agreements.record.after_change import record_change
from tests import make
from tests.made_up_key import Key
from tests.signing_in import PASSWORD, SECRET

pytestmark = pytest.mark.django_db

DESK = "/admin/agreements/"

#: Python's words for an object: `<Agency: HSA>`, a list of them, a function, a set.
PYTHON = re.compile(
    r"(?:&lt;|<)(?:[A-Z]\w+: |(?:[\w.]+ )?object at 0x|function |bound method |QuerySet )"
    r"|\[(?:&lt;|&#x27;)|object at 0x|functools\.partial|dict_(?:keys|values|items)\("
)


@pytest.fixture(autouse=True)
def undefined_names_show(monkeypatch):
    monkeypatch.setattr(engines["django"].engine, "string_if_invalid", "¿%s?")


def twice_or_to_nothing(text):
    """What a page says twice and may say once, and the references to no element of it."""
    ids = re.findall(r'\bid="([^"]*)"', text)
    once = [*ids, *re.findall(r'(rel="canonical"|name="robots"|property="og:url")', text)]
    referred = re.findall(r'\b(?:aria-describedby|aria-labelledby|for)="([^"]*)"', text)
    nowhere = {each for listed in referred for each in listed.split()} - set(ids)
    return {f"{each} twice" for each in once if once.count(each) > 1} | nowhere


class Visitor:
    """A test client that looks at each page it is shown, and keeps which kinds it has seen."""

    def __init__(self, client):
        self.client, self.seen, self.faults = client, set(), []

    def get(self, address, status=200):
        return self._looked_at(address, self.client.get(address), status)

    def post(self, address, data=(), status=200):
        return self._looked_at(address, self.client.post(address, dict(data)), status)

    def _looked_at(self, address, response, status):
        assert response.status_code == status, (address, response.status_code)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        text = body.decode()
        if status != 404:
            self.seen.add(response.resolver_match.view_name)
        found = set(re.findall(r"¿(.*?)\?", text)) - ALLOWED.keys()
        found |= {text[match.start() : match.start() + 60] for match in PYTHON.finditer(text)}
        # The pages of the desk have references of Django's own.
        found |= set() if address.startswith("/admin/") else twice_or_to_nothing(text)
        self.faults += [f"{address}: {each}" for each in sorted(found)]
        return response


def pages(patterns, space=""):
    """The name of each address that is a page: what has no ending."""
    for pattern in patterns:
        if not isinstance(pattern, URLPattern):
            inner = f"{pattern.namespace}:" if pattern.namespace else space
            yield from pages(pattern.url_patterns, inner)
        elif pattern.name and not re.search(r"\.\w+$", str(pattern.pattern)):
            yield space + pattern.name


#: What a template of Django's asks for and is not given, with that template: a form of ours leaves
#: the field out. None of our own templates may use such a name.
ALLOWED = {
    f"form.usable_password{part}": "admin/auth/user/change_password.html"
    for part in ("", ".errors", ".label_tag")
}


@pytest.mark.shipped
def test_no_public_page_shows_an_undefined_name_or_an_object(client, settings, tmp_path):
    settings.RELEASES_ROOT = tmp_path
    first = datetime.date(2026, 11, 24)
    releases.build(first, "https://register.example")
    gone, moved = make.agreement(slug="made-up-gone"), make.agreement(slug="made-up-merged")
    withdrawn = {
        "withdrawal_reason": "Made up.",
        "withdrawn_on": first,
        "first_published_at": timezone.now(),
    }
    make.agreement(
        slug="made-up-withdrawn",
        state="withdrawn",
        withdrawal_kind="published_in_error",
        **withdrawn,
    )
    changed = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    for row in (gone, changed):
        record_change([row.pk], reason="Made up.", name="somebody")
    Agreement.objects.filter(pk=changed.pk).update(summary="Made-up summary.")
    record_change([changed.pk], reason="Made up.", name="somebody")
    Agreement.objects.filter(pk=gone.pk).update(
        state="withdrawn", withdrawal_kind="merged", merged_into=moved, **withdrawn
    )
    releases.build(first + datetime.timedelta(days=1), "https://register.example")
    register = Agreement.objects.register()
    records = [
        "hsa-mhlw-moc-2026",
        *register.filter(detail_level="list_entry").values_list("slug", flat=True)[:2],
        register.filter(provisions=None, detail_level="described").values_list("slug", flat=True)[
            0
        ],
        "access-consortium",
        "asean-gmp-mra-2009",
        "fda-hsa-medical-products-working-group",
        register.exclude(original_title="").values_list("slug", flat=True)[0],
    ]
    with_parent = Agency.objects.register().exclude(parent=None).values_list("key", flat=True)
    without = Agency.objects.register().filter(parent=None).values_list("key", flat=True)
    visitor = Visitor(client)
    for address in (
        "/",
        "/agreements/",
        "/agreements/?page=2",
        "/agreements/?q=gmp+inspection&stage=manufacturing",
        "/agreements/?as_of=2011-01-01&country=SG&expand=country",
        "/agreements/?q=zyxwvu",
        *(f"/agreements/{slug}/" for slug in records),
        "/agreements/made-up-gone/",
        "/agreements/hsa-mhlw-moc-2026/?as_of=2011-01-01",
        "/agreements/hsa-mhlw-moc-2026/changes/",
        "/agreements/access-consortium/changes/",
        "/agencies/",
        *(f"/agencies/{key}/" for key in (*with_parent, *without[:10])),
        "/agencies/pmda/?as_of=2011-01-01",
        "/coverage/",
        "/coverage/?country=SG",
        "/coverage/?product=medicines",
        "/coverage/?agency=hsa",
        "/coverage/?agency=hsa&by=country&as_of=2015-01-01",
        "/coverage/?country=JP&by=country",
        "/coverage/?country=SG&product=medicines",
        "/coverage/hsa/mfds/",
        "/coverage/hsa/mfds/?as_of=2011-01-01",
        "/coverage/hsa/mhlw/",
        "/coverage/hsa/pmda/",
        "/coverage/tga/hsa/",
        "/data/",
        "/data/dictionary/",
        "/data/loading/",
        "/data/releases/",
        "/data/releases/2026-11-24/",
        "/data/releases/2026-11-25/",
        "/about/",
    ):
        visitor.get(address)
    for address, status in (
        ("/agreements/?signed_after=banana", 400),
        ("/agreements/?participant=nobody&colour=red", 400),
        ("/agreements/?page=999", 404),
        ("/agreements/made-up-withdrawn/", 410),
        ("/agreements/hsa-mhlw-moc-2026/?as_of=banana", 400),
        ("/coverage/?agency=nobody", 400),
        ("/coverage/?by=colour", 400),
        ("/agencies/nobody/", 404),
        ("/nowhere/", 404),
    ):
        visitor.get(address, status)
    assert visitor.faults == []
    files = {"release-latest", "release-zip", "sitemap"}
    assert set(pages(get_resolver("agreements.urls").url_patterns)) - files <= visitor.seen


@pytest.fixture
def at_once(monkeypatch):
    """The work of an import in the test's own thread, and so in its transaction."""

    def worked(work):
        outcome = Outcome()
        try:
            outcome.result = work(Teller())
        except Exception as error:
            outcome.error = error
        yield "Made-up line"
        return outcome

    monkeypatch.setattr(imports, "in_background", worked)


@pytest.mark.slow
def test_no_page_of_the_desk_shows_an_undefined_name_or_an_object(
    admin_client, admin_user, at_once, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    visitor = Visitor(admin_client)
    visit_nouns(visitor)
    visit_records(visitor, admin_user)
    visit_imports(visitor)
    visitor.get("/admin/nowhere/", 404)
    assert visitor.faults == []
    no_pages = {"login", "logout", "autocomplete", "jsi18n", "view_on_site"}
    # Shadowed by the page of the sign-in.
    no_pages |= {"password_change", "password_change_done"}
    no_pages |= {"agreements_import_cancel", "agreements_revision_add"}
    desk = get_resolver("moctracker.urls").url_patterns[2]
    assert desk.namespace == "admin"
    assert set(pages([desk])) - {f"admin:{name}" for name in no_pages} <= visitor.seen


def visit_nouns(visitor):
    """The index, and the pages of every noun but agreements."""
    visitor.get("/admin/")
    for app in ("agreements", "auth"):
        visitor.get(f"/admin/{app}/")
    area = CooperationArea.objects.create(code="made-up", name="Made-up")
    product = ProductCategory.objects.create(code="made-up", name="Made-up")
    person = User.objects.create_user("other", is_staff=True)
    deletable = [make.agency(), Group.objects.create(name="Made-up role")]
    for row in (area, product, person, *deletable):
        noun = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        for page in ("", "?q=a", "add/", f"{row.pk}/change/", f"{row.pk}/history/"):
            visitor.get(noun + page)
        visitor.get(f"{noun}{row.pk}/delete/", 200 if row in deletable else 403)
        visitor.post(f"{noun}add/")
        visitor.post(f"{noun}{row.pk}/change/")
    visitor.get(f"/admin/auth/user/{person.pk}/password/")
    visitor.post(f"/admin/auth/user/{person.pk}/password/")


def a_record(state, **fields):
    """A record with a row of most kinds."""
    row = make.agreement(
        state=state,
        signed_on="2020",
        summary="Made up.",
        milestones=[("entered_into_force", "2021", "2030")],
        participants=[make.agency(), make.agency()],
        **fields,
    )
    make.provision(row, products=["medicines"], source=make.source(row))
    record_change([row.pk], reason="Created", name="somebody")
    row.refresh_from_db()
    return row


def visit_records(visitor, user):
    """Records in every state, their forms, moves, previews and histories."""
    withdrawal = {
        "withdrawal_kind": "published_in_error",
        "withdrawal_reason": "Made up.",
        "withdrawn_on": datetime.date(2026, 11, 1),
    }
    revised = a_record("published")
    copy = workflow.begin_working_copy(revised.pk, revised.lock_version, user)
    for row in (copy, revised):
        Agreement.objects.filter(pk=row.pk).update(summary=f"Made-up {row.pk}.")
        record_change([row.pk], reason="Edited", name="somebody")
    bare = make.agreement(state="draft", title="Made-up bare draft")
    drafts = [a_record("draft"), bare, copy]
    published = [a_record("published", unchecked_because="Alone.", published_by=user), revised]
    others = [a_record("in_review"), a_record("withdrawn", **withdrawal), *published]
    noun = "/admin/agreements/agreement/"
    for page in ("", "?q=made", "?q=zyxwvu", "add/"):
        visitor.get(noun + page)
    for worklist, _ in visitor.get("/admin/").context["worklists"]:
        visitor.get(f"{noun}?worklist={worklist.name}")
    visitor.post(f"{noun}add/")
    for row in drafts + others:
        visitor.get(f"{noun}{row.pk}/change/")
        visitor.get(f"{noun}{row.pk}/history/")
        row.refresh_from_db()
        for move in workflow.moves_open_to(row, user):
            if move != workflow.Move.BEGIN:
                visitor.get(f"{noun}{row.pk}/move/{move}/")
                visitor.post(f"{noun}{row.pk}/move/{move}/")
    earlier = {"lock_version": drafts[0].lock_version - 1}
    visitor.post(f"{noun}{drafts[0].pk}/move/submit/", earlier, 409)
    visitor.get(f"{noun}{bare.pk}/delete/")
    visitor.get(f"{noun}{copy.pk}/delete/", 403)
    visitor.get(f"{noun}{bare.pk}/move/approve/", 409)
    visitor.get(f"{noun}0/move/approve/", 404)
    for row in drafts:
        visitor.get(f"{noun}{row.pk}/preview/")
        visitor.post(f"{noun}{row.pk}/change/")
    last, first = revised.revisions.all()[:2]
    visitor.get(f"{noun}{revised.pk}/history/compare/?from={first.pk}&to={last.pk}")
    visitor.get(f"{noun}{revised.pk}/history/{first.pk}/restore/")
    visitor.get(f"{noun}{drafts[0].pk}/history/{drafts[0].revisions.get().pk}/restore/")
    visitor.get("/admin/agreements/revision/")
    for page in ("change", "history", "delete"):
        visitor.get(
            f"/admin/agreements/revision/{last.pk}/{page}/", 403 if page == "delete" else 200
        )


def visit_imports(visitor):
    """A file that is refused, one that would change something, and one that was imported."""
    upload = "/admin/agreements/agreement/import/"
    visitor.get(upload)
    visitor.post(upload)

    def sent(*records):
        document = json.dumps({"format": FORMAT, "agreements": records}).encode()
        file = SimpleUploadedFile("made-up.json", document)
        return visitor.client.post(upload, {"file": file}).url

    visitor.get(sent({"slug": "made-up"}))
    known = exports.record(a_record("published"))
    address = sent(known | {"summary": "Otherwise."}, known | {"slug": "made-up-import"})
    visitor.post(f"{address}apply/", {"reason": "Not looked at."})
    visitor.get(address)
    visitor.post(f"{address}apply/")
    visitor.post(f"{address}apply/", {"reason": "Made up."})
    visitor.get(sent(known | {"summary": "Otherwise."}))
    gone = sent(known)
    PendingImport.objects.latest("pk").file.delete()
    visitor.get(gone)


def test_no_page_of_the_sign_in_shows_an_undefined_name_or_an_object(client, db):
    person = User.objects.create_superuser("somebody", password=PASSWORD)
    visitor = Visitor(client)
    sign_in, account = "/admin/login/", "/admin/account/"
    factors = f"{account}factors/"
    visitor.get(sign_in)
    visitor.post(sign_in, {"login": "somebody", "password": "wrong"})
    client.post(sign_in, {"login": "somebody", "password": PASSWORD})
    visitor.get("/admin/logout/")
    visitor.get(f"{account}confirm/")
    visitor.post(f"{account}confirm/", {"password": "wrong"})
    for page in ("", "app/", "keys/", "keys/add/"):
        visitor.get(factors + page)
    visitor.get("/admin/password_change/")
    visitor.post("/admin/password_change/")
    visitor.post(f"{factors}app/", {"code": "1"})
    visitor.post(f"{factors}keys/add/", {"credential": "{}"})
    visitor.get(f"{factors}keys/add/")
    key = {"credential": json.dumps(Key().created(client)), "name": "Made-up key"}
    client.post(f"{factors}keys/add/", key)
    visitor.get(f"{account}confirm/key/")
    TOTP.activate(person, SECRET)
    RecoveryCodes.activate(person)
    visitor.get(f"{account}confirm/code/")
    visitor.post(f"{account}confirm/code/", {"code": "1"})
    pk = Authenticator.objects.get(type="webauthn").pk
    for page in ("", "app/remove/", "keys/", f"keys/{pk}/", f"keys/{pk}/remove/"):
        visitor.get(factors + page)
    for page in ("codes/", "codes/generate/"):
        visitor.get(factors + page)
    visitor.client = Client()
    visitor.client.post(sign_in, {"login": "somebody", "password": PASSWORD})
    visitor.get(f"{sign_in}factor/")
    visitor.post(f"{sign_in}factor/", {"code": "1"})
    visitor.client = Client()
    for _ in range(9):
        visitor.client.post(sign_in, {"login": "somebody", "password": "wrong"})
    visitor.post(sign_in, {"login": "somebody", "password": PASSWORD}, 429)
    assert visitor.faults == []
    assert set(pages(get_resolver("agreements.sign_in.urls").url_patterns)) - {
        "mfa_download_recovery_codes"
    } <= (visitor.seen)


# --- What each partial takes ----------------------------------------------------------------------

#: What a partial can do without. Everything else that it uses, it is given.
OPTIONAL = {
    "_breadcrumbs.html": {"above", "above_url", "parent", "parent_url"},
    "admin/agreements/agreement/_record_breadcrumbs.html": {"is_history"},
    "agreements/coverage/_coverage_legend.html": {"open"},
    "agreements/record/_fact.html": {"body", "value", "events", "participants"},
    "agreements/list/_filter_facet.html": {"above", "form", "open"},
    "agreements/list/_filter_text.html": {"hint_id"},
    "agreements/list/_filter_select.html": {"empty"},
    "agreements/list/_list_downloads.html": {"filters"},
    "agreements/list/_pagination.html": {"question"},
    "agreements/record/_timeline_event.html": {"open", "to_come"},
}


def inside(part):
    """A part of a parsed template, and all that is in it."""
    yield part
    if isinstance(part, dict):
        part = list(part.values())
    elif isinstance(part, FilterExpression):
        part = [part.var, part.filters]
    elif isinstance(part, (Node, TokenBase)):
        part = list(vars(part).values())
    if isinstance(part, (list, tuple)):
        for each in part:
            yield from inside(each)


def used(nodes):
    """The names that a template asks for and does not make itself."""
    asked, made = set(), {"True", "False", "None", "block", "forloop"}
    for part in inside(nodes):
        if isinstance(part, Variable) and part.lookups:
            asked.add(part.lookups[0])
        elif isinstance(part, CsrfTokenNode):
            asked.add("csrf_token")
        elif isinstance(part, ForNode):
            made.update(part.loopvars)
        elif isinstance(part, WithNode):
            made.update(part.extra_context)
        elif isinstance(part, Node):
            made |= {getattr(part, name, None) for name in ("asvar", "target_var", "name")}
    return asked - made


def test_an_include_gives_a_partial_what_it_uses_and_nothing_else():
    engine, folder = engines["django"].engine, settings.BASE_DIR / "templates"
    wrong, seen = [], 0
    for path in sorted(folder.rglob("*.html")):
        name = str(path.relative_to(folder))
        for node in inside(engine.get_template(name).nodelist):
            if not isinstance(node, IncludeNode):
                continue
            seen += 1
            told, given = f"{name}: {node.token.contents}", set(node.extra_context)
            if not node.isolated_context:
                wrong.append(f"{told} does not say only")
            # The name of a partial may itself be given: then it is another one each time.
            if isinstance(node.template.var, str):
                uses = used(engine.get_template(node.template.var).nodelist)
                spared = OPTIONAL.get(node.template.var, set())
                wrong += [f"{told} gives {each} in vain" for each in sorted(given - uses)]
                wrong += [f"{told} lacks {each}" for each in sorted(uses - spared - given)]
    assert wrong == []
    assert seen > 300


def test_what_djangos_own_templates_lack_is_asked_for_by_none_of_ours():
    engine, folder = engines["django"].engine, settings.BASE_DIR / "templates"
    for name, template in ALLOWED.items():
        source = Path(engine.get_template(template).origin.name)
        assert folder not in source.parents
        assert name in source.read_text()
        assert not [path for path in folder.rglob("*.html") if name in path.read_text()]
