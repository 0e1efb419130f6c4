"""Entry at the desk: nobody overwrites anybody, nothing is saved twice, nothing typed is lost."""

import re
import uuid
from html import unescape
from unittest import mock

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agreements.admin.posted import in_order
from agreements.exports import record as export
from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    Milestone,
    Participation,
    ProductCategory,
    Provision,
    Revision,
)
from agreements.record.after_change import record_change
from agreements.workflow import begin_working_copy
from tests import make
from tests.desk import ADD, as_shown, change_of, errors_of, record, render_nothing, rows
from tests.signing_in import PASSWORD, SECRET, code_now, give_code, give_password

pytestmark = pytest.mark.django_db


def saving(response):
    assert response.status_code == 200, response.status_code
    return response.context["saving"]


def table(response):
    return {line.label: (line.text, line.theirs) for line in saving(response).conflict.differences}


@pytest.fixture
def draft(db):
    made = make.agreement(state="draft", signed_city="Tokyo", title="Made-up arrangement")
    source = make.source(made)
    make.provision(made, position=1, source=source)
    record_change([made.pk], reason="Made for a test", name="test")
    made.refresh_from_db()
    return made


@pytest.fixture
def colleague(db):
    """Another editor, with a browser of their own."""
    user = get_user_model().objects.create_user("colleague", is_staff=True)
    user.groups.add(Group.objects.get(name="editor"))
    client = Client()
    client.force_login(user)
    return client


# --- nobody overwrites anybody ---


def test_a_form_saved_as_it_was_shown_changes_nothing(admin_client, draft):
    before = Revision.objects.count()
    data = as_shown(admin_client.get(change_of(draft)))
    assert admin_client.post(change_of(draft), data).status_code == 302
    assert Revision.objects.count() == before


@pytest.mark.slow
@pytest.mark.shipped
def test_shipped_records_can_be_saved_as_their_working_copies_are_shown(admin_client, admin_user):
    """Whatever the form leaves out or writes in another way would show as a revision."""
    slugs = (
        "hsa-mhlw-moc-2026",
        "project-orbis",
        "fda-swissmedic-mra-2023",
        "thai-fda-tga-mou-2021",
    )
    for made in Agreement.objects.filter(slug__in=slugs):
        copy = begin_working_copy(made.pk, made.lock_version, admin_user)
        before = Revision.objects.count()
        response = admin_client.get(change_of(copy))
        answer = admin_client.post(change_of(copy), as_shown(response))
        assert answer.status_code == 302, (made, errors_of(answer), saving(answer).oddities)
        assert Revision.objects.count() == before


def test_lines_that_nobody_touched_are_not_changed_by_the_way_browsers_send_them(
    admin_client, draft
):
    data = as_shown(admin_client.get(change_of(draft))) | {"summary": "One.\r\nTwo."}
    assert admin_client.post(change_of(draft), data).status_code == 302
    draft.refresh_from_db()
    assert draft.summary == "One.\nTwo."


def test_who_saves_second_sees_both_and_overwrites_nothing(admin_client, colleague, draft):
    mine = as_shown(admin_client.get(change_of(draft)))
    theirs = as_shown(colleague.get(change_of(draft))) | {"signed_city": "Osaka"}
    assert colleague.post(change_of(draft), theirs).status_code == 302
    response = admin_client.post(change_of(draft), mine | {"signed_city": "Kyoto"})
    assert saving(response).conflict.by == "colleague"
    assert table(response) == {"City of signature": ("Kyoto", "Osaka")}
    html = response.content.decode()
    assert "colleague saved this record" in " ".join(html.split())
    assert 'value="Kyoto"' in html
    draft.refresh_from_db()
    assert draft.signed_city == "Osaka"
    # Saving what is now seen is deliberate.
    assert admin_client.post(change_of(draft), as_shown(response)).status_code == 302
    draft.refresh_from_db()
    assert draft.signed_city == "Kyoto"


def test_rows_a_colleague_added_and_deleted_are_told_and_the_form_holds_both(
    admin_client, colleague, draft
):
    mine = as_shown(admin_client.get(change_of(draft)))
    theirs = as_shown(colleague.get(change_of(draft)))
    theirs |= {"provisions-0-DELETE": "on", "provisions-TOTAL_FORMS": 2}
    area = CooperationArea.objects.get(code="joint-programmes")
    theirs |= {
        "provisions-1-area": area.pk,
        "provisions-1-depth": "work_sharing",
        "provisions-1-commitment": "agreed",
        "provisions-1-direction": "mutual",
        "provisions-1-statement": "They added this.",
        "provisions-1-source": "1",
    }
    answer = colleague.post(change_of(draft), theirs)
    assert answer.status_code == 302, errors_of(answer)
    response = admin_client.post(change_of(draft), mine | {"provisions-0-statement": "I keep it."})
    told = table(response)
    assert told["Provision 1"][0] == "not there"
    assert told["Provision 1"][1].startswith("added: Joint international programmes")
    assert told["Provision 2"][1] == "deleted"
    again = admin_client.post(change_of(draft), as_shown(response))
    assert again.status_code == 302, errors_of(again)
    statements = set(draft.provisions.values_list("statement", flat=True))
    assert statements == {"They added this.", "I keep it."}


def test_what_differs_is_told_in_words_with_links_to_the_fields(admin_client, colleague, draft):
    """Agencies and terms by name, dates as people write them, what no field takes as typed."""
    party, other = make.agency(name="Made-up Party"), make.agency(name="Made-up Other")
    Participation.objects.create(agreement=draft, agency=party, position=1)
    make.provision(draft, position=2, source=draft.sources.get(), statement="Second.")
    record_change([draft.pk], reason="Made for a test", name="test")
    mine = as_shown(admin_client.get(change_of(draft)))
    theirs = dict(mine)
    medicines, devices = (
        ProductCategory.objects.get(code=code).pk for code in ("medicines", "medical-devices")
    )
    theirs |= {"products": [medicines, devices], "signed_on": "May 2010"}
    theirs |= {"participations-0-agency": other.pk, "provisions-0-position": 3}
    theirs |= {"signed_country": "Japan"}
    answer = colleague.post(change_of(draft), theirs)
    assert answer.status_code == 302, errors_of(answer)
    mine |= {"signed_on": "banana\0", "products": [medicines], "provisions-1-DELETE": "on"}
    response = admin_client.post(change_of(draft), mine)
    names = {each.code: str(each) for each in ProductCategory.objects.all()}
    assert table(response) == {
        "Date of signature": ("banana\N{REPLACEMENT CHARACTER}", "May 2010"),
        "Country of signature": ("empty", "Japan"),
        "Products in scope": (
            names["medicines"],
            f"{names['medicines']}, {names['medical-devices']}",
        ),
        "Participant 1, agency": (str(party), str(other)),
        "Provision 1": (
            "to be deleted",
            str(CooperationArea.objects.get(code="gmp-inspection-reliance")),
        ),
        "Order of provisions": ("1", "2, 3"),
    }
    html = response.content.decode()
    for line in saving(response).conflict.differences:
        assert f'href="#{line.target}"' in html
        assert re.search(rf'id="{line.target}"', html), line


def test_a_conflict_asks_the_database_no_more_for_a_long_record(admin_client, draft):
    """What is stored is read from the rows that the form has read anyway."""
    stale = {"lock_version": "0", "title": "Typed late"}
    short = as_shown(admin_client.get(change_of(draft))) | stale
    with CaptureQueriesContext(connection) as few:
        assert saving(admin_client.post(change_of(draft), short)).conflict
    for number in range(2, 30):
        make.provision(draft, products=["medicines"], position=number, source=draft.sources.get())
    long = as_shown(admin_client.get(change_of(draft))) | stale
    with CaptureQueriesContext(connection) as many:
        assert saving(admin_client.post(change_of(draft), long)).conflict
    assert len(many) <= len(few) + 5


@pytest.mark.parametrize(
    "stated",
    [
        None,
        "banana",
        *(
            pytest.param(stated, marks=pytest.mark.slow)
            for stated in ("", "-1", "999999", "9" * 400, "0\x00", "１")
        ),
    ],
)
def test_a_form_that_does_not_say_its_version_is_never_saved(admin_client, draft, stated):
    data = as_shown(admin_client.get(change_of(draft))) | {"title": "Forged"}
    del data["lock_version"]
    if stated is not None:
        data["lock_version"] = stated
    response = admin_client.post(change_of(draft), data)
    assert saving(response).conflict.unknown
    assert "did not say which version" in response.content.decode()
    draft.refresh_from_db()
    assert draft.title == "Made-up arrangement"


def test_what_two_people_typed_alike_is_no_conflict(admin_client, colleague, draft):
    mine = as_shown(admin_client.get(change_of(draft))) | {"signed_city": "Osaka"}
    theirs = as_shown(colleague.get(change_of(draft))) | {"signed_city": "Osaka"}
    assert colleague.post(change_of(draft), theirs).status_code == 302
    count = Revision.objects.count()
    assert admin_client.post(change_of(draft), mine).status_code == 302
    assert Revision.objects.count() == count


def test_what_was_typed_into_a_record_that_is_gone_is_offered_as_a_new_one(admin_client, draft):
    data = as_shown(admin_client.get(change_of(draft))) | {"title": "Typed for nothing?"}
    address = change_of(draft)
    Agreement.objects.filter(pk=draft.pk).delete()
    response = admin_client.post(address, data)
    assert saving(response).gone
    html = response.content.decode()
    assert 'value="Typed for nothing?"' in html
    assert f'action="{ADD}"' in html
    answer = admin_client.post(ADD, as_shown(response))
    assert answer.status_code == 302, errors_of(answer)
    made = Agreement.objects.get(title="Typed for nothing?")
    assert made.provisions.get().source == made.sources.get()


FORGED = [
    {"provisions-INITIAL_FORMS": "1000"},
    {"provisions-INITIAL_FORMS": "-1", "provisions-TOTAL_FORMS": "x"},
    {"provisions-TOTAL_FORMS": "9" * 50},
    {"provisions-0-id": "banana"},
    {"provisions-0-id": "9" * 40},
    {"provisions-0-id": "0\x00"},
    {"provisions-0-area": "banana"},
    {"provisions-0-area": "9" * 40},
    {"provisions-0-products": ["1", "banana", "\x00", "9" * 30]},
    {"provisions-0-source": "1e400"},
    {"provisions-0-source": "9" * 400},
    {"provisions-0-position": "9" * 400},
    {"sources-0-number": "-9"},
    {"signed_country": "\x00"},
    {"signed_country": "X" * 5000},
    {"merged_into": "\x00"},
    {"merged_into": "banana"},
    {"submission": "\x00" * 36},
    {"place": "javascript:alert(1)"},
    {"typed_by": "1:forged"},
    {"confirmed": "\x00"},
]


def test_a_forged_form_is_never_an_error(admin_client, draft, monkeypatch):
    shown = as_shown(admin_client.get(change_of(draft)))
    render_nothing(monkeypatch)
    post_forgeries(admin_client, draft, shown, FORGED[::4])


@pytest.mark.slow
def test_a_forged_form_is_answered_with_its_page(admin_client, draft):
    shown = as_shown(admin_client.get(change_of(draft)))
    post_forgeries(admin_client, draft, shown, FORGED)


def post_forgeries(admin_client, draft, shown, forgeries):
    """Each forgery is posted to change a record and to add one, and answered."""
    fresh = {key: value for key, value in shown.items() if key != "lock_version"}
    for forged in forgeries:
        for address, data in ((change_of(draft), shown), (ADD, fresh | {"slug": "forged"})):
            with transaction.atomic():
                answer = admin_client.post(address, data | forged)
                # So that each forgery meets the same record.
                transaction.set_rollback(True)
            assert answer.status_code in (200, 302), forged


def test_a_row_of_another_record_is_never_taken_over(admin_client, draft):
    other = make.agreement(state="draft")
    foreign = make.provision(other, statement="Not yours.")
    data = as_shown(admin_client.get(change_of(draft)))
    data |= {"provisions-0-id": foreign.pk, "provisions-0-statement": "Mine now."}
    admin_client.post(change_of(draft), data)
    foreign.refresh_from_db()
    assert (foreign.statement, foreign.agreement_id) == ("Not yours.", other.pk)


def test_a_colleagues_change_of_an_agency_is_not_overwritten(admin_client, colleague):
    agency = make.agency()
    mine = as_shown(admin_client.get(change_of(agency)))
    theirs = as_shown(colleague.get(change_of(agency))) | {"acronym": "THEIRS"}
    answer = colleague.post(change_of(agency), theirs)
    assert answer.status_code == 302, errors_of(answer)
    response = admin_client.post(change_of(agency), mine | {"acronym": "MINE"})
    assert saving(response).conflict.by == "colleague"
    assert table(response) == {"Acronym": ("MINE", "THEIRS")}
    agency.refresh_from_db()
    assert agency.acronym == "THEIRS"
    assert admin_client.post(change_of(agency), as_shown(response)).status_code == 302


def test_posted_rows_are_put_in_the_stored_order():
    """Known rows first as stored, theirs in their place, what is gone becomes new."""
    posted = [{"id": ["7"], "a": ["x"]}, {"id": [""], "a": ["new"]}, {"id": ["9"]}, {"id": ["5"]}]
    kept, new, gone = in_order(posted, [5, 6, 7], {6: {"id": ["6"]}})
    assert kept == [{"id": ["5"]}, {"id": ["6"]}, {"id": ["7"], "a": ["x"]}]
    assert new == [{"a": ["new"]}, {"gone": ["1"]}]
    assert gone == 1


# --- saved once ---


def test_a_double_click_adds_one_record_and_both_clicks_get_the_same_answer(admin_client):
    data = record(submission=str(uuid.uuid4()))
    first, second = admin_client.post(ADD, data), admin_client.post(ADD, data)
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]
    assert Agreement.objects.filter(title="Made-up memorandum").count() == 1


def test_a_double_click_changes_once(admin_client, draft):
    data = as_shown(admin_client.get(change_of(draft))) | {"title": "Once"}
    answers = [admin_client.post(change_of(draft), data) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    draft.refresh_from_db()
    assert draft.revisions.count() == 2
    # Going back and saving something else is another submission: it is not swallowed.
    response = admin_client.post(change_of(draft), data | {"title": "Twice"})
    assert table(response) == {"Title": ("Twice", "Once")}


# --- the session had ended ---


def signed_in(client, answer, *, code=None):
    """Go through the real sign-in from where a form was answered with it; the last address."""
    page = client.get(answer["Location"])
    assert "What you typed is kept" in page.content.decode()
    typed = {"login": "somebody", "password": PASSWORD}
    if "/login/" not in answer["Location"]:
        typed = {"code": code}
    while True:
        html = page.content.decode()
        into = page.wsgi_request.path
        if hidden := re.search(r'name="next"[^>]*value="([^"]*)"', html):
            typed["next"] = unescape(hidden[1])
        typed["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
        answer = client.post(into, typed)
        assert answer.status_code == 302, answer.content.decode()
        if "/login/factor/" not in answer["Location"]:
            return answer["Location"]
        page, typed = client.get(answer["Location"]), {"code": code}


@pytest.mark.parametrize("how", ["password", "password and code", "code set up since"])
def test_what_was_typed_comes_back_after_the_real_sign_in(draft, how):
    """The session ended, or a second factor was set up in another browser while it went on."""
    staff = get_user_model().objects.create_superuser("somebody", password=PASSWORD)
    if how == "password and code":
        TOTP.activate(staff, SECRET)
    client = Client()
    give_password(client)
    if how == "password and code":
        # Each code is good once; the present one is for later.
        give_code(client, code_now(ahead=1))
    client.handler.enforce_csrf_checks = True
    data = as_shown(client.get(change_of(draft)))
    data |= {"title": "Typed too late", "provisions-0-statement": "This too."}
    data["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
    if how == "code set up since":
        TOTP.activate(staff, SECRET)
    else:
        del client.cookies["sessionid"]
    answer = client.post(change_of(draft), data)
    assert answer.status_code == 302
    landed = signed_in(client, answer, code=code_now())
    assert landed == change_of(draft)
    response = client.get(landed)
    assert saving(response).restored
    html = response.content.decode()
    assert 'value="Typed too late"' in html
    assert "This too." in html
    assert "Nothing of it is saved yet" in html
    draft.refresh_from_db()
    assert draft.title == "Made-up arrangement"
    again = as_shown(response) | {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    assert client.post(change_of(draft), again).status_code == 302
    draft.refresh_from_db()
    assert draft.title == "Typed too late"
    # Given back once.
    assert not saving(client.get(change_of(draft))).restored


def test_what_was_typed_waits_until_a_required_factor_is_set_up(draft, settings):
    staff = get_user_model().objects.create_superuser("somebody", password=PASSWORD)
    client = Client()
    client.force_login(staff)
    data = as_shown(client.get(change_of(draft))) | {"title": "Typed too late"}
    settings.TWO_FACTORS_REQUIRED = True
    assert client.post(change_of(draft), data)["Location"] == "/admin/account/factors/"
    settings.TWO_FACTORS_REQUIRED = False
    assert 'value="Typed too late"' in client.get(change_of(draft)).content.decode()


def kept_by(client, data, address=ADD):
    session = client.session
    session["typed"] = {"path": address, "data": data}
    session.save()


def test_another_person_does_not_see_what_was_typed(admin_client, colleague):
    data = as_shown(admin_client.get(ADD)) | {"title": "Between us"}
    client = Client()
    client.post(ADD, data)
    kept_by(colleague, client.session["typed"]["data"])
    response = colleague.get(ADD)
    assert "Between us" not in response.content.decode()
    assert "typed" not in colleague.session


def test_who_may_only_read_gets_no_form_back(admin_user, draft, client):
    client.force_login(admin_user)
    data = as_shown(client.get(change_of(draft))) | {"title": "Typed too late"}
    late = Client()
    late.post(change_of(draft), data)
    typed = late.session["typed"]["data"]
    admin_user.is_superuser = False
    admin_user.save()
    admin_user.groups.set([Group.objects.get(name="viewer")])
    kept_by(client, typed, change_of(draft))
    response = client.get(change_of(draft))
    assert response.status_code == 200
    assert "Typed too late" not in response.content.decode()


@pytest.mark.parametrize("mark", ["", "1", "1:forged", "\x00"])
def test_strangers_cannot_fill_the_table_of_sessions(client, mark):
    response = client.post(ADD, record(typed_by=mark))
    assert response.status_code == 302
    assert "typed" not in client.session


def test_more_than_a_record_can_be_is_not_kept(admin_client):
    data = as_shown(admin_client.get(ADD)) | {"summary": "x" * 1_000_001}
    client = Client()
    response = client.post(ADD, data, follow=True)
    assert "typed" not in client.session
    assert "too long to be kept" in response.content.decode()


# --- entry ---


def provision(**fields):
    area = CooperationArea.objects.get(code="gmp-inspection-reliance")
    return {
        "area": area.pk,
        "depth": "reliance",
        "commitment": "agreed",
        "direction": "mutual",
        "statement": "Made up.",
    } | fields


def typed_sources(*numbers):
    return rows(
        "sources",
        *({"number": n, "kind": "official", "publisher": f"Publisher {n}"} for n in numbers),
    )


def test_one_save_does_it_all_new_sources_are_cited_by_their_numbers(admin_client):
    data = record(
        **typed_sources(2, ""),
        **rows(
            "provisions",
            provision(source=3),
            provision(source="", statement="Inherits."),
            provision(source=0, commitment="excluded", statement="None."),
            provision(source="", statement="Inherits none."),
        ),
        **rows("evidence", {"topic": "notes", "statement": "x", "source": 2}),
    )
    response = admin_client.post(ADD, data)
    asked = {odd.sentence for odd in saving(response).oddities}
    assert all("rests on no source" in sentence for sentence in asked)
    response = admin_client.post(ADD, data | {"confirmed": saving(response).digest})
    assert response.status_code == 302, errors_of(response)
    made = Agreement.objects.get(slug="made-up-memorandum")
    told = [(p.statement, p.source and p.source.number, p.position) for p in made.provisions.all()]
    assert told == [
        ("Made up.", 3, 1),
        ("Inherits.", 3, 2),
        ("None.", None, 3),
        ("Inherits none.", None, 4),
    ]
    assert made.evidence.get().source.publisher == "Publisher 2"


def test_a_wrong_number_is_an_error_on_its_field(admin_client):
    data = record(**typed_sources(1), **rows("provisions", provision(source=7)))
    errors = errors_of(admin_client.post(ADD, data))
    assert errors["provisions-0-source"] == "There is no source 7 above. Its sources: 1."


def test_a_stored_row_without_a_source_does_not_take_one(admin_client, draft):
    Provision.objects.filter(agreement=draft).update(position=5)
    make.provision(draft, position=6, statement="No source.")
    record_change([draft.pk], reason="Made for a test", name="test")
    data = as_shown(admin_client.get(change_of(draft)))
    assert data["provisions-0-source"] == "1"
    assert data["provisions-1-source"] == ""
    assert admin_client.post(change_of(draft), data | {"title": "New"}).status_code == 302
    assert Provision.objects.get(statement="No source.").source is None


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("Japan", "JP"),
        ("jp", "JP"),
        ("JPN", "JP"),
        ("european union", "EU"),
        ("EU", "EU"),
        ("Côte d'Ivoire", "CI"),
        ("cote d’ivoire", "CI"),
        ("South Korea", "KR"),
        ("Taiwan", "TW"),
        ("", ""),
    ],
)
def test_a_country_is_typed_by_its_name_or_its_code(admin_client, typed, code):
    response = admin_client.post(ADD, record(signed_country=typed))
    assert response.status_code == 302, errors_of(response)
    made = Agreement.objects.get(slug="made-up-memorandum")
    assert (made.signed_country.code or "") == code


def test_an_unknown_country_is_refused_by_what_was_typed(admin_client):
    errors = errors_of(admin_client.post(ADD, record(signed_country="Atlantis")))
    assert errors["signed_country"].startswith("“Atlantis” is not known.")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("May 2010", "2010-05"), ("2010-05", "2010-05"), ("13 May 2010", "2010-05-13")],
)
def test_a_date_is_typed_as_people_write_it(admin_client, typed, stored):
    assert admin_client.post(ADD, record(signed_on=typed)).status_code == 302
    assert Agreement.objects.get(slug="made-up-memorandum").signed_on.iso == stored


def test_a_date_that_can_be_read_in_two_ways_is_refused_with_a_hint(admin_client):
    errors = errors_of(admin_client.post(ADD, record(signed_on="13/05/2010")))
    assert "13 May 2010" in errors["signed_on"]


def offered(client, term, model="participation", field="agency"):
    response = client.get(
        "/admin/autocomplete/",
        {"term": term, "app_label": "agreements", "model_name": model, "field_name": field},
    )
    assert response.status_code == 200, response.status_code
    return [item["text"] for item in response.json()["results"]]


@pytest.mark.parametrize("term", ["HSA", "hsa", "health sciences", "ＨＳＡ"])
def test_an_agency_is_found_by_any_spelling(admin_client, term):
    assert str(Agency.objects.get(key="hsa")) in offered(admin_client, term)


def test_an_agency_is_found_in_its_own_script(admin_client):
    found = Agency.objects.exclude(native_name="").filter(native_language__in=("ja", "ko"))
    assert found.count() > 2
    for agency in found:
        assert str(agency) in offered(admin_client, agency.native_name[:4])


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("participation", "agency"),
        ("provision", "area"),
        ("provision", "products"),
        ("relation", "target"),
        ("agency", "parent"),
    ],
)
@pytest.mark.parametrize("term", ["'", "%", "x" * 5000, "\ud7ff", "🦄"])
def test_whatever_is_looked_for_is_answered(admin_client, model, field, term):
    offered(admin_client, term, model, field)


def test_who_may_not_see_the_register_is_offered_nothing(client):
    stranger = get_user_model().objects.create_user("stranger", is_staff=True)
    client.force_login(stranger)
    query = {"term": "HSA", "app_label": "agreements", "model_name": "participation"}
    response = client.get("/admin/autocomplete/", query | {"field_name": "agency"})
    assert response.status_code == 403


# --- what is odd ---


def party(agency, **fields):
    return {"agency": agency.pk, "role": "party", "signing_act": "signature"} | fields


def asked(client, **fields):
    response = client.post(ADD, record(**fields))
    if response.status_code == 302:
        return []
    assert errors_of(response) == {}
    assert not Agreement.objects.filter(slug="made-up-memorandum").exists()
    return [(odd.sentence, odd.place) for odd in saving(response).oddities]


def test_the_same_parties_at_about_the_same_time_are_a_likely_duplicate(admin_client):
    one, other, third = make.agency(), make.agency(), make.agency()
    there = make.agreement(participants=[one, other], signed_on="2020-05-30", title="Quite else")
    both = rows("participations", party(one), party(other))
    duplicate = ("The same participants signed this about then:", "signed_on")
    assert asked(admin_client, signed_on="20 June 2020", **both) == [duplicate]
    assert asked(admin_client, signed_on="2020", **both) == [duplicate]
    response = admin_client.post(ADD, record(signed_on="2020", **both))
    assert change_of(there) in response.content.decode()
    three = rows("participations", party(one), party(other), party(third))
    assert asked(admin_client, signed_on="20 June 2020", **three) == []


def test_the_same_parties_long_after_are_none(admin_client):
    one, other = make.agency(), make.agency()
    make.agreement(participants=[one, other], signed_on="2020-05-30", title="Quite else")
    both = rows("participations", party(one), party(other))
    assert asked(admin_client, signed_on="20 July 2020", **both) == []


def test_what_is_related_to_a_record_is_no_duplicate_of_it(admin_client):
    one, other = make.agency(), make.agency()
    there = make.agreement(participants=[one, other], title="Made-up memorandum")
    both = rows("participations", party(one), party(other))
    assert asked(admin_client, **both) == [("The same participants, a similar title:", "title")]
    renewal = rows("relations", {"kind": "renews", "target": there.pk})
    assert asked(admin_client, **both, **renewal) == []


def test_the_same_source_is_told_however_its_address_is_written(admin_client):
    make.source(make.agreement(), url="http://made-up.example/page/")
    source = {"kind": "press", "publisher": "x", "url": "https://made-up.example/page#part"}
    found = asked(admin_client, **rows("sources", source))
    assert found == [("The same source, the same address:", "sources-0-url")]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"signed_on": "2199"}, "signed_on"),
        (
            {"signed_on": "2012"}
            | typed_sources(1)
            | rows("milestones", {"kind": "entered_into_force", "date": "2011", "source": 1}),
            "milestones-0-date",
        ),
        (
            typed_sources(1)
            | rows(
                "milestones",
                {"kind": "term_set", "until": "2010", "source": 1},
                {"kind": "entered_into_force", "date": "2011", "source": 1},
            ),
            "milestones-0-until",
        ),
        (rows("milestones", {"kind": "announced", "date": "2011"}), "milestones-0-source"),
        (rows("outcomes", {"statement": "x"}), "outcomes-0-source"),
    ],
)
def test_what_is_odd_is_asked_about_and_never_refused(admin_client, fields, place):
    assert [where for _, where in asked(admin_client, **fields)] == [place]
    response = admin_client.post(ADD, record(**fields))
    assert f'href="#id_{place}"' in response.content.decode()
    confirmed = record(confirmed=saving(response).digest, **fields)
    assert admin_client.post(ADD, confirmed).status_code == 302


def test_dates_that_may_be_right_are_not_odd(admin_client):
    effect = {"kind": "entered_into_force", "date": "2012", "source": 1}
    fields = {"signed_on": "June 2012"} | typed_sources(1) | rows("milestones", effect)
    assert asked(admin_client, **fields) == []


def test_an_intention_without_its_source_is_asked_about_once(admin_client):
    found = asked(admin_client, **rows("provisions", provision(commitment="intended")))
    assert [where for _, where in found] == ["provisions-0-source"]


def test_a_confirmation_holds_for_exactly_what_was_confirmed(admin_client):
    odd = record(signed_on="2199")
    digest = saving(admin_client.post(ADD, odd)).digest
    more = odd | {"confirmed": digest} | rows("outcomes", {"statement": "x"})
    response = admin_client.post(ADD, more)
    assert {odd.place for odd in saving(response).oddities} == {"signed_on", "outcomes-0-source"}


def test_what_was_confirmed_is_not_asked_again_while_it_stands(admin_client):
    odd = record(signed_on="2199")
    digest = saving(admin_client.post(ADD, odd)).digest
    assert admin_client.post(ADD, odd | {"confirmed": digest}).status_code == 302
    made = Agreement.objects.get(slug="made-up-memorandum")
    data = as_shown(admin_client.get(change_of(made)))
    assert admin_client.post(change_of(made), data | {"title": "Else"}).status_code == 302
    data = as_shown(admin_client.get(change_of(made))) | {"signed_on": "2198"}
    assert saving(admin_client.post(change_of(made), data)).oddities


# --- the page ---


def test_errors_stand_at_the_head_with_links_to_their_fields(admin_client, draft):
    data = as_shown(admin_client.get(change_of(draft)))
    data |= {"title": "", "provisions-0-depth": "", "signed_on": "banana"}
    response = admin_client.post(change_of(draft), data)
    html = response.content.decode()
    for target in ("id_title", "id_provisions-0-depth", "id_signed_on"):
        assert f'href="#{target}"' in html
        assert f'id="{target}"' in html
    assert "Error:" in html.partition("</title>")[0]


def test_to_go_on_editing_is_to_go_on_where_one_was(admin_client, draft):
    data = as_shown(admin_client.get(change_of(draft)))
    data |= {"_continue": "1", "place": "section-provisions"}
    assert admin_client.post(change_of(draft), data)["Location"].endswith("#section-provisions")
    data = as_shown(admin_client.get(change_of(draft))) | {"_continue": "1", "place": "//evil"}
    assert "evil" not in admin_client.post(change_of(draft), data)["Location"]


def test_the_form_follows_an_announcement(admin_client):
    sections = [each["key"] for each in admin_client.get(ADD).context["sections"]]
    assert sections[:10] == [
        "",
        "The instrument",
        "sources",
        "participations",
        "signatories",
        "Signature and term",
        "What it says",
        "provisions",
        "relations",
        "outcomes",
    ]
    shown = set(sections)
    model_admin = admin.site.get_model_admin(Agreement)
    assert {name or "" for name, _ in model_admin.fieldsets} <= shown
    assert len(sections) == len(model_admin.fieldsets) + len(model_admin.inlines)


def test_a_long_record_asks_the_database_no_more_than_a_short_one(admin_client, draft):
    made = make.agreement(state="draft")
    source = make.source(made)
    agencies = [make.agency() for _ in range(12)]
    for number in range(40):
        make.provision(made, products=["medicines"], position=number, source=source)
    for number, agency in enumerate(agencies):
        Participation.objects.create(agreement=made, agency=agency, position=number)
    for number in range(2, 8):
        make.source(made, number=number)
    # Kinds of rows are looked up once in a process.
    admin_client.get(change_of(draft))
    with CaptureQueriesContext(connection) as captured:
        assert admin_client.get(change_of(made)).status_code == 200
    # A savepoint is the test's own: a request outside of it opens none.
    asked = [q["sql"] for q in captured if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(asked) <= 25


def queries_of_a_save(client, made, **typed):
    """How often the database is asked when the form of this record is saved with this typed, and
    how often of that by what follows every change of a record, by whatever path."""
    data = as_shown(client.get(change_of(made))) | typed
    following = []

    def counted(*args, **kwargs):
        with CaptureQueriesContext(connection) as captured:
            made = record_change(*args, **kwargs)
        following.append(len(captured))
        return made

    with (
        mock.patch("agreements.admin.agreement.record_change", counted),
        CaptureQueriesContext(connection) as captured,
    ):
        answer = client.post(change_of(made), data)
    assert answer.status_code == 302, errors_of(answer)
    return len(captured), *following


def test_saving_a_full_record_asks_the_database_at_most_sixty_times(admin_client, admin_user):
    """What is found for one row is not looked for again for the next; what is stored as it is shown
    is neither checked nor written; what was odd before is told from the rows that were read."""
    reference = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    working_copy = begin_working_copy(reference.pk, reference.lock_version, admin_user)
    # Kinds of rows are looked up once in a process.
    queries_of_a_save(admin_client, working_copy, title="First")
    whole, following = queries_of_a_save(admin_client, working_copy, title="Second")
    assert whole <= 60
    assert whole - following <= 21
    # From now on a provision rests on no source, which is asked about once.
    data = {"provisions-0-source": "0", "provisions-0-commitment": "intended"}
    data |= as_shown(admin_client.get(change_of(working_copy))) | data
    digest = saving(admin_client.post(change_of(working_copy), data)).digest
    queries_of_a_save(admin_client, working_copy, **data, confirmed=digest)
    whole, following = queries_of_a_save(admin_client, working_copy, title="Third")
    assert whole - following <= 23


def test_a_changed_row_costs_what_it_takes_to_check_and_write_it(admin_client, draft):
    for number in range(2, 12):
        make.provision(draft, products=["medicines"], position=number, source=draft.sources.get())
    queries_of_a_save(admin_client, draft, title="First")
    one, ten = (
        queries_of_a_save(
            admin_client, draft, **{f"provisions-{n}-statement": f"Of {rows}." for n in range(rows)}
        )[0]
        for rows in (1, 10)
    )
    assert ten - one <= 9 * 6


def test_what_depends_on_the_record_is_checked_in_rows_that_nobody_touched(admin_client, draft):
    Milestone.objects.create(agreement=draft, kind="expired", date="2012")
    data = as_shown(admin_client.get(change_of(draft))) | {"signed_on": "2015"}
    errors = errors_of(admin_client.post(change_of(draft), data))
    assert errors["milestones-0-date"] == "It cannot end before it was signed: 2015."
    data |= {"signed_on": "", "sources-0-DELETE": "on"}
    errors = errors_of(admin_client.post(change_of(draft), data))
    assert errors["provisions-0-source"] == "This source is being deleted."


# --- the reference record ---


def test_the_reference_record_typed_by_its_form_is_the_record(admin_client):
    """Every value goes through the form: agencies and areas as chosen, sources by number, dates
    and the country as people write them."""
    told = export(Agreement.objects.with_related().get(slug="hsa-mhlw-moc-2026"))
    Agreement.objects.filter(slug=told["slug"]).delete()
    found = {each.key: each.pk for each in Agency.objects.all()}
    found |= {each.code: each.pk for each in CooperationArea.objects.all()}
    found |= {each.slug: each.pk for each in Agreement.objects.all()}
    products = {each.code: each.pk for each in ProductCategory.objects.all()}

    def typed(row):
        row = {name: value for name, value in row.items() if value not in (None, "", False)}
        for name in {"agency", "area", "target"} & set(row):
            row[name] = found[row[name]]
        if "products" in row:
            row["products"] = [products[code] for code in row["products"]]
        # What is left empty is filled in: the next place, the source of the row above.
        row.pop("position", None)
        return row

    data = record(**typed({k: v for k, v in told.items() if not isinstance(v, list)}))
    data |= {"signed_on": "20 April 2026", "signed_country": "Japan"}
    data["products"] = [products[code] for code in told["products"]]
    for prefix in ("sources", "participations", "signatories", "provisions", "milestones"):
        data |= rows(prefix, *map(typed, told[prefix]))
    for prefix in ("relations", "outcomes", "evidence"):
        data |= rows(prefix, *map(typed, told[prefix]))
    for number in range(1, len(told["provisions"])):
        del data[f"provisions-{number}-source"]
    response = admin_client.post(ADD, data)
    assert response.status_code == 302, errors_of(response)
    assert export(Agreement.objects.with_related().get(slug=told["slug"])) == told
