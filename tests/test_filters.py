"""A filter is never forgotten in one of its places: the answer, the sentence, the documents."""

import html
import re
from pathlib import Path

import pytest
from django.http import QueryDict
from django.utils.choices import flatten_choices

from agreements.models import Agency, Agreement
from agreements.question import AgreementFilterSet, CoverageFilterSet
from tests import make, oracle

pytestmark = [pytest.mark.django_db, pytest.mark.database]

DOCUMENT = (Path(__file__).parents[1] / "docs/data.md").read_text()
LIST_FILTERS = list(AgreementFilterSet.base_filters)
COVERAGE_FILTERS = list(CoverageFilterSet.base_filters)
#: What the page and the JSON take beside the filters.
OF_THE_FACE = {"expand", "page", "after"}
#: A value for each filter that does not offer any.
TYPED = {
    "q": "Zyxwvut",
    "signed_after": "2010",
    "signed_before": "2010",
    "as_of": "2010-01-01",
    "updated_since": "9999-01-01",
}
#: These say how another filter is meant, and change nothing without it.
BESIDE = {
    "participant_match": [("participant", "made-up-one"), ("participant", "made-up-two")],
    "eu_members": [("country", "EU")],
}


@pytest.fixture
def unlike():
    """Agreements that differ in everything that can be asked."""
    one = make.agency(key="made-up-one", jurisdiction="FJ")
    two = make.agency(key="made-up-two", jurisdiction="TO")
    german, union = make.agency(jurisdiction="DE"), make.agency(jurisdiction="EU")
    staged = {"products": ["medicines"], "commitment": "agreed", "depth": "recognition"}
    general = {"area": "regulatory-dialogue", "commitment": "intended", "depth": "dialogue"}
    make.agreement(
        title="Zyxwvut", participants=[one, two], signed_on="2001", provisions=[staged, general]
    )
    make.agreement(instrument_type="mou", participants=[one, german], signed_on="2015")
    make.agreement(participants=[two, union], milestones=[("suspended", "2012")])


def asked(pairs, kind=AgreementFilterSet):
    query = QueryDict(mutable=True)
    for name, value in pairs:
        query.appendlist(name, value)
    question = kind(query, Agreement.objects.register())
    assert question.problems == {}
    return question


def offered(name, kind=AgreementFilterSet):
    """Every value of a filter."""
    choices = getattr(asked([], kind).form.fields[name], "choices", ())
    return [str(value) for value, _ in flatten_choices(choices) if value] or [TYPED[name]]


def words_of(question):
    return re.sub(r"^[\d,]+ agreements?", "", question.sentence)


@pytest.mark.parametrize("name", LIST_FILTERS)
def test_a_filter_changes_the_answer_as_the_rules_say_and_the_sentence(unlike, name):
    beside = BESIDE.get(name, [])
    without = asked(beside)
    found = [asked([*beside, (name, value)]) for value in offered(name)]
    in_memory = [list(question.ids) for question in found]
    assert any(ids != list(without.ids) for ids in in_memory), "it has no limit and no order"
    assert in_memory == [oracle.answer(question) for question in found]
    if name not in AgreementFilterSet.NOT_NARROWING:
        assert words_of(without) not in map(words_of, found), "the sentence leaves it out"


@pytest.mark.parametrize("name", COVERAGE_FILTERS)
def test_a_filter_of_coverage_changes_the_table(client, unlike, name):
    make.agreement(
        participants=list(map(_agency, ("made-up-one", "made-up-two"))),
        signed_on="2002",
        milestones=[("suspended", "2003")],
    )
    subject = [] if name in ("agency", "country") else [("agency", "made-up-one")]
    values = {"agency": ["made-up-one"], "country": ["FJ"]}.get(name)

    def answer(*pairs):
        query = asked([*subject, *pairs], CoverageFilterSet).query.urlencode()
        content = client.get(f"/coverage/?{query}").content.decode()
        return content.partition('<table class="coverage')[2].partition("</table>")[0]

    found = [answer((name, value)) for value in values or offered(name, CoverageFilterSet)]
    assert any(table != answer() for table in found)


def _agency(key):
    return Agency.objects.get(key=key)


@pytest.mark.parametrize("name", sorted(set(LIST_FILTERS) - set(COVERAGE_FILTERS)))
def test_coverage_refuses_a_filter_of_the_list_that_it_does_not_use(client, name):
    for address in ("/coverage/", "/coverage.csv"):
        refused = client.get(address, {"agency": "hsa", name: offered(name)[0]})
        assert refused.status_code == 400
        assert "There is no such filter." in refused.content.decode()


def test_coverage_inherits_no_filter_from_the_list():
    assert not issubclass(CoverageFilterSet, AgreementFilterSet)


# --- The documents ------------------------------------------------------------------------------


def documented(heading):
    """The parameters in the first column of the tables of one section of docs/data.md."""
    section = DOCUMENT.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    table = section.partition("| parameter |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_document_has_a_line_for_no_other_parameter_of_the_list():
    told = documented("Filters\n")
    assert told > OF_THE_FACE
    assert told <= set(LIST_FILTERS) | OF_THE_FACE


def test_the_document_has_a_line_for_each_filter_of_coverage_and_for_no_other():
    assert documented("`/coverage/` and `/coverage.csv`") == set(COVERAGE_FILTERS)


@pytest.mark.parametrize(
    ("anchor", "kind"),
    [("filters", AgreementFilterSet), ("coverage-filters", CoverageFilterSet)],
)
def test_the_dictionary_has_a_line_for_each_filter(client, anchor, kind):
    page = client.get("/data/dictionary/").content.decode()
    section = page.partition(f'id="{anchor}"')[2].partition("</section>")[0]
    rows = re.findall(r"<code>(\w+)</code>\s*</th>\s*<td>([^<]*)</td>", section)
    assert {name: html.unescape(meaning) for name, meaning in rows} == {
        name: each.extra["help_text"] for name, each in kind.base_filters.items()
    }
