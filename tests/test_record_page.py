"""A record tells a life and each fact has its receipt; an agency tells its names and its kin."""

import datetime
import re
from itertools import pairwise

import pytest
from django.utils.html import strip_tags

from agreements.models import (
    AgencyName,
    Agreement,
    Evidence,
    Milestone,
    Outcome,
    Participation,
    Relation,
)
from agreements.models.querysets import PublicationState
from agreements.templatetags import register as tags
from tests import make

pytestmark = pytest.mark.django_db
TODAY = datetime.date(2026, 11, 24)


def page(client, path, query=""):
    address = path if path.startswith("/") else f"/agreements/{path}/"
    response = client.get(f"{address}{query}")
    assert response.status_code == 200
    return response


def words(response):
    text = strip_tags(response.content.decode()).replace("&amp;", "&").replace("&#x27;", "'")
    return re.sub(r"\s+", " ", text)


def section(response, anchor):
    """The words of one section, from its heading to the next section."""
    html = response.content.decode().partition(f'id="{anchor}"')[2].partition("</section>")[0]
    return re.sub(r"\s+", " ", strip_tags(">" + html if html[:1] != ">" else html)).strip(" >")


# --- Status -------------------------------------------------------------------------------------


def test_status_reads_as_a_sentence_with_its_receipt(client):
    text = words(page(client, "fda-swissmedic-mra-2023"))
    assert re.search(
        r"In effect because it entered into force on 27 July 2023\. source \[1\]", text
    )


def test_a_suspended_one_says_since_when(client):
    response = page(client, "eu-canada-mra")
    assert response.context["ruling"].status == "suspended"
    assert re.search(r"Suspended (on|in) [\w ]*\d{4}\. source \[\d\]", words(response))


@pytest.mark.shipped
def test_an_undated_one_says_that_nothing_is_dated(client):
    response = page(client, "hsa-tga-new-drug-recognition-2003")
    assert "Not known because no date of signature or of effect" in words(response)


def test_an_unsigned_one_shows_its_missing_date_on_the_line(client):
    response = page(client, "project-orbis")
    assert response.context["agreement"].signed_on is None
    assert "Not stated Date of signature" in section(response, "life")


# --- Timeline -----------------------------------------------------------------------------------


def test_the_line_sets_past_and_future_apart_by_the_day_and_ends_terms():
    made = make.agreement(
        signed_on="2020-05-01",
        milestones=[
            ("entered_into_force", "2020-06", "2030-06"),
            ("review_due", "2028"),
            ("suspended", None),
        ],
    )
    made = Agreement.objects.with_related().get(pk=made.pk)
    life = tags.timeline(made, TODAY)
    assert [str(event.date) for event in life.past] == ["1 May 2020", "June 2020"]
    assert [(str(event.date), event.words) for event in life.to_come] == [
        ("2028", "Review due"),
        ("June 2030", "Stated end of the term"),
    ]
    assert [event.words for event in life.undated] == ["Suspended"]


def test_what_lies_after_the_day_says_so_in_words(client):
    made = make.agreement(signed_on="2020-05-01", milestones=[("review_due", "2199")])
    life = section(page(client, made.slug), "life")
    assert "Review due (still to come)" in life
    assert life.index("Today: Signed") < life.index("Review due")
    earlier = section(page(client, made.slug, "?as_of=2021-01-01"), "life")
    assert "1 January 2021 The day this page tells: Signed" in earlier
    assert "Review due (after the day this page tells)" in earlier


def test_a_date_on_either_side_of_the_day_says_that_it_may_be_later(client):
    made = make.agreement(signed_on="2020", milestones=[("announced", "2021")])
    text = section(page(client, made.slug, "?as_of=2021-06-01"), "life")
    assert "Announced (perhaps after this day: its day is not stated)" in text


# --- Receipts -----------------------------------------------------------------------------------


@pytest.fixture
def sourced(db):
    """A made-up record with two sources that speak on one point."""
    made = make.agreement(signed_on="2020-05-01", source_notes="The two differ on the place.")
    first = make.source(made, 1, publisher="Made-up Times", retrieved_on="2026-04-21")
    second = make.source(
        made, 2, publisher="Made-up Gazette", archive_url="https://example.org/kept"
    )
    make.provision(made, source=first, locator="paragraph 4", position=7)
    Milestone.objects.create(agreement=made, kind="announced", date="2020-05-02")
    Evidence.objects.create(
        agreement=made, topic="signed_at", statement="Signed in A.", source=first, locator="p. 1"
    )
    Evidence.objects.create(
        agreement=made, topic="signed_at", statement="Signed in B.", source=second, locator="p. 9"
    )
    return made


def test_a_provision_shows_source_place_and_day_of_reading(client, sourced):
    text = section(page(client, sourced.slug), "coverage")
    assert "Source [1], paragraph 4, read 21 April 2026" in text


def test_a_row_that_could_have_a_source_and_has_none_says_so(client, sourced):
    assert "Announced Source not recorded" in section(page(client, sourced.slug), "life")


def test_sources_that_speak_on_one_point_stand_side_by_side(client, sourced):
    response = page(client, sourced.slug)
    said = section(response, "evidence")
    assert "2 sources speak on this; each is given as it stands." in said
    assert re.search(r"Made-up Times Signed in A\. Source \[1\], p\. 1", said)
    assert re.search(r"Made-up Gazette Signed in B\. Source \[2\], p\. 9", said)
    assert section(response, "facts").count("[") >= 2
    assert 'href="#notes"' in response.content.decode()


def test_a_fact_on_which_several_sources_speak_leads_to_all_they_say(client, sourced):
    html = page(client, sourced.slug).content.decode()
    assert html.count('href="#evidence-signed_at"') == 3  # the fact, and each of the two sources
    assert "compare" in section(page(client, sourced.slug), "facts")


def test_one_source_of_a_fact_is_named_once(client):
    text = words(page(client, "fda-swissmedic-mra-2023"))
    assert "Entered into force: 27 July 2023 source [1] Term" in text


def test_provisions_typed_without_a_position_each_have_an_anchor(client):
    made = make.agreement(provisions=[{}, {"area": "joint-assessment"}])
    html = page(client, made.slug).content.decode()
    anchors = re.findall(r'id="(provision-\d+)"', html)
    assert len(set(anchors)) == 2


def test_a_source_leads_back_to_what_it_supports(client, sourced):
    response = page(client, sourced.slug)
    listed = section(response, "sources")
    assert "Receipt for: GMP inspection reliance, Place of signature" in listed
    assert "read 21 April 2026" in listed
    assert "archived copy of source 2" in listed
    anchors = set(re.findall(r'href="#([^"]+)"', response.content.decode()))
    ids = set(re.findall(r'id="([^"]+)"', response.content.decode()))
    assert anchors <= ids


@pytest.mark.parametrize(
    "slug",
    [
        "hsa-mhlw-moc-2026",
        "project-orbis",
        "mhlw-thai-fda-moc-2018",
        "mfds-bfarm-2021",
        "fda-swissmedic-mra-2023",
        "thai-fda-tga-mou-2021",
        "asean-gmp-mra-2009",
    ],
)
def test_every_link_within_a_page_leads_somewhere_and_no_name_is_given_twice(client, slug):
    html = page(client, slug).content.decode()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_a_list_entry_says_what_it_is_and_claims_no_stage(client):
    text = words(page(client, "mfds-bfarm-2021"))
    assert "known from a regulator’s list only" in text
    assert "Every stage is not stated, which is not “no”." in text


@pytest.mark.shipped
def test_a_recorded_disagreement_is_one_link_from_the_top(client):
    response = page(client, "mfds-nmpa-mou-2019")
    assert "The sources disagree on the date" in section(response, "notes")
    html = response.content.decode()
    assert html.index('href="#notes"') < html.index('id="coverage"')


# --- Participants -------------------------------------------------------------------------------


def test_the_name_then_and_the_name_now(client):
    response = page(client, "ec-emea-mhlw-pmda-ca-2007")
    assert "As EMEA; now European Medicines Agency (EMA)" in section(response, "participants")


def renamed(**days):
    agency = make.agency(name="Made-up New Name")
    AgencyName.objects.create(agency=agency, name="Made-up Old Name", kind="former", **days)
    return agency


@pytest.mark.parametrize(
    ("days", "signed_on", "sure"),
    [
        ({"used_from": "1990", "used_until": "2010"}, "2005-05-01", True),
        ({"used_from": "1990", "used_until": "2010"}, "2009", True),
        ({"used_from": "1990", "used_until": "2010"}, "2010", False),
        ({"used_from": "1990", "used_until": "2010"}, "2011", False),
        ({"used_from": "1990", "used_until": "2010"}, None, False),
        ({"used_until": "2010"}, "2005", False),
        ({"used_from": "1990"}, "2005", False),
        ({}, "2005", False),
    ],
)
def test_a_former_name_is_worked_out_only_where_its_days_make_it_sure(
    client, days, signed_on, sure
):
    made = make.agreement(signed_on=signed_on, participants=[renamed(**days)])
    told = "Its name then was Made-up Old Name, as the dates of its names tell"
    assert (told in section(page(client, made.slug), "participants")) is sure


def test_two_names_at_once_settle_nothing():
    agency = renamed(used_from="1990", used_until="2010")
    AgencyName.objects.create(
        agency=agency, name="Another", kind="former", used_from="1990", used_until="2010"
    )
    made = make.agreement(signed_on="2005", participants=[agency])
    made = Agreement.objects.get(pk=made.pk)
    assert made.participations.get().former_name == ""


def test_many_participants_stand_by_role_and_those_who_left_apart():
    made = make.agreement(signed_on="2000", participants=[make.agency() for _ in range(9)])
    Participation.objects.create(
        agreement=made, agency=make.agency(), position=10, role="observer", joined_on="2010"
    )
    made.participations.filter(position=2).update(left_on="2005", left_on_earliest="2005-01-01")
    made = Agreement.objects.with_related().get(pk=made.pk)

    def told(day):
        return [(h, len(rows)) for h, rows in tags.participant_groups(made, day)]

    assert told(TODAY) == [
        ("Party", 8),
        ("Observer", 1),
        ("Not surely taking part on 24 November 2026", 1),
    ]
    assert told(datetime.date(2001, 1, 1)) == [
        ("Party", 9),
        ("Not surely taking part on 1 January 2001", 1),
    ]


def test_the_first_facts_name_those_who_took_part_on_the_day(client):
    one, other = make.agency(acronym="ONE"), make.agency(acronym="OTHER")
    made = make.agreement(signed_on="2000", participants=[one, other])
    made.participations.filter(agency=other).update(left_on="2005", left_on_earliest="2005-01-01")
    for day, named in (("2010-01-01", ["ONE"]), ("2001-01-01", ["ONE", "OTHER"])):
        response = page(client, made.slug, f"?as_of={day}")
        assert [p.agency.acronym for p in response.context["participants"]] == named
        key_facts = words(response).partition("Participants")[2].partition("Takes effect")[0]
        assert ("OTHER" in key_facts) == ("OTHER" in named)


def test_members_of_project_orbis_who_joined_later(client):
    text = section(page(client, "project-orbis", "?as_of=2019-12-31"), "participants")
    assert "Not surely taking part on 31 December 2019" in text


# --- Lineage ------------------------------------------------------------------------------------


def chain(length, **fields):
    """A made-up line of agreements, each of which builds on the one before."""
    line = [make.agreement(title=f"Link {n}", **fields) for n in range(length)]
    for earlier, later in pairwise(line):
        Relation.objects.create(agreement=later, kind="builds_on", target=earlier)
    return line


def test_the_lineage_is_drawn_and_listed_alike(client):
    response = page(client, "hsa-mhlw-moc-2026")
    drawn = tags.drawn(response.context["lineage"])
    assert [str(box.node) for box in drawn.boxes][-1] == "HSA–MHLW MOC 2026"
    listed = section(response, "lineage")
    assert "Builds on Japan–Singapore Economic Partnership Agreement" in listed
    assert "Further back and further on" in listed


def test_the_lineage_is_followed_both_ways_and_no_farther_than_four_steps(client):
    line = chain(12)
    listed = {
        name
        for relation in page(client, line[5].slug).context["lineage"]
        for name in (relation.agreement.title, relation.target.title)
    }
    assert listed == {f"Link {n}" for n in range(1, 10)}


def test_the_lineage_does_not_lead_through_a_record_that_is_not_public(client):
    line = chain(3)
    line[1].state = PublicationState.WITHDRAWN
    line[1].save()
    response = page(client, line[2].slug)
    assert response.context["lineage"] == []
    assert "Link 0" not in words(response)
    assert "Link 1" not in words(response)


def test_one_known_by_title_only_is_drawn_without_a_link(client):
    made = make.agreement()
    Relation.objects.create(agreement=made, kind="supersedes", target_title="Made-up older note")
    html = page(client, made.slug).content.decode()
    drawing = html.partition("<svg role")[2].partition("</svg>")[0]
    assert "Made-up older note" in drawing
    assert "not in this register" in drawing
    assert "<a " not in drawing


def test_a_ring_of_different_kinds_is_shown_and_does_not_hang(client):
    one, other = make.agreement(title="Ring A"), make.agreement(title="Ring B")
    Relation.objects.create(agreement=one, kind="supersedes", target=other)
    Relation.objects.create(agreement=other, kind="builds_on", target=one)
    listed = section(page(client, one.slug), "lineage")
    assert "Supersedes Ring B" in listed
    assert "Built on by Ring B" in listed


def test_queries_do_not_grow_with_the_rows_of_a_record(client, django_assert_num_queries):
    def record(rows):
        made = make.agreement(participants=[make.agency() for _ in range(rows)])
        for n in range(rows):
            source = make.source(made, n + 1)
            make.provision(made, position=n, products=["medicines"], source=source)
            Milestone.objects.create(agreement=made, kind="other", date="2020", source=source)
            Evidence.objects.create(agreement=made, topic="notes", statement="x", source=source)
            Outcome.objects.create(agreement=made, statement="x", source=source)
            Relation.objects.create(agreement=made, kind="builds_on", target=make.agreement())
            Relation.objects.create(agreement=make.agreement(), kind="amends", target=made)
        return made

    for rows in (1, 3, 17):
        made = record(rows)
        # What is read once for each edition is not counted.
        page(client, made.slug)
        with django_assert_num_queries(QUERIES_OF_A_RECORD):
            page(client, made.slug)


#: One for the record, one for each kind of row and what it names, one for each of the two steps of
#: this lineage.
QUERIES_OF_A_RECORD = 26


# --- Agencies -----------------------------------------------------------------------------------


def test_an_agency_tells_its_names_in_time(client):
    agency = renamed(used_from="1990", used_until="2010")
    AgencyName.objects.create(agency=agency, name="Made-up Older", kind="former", used_until="1990")
    make.agreement(participants=[agency])
    names = section(page(client, agency.get_absolute_url()), "names")
    assert re.search(
        r"Until 1990 Made-up Older .*1990 to 2010 Made-up Old Name .*Now Made-up New Name", names
    )


def test_an_agency_stands_in_its_tree_with_counts(client):
    kin = section(page(client, "/agencies/pmda/"), "kin")
    assert re.search(r"Ministry of Health, Labour and Welfare \(MHLW\) \d+ agreements", kin)
    kin = section(page(client, "/agencies/mhlw/"), "kin")
    assert re.search(r"this agency · \d+ agreements.*\(PMDA\) \d+ agreements", kin)


def test_a_parent_beyond_the_register_is_not_shown(client):
    line = [make.agency(name="Made-up Level 0")]
    for n in range(1, 6):
        line.append(make.agency(name=f"Made-up Level {n}"))
        line[-2].parent = line[-1]
        line[-2].save()
    make.agreement(participants=[line[0]])
    kin = section(page(client, line[3].get_absolute_url()), "kin")
    assert "Made-up Level 4" not in kin
    assert "Made-up Level 2" in kin


def test_an_agency_as_of_an_earlier_day(client):
    response = page(client, "/agencies/hsa/", "?as_of=2011-01-01")
    text = words(response)
    assert "as it stood on 1 January 2011" in text
    titles = [agreement.slug for agreement in response.context["agreements"]]
    assert "hsa-mhlw-moc-2026" not in titles
    assert "hsa-mhlw-pmda-information-exchange-2010" in titles
    assert 'as_of=2011-01-01"' in response.content.decode()


@pytest.mark.parametrize("address", ["/agencies/hsa/", "/agreements/hsa-mhlw-moc-2026/"])
@pytest.mark.parametrize("day", ["banana", "2011", "2011-02-30", "0000-01-01", "9" * 400, "\x00"])
def test_a_day_that_is_none_is_refused_by_name(client, address, day):
    response = client.get(address, {"as_of": day})
    assert response.status_code == 400
    assert "as_of" in words(response)


def test_queries_of_an_agency_do_not_grow(client, django_assert_num_queries):
    def agency(rows):
        parent = make.agency(parent=make.agency())
        made = make.agency(parent=parent)
        for _ in range(rows):
            make.agency(parent=made)
            make.agreement(participants=[made, make.agency()], milestones=[("announced", "2020")])
        return made

    for rows in (1, 3, 20):
        made = agency(rows)
        # What is read once for each edition is not counted.
        page(client, made.get_absolute_url())
        with django_assert_num_queries(QUERIES_OF_AN_AGENCY):
            page(client, made.get_absolute_url())


QUERIES_OF_AN_AGENCY = 5
