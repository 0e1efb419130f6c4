"""What a page says to a browser, a screen reader and a search engine, and what it must not say."""

import re

import pytest

from tests import make

pytestmark = pytest.mark.django_db


def page(client, address, status=200):
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def opened(html):
    """The facets of the list that stand open, by the id of each."""
    return re.findall(r'<details class="facet"\s+id="(\w+)" open', html)


def control(html, name):
    """The input or select of a filter."""
    return re.search(rf'<(?:input|select)\b[^>]*\bid="{name}"[^>]*>', html).group()


# --- A question that cannot be answered ---------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("signed_after=banana", "signed_after"),
        ("as_of=banana&stage=manufacturing", "as_of"),
        ("updated_since=banana", "updated_since"),
        ("signed_before=2010&signed_before=2011", "signed_before"),
        ("sort=colour", "sort"),
    ],
)
def test_a_field_in_error_says_so_and_names_its_message(client, asked, field):
    html = page(client, f"/agreements/?{asked}", 400)
    assert re.search(r"<title>\s*Error: ", html)
    found = control(html, field)
    assert 'aria-invalid="true"' in found
    assert html.count('aria-invalid="true"') == 1
    described = re.search(r'aria-describedby="([^"]+)"', found).group(1).split()
    assert f'id="{described[0]}"' in html
    assert "Error:" in words(html[html.index(f'id="{described[0]}"') :][:200])


@pytest.mark.parametrize(
    ("asked", "facets"),
    [
        ("signed_after=banana&stage=manufacturing", ["dates"]),
        ("stage=colour&depth=reliance", ["stage"]),
        ("country=XX&product=medicines", ["country"]),
        ("colour=red", []),
    ],
)
def test_only_the_facet_in_error_stands_open(client, asked, facets):
    assert opened(page(client, f"/agreements/?{asked}", 400)) == facets


def test_without_an_error_the_chosen_facets_stand_open(client):
    assert opened(page(client, "/agreements/?depth=reliance")) == ["stage", "depth", "dates"]


@pytest.mark.parametrize("asked", ["agency=nobody", "country=XX", "by=colour", "as_of=banana"])
def test_a_field_in_error_says_so_on_the_page_of_coverage_too(client, asked):
    html = page(client, f"/coverage/?{asked}", 400)
    assert re.search(r"<title>\s*Error: ", html)
    found = control(html, asked.partition("=")[0])
    assert 'aria-invalid="true"' in found
    for described in re.search(r'aria-describedby="([^"]+)"', found).group(1).split():
        assert f'id="{described}"' in html


@pytest.mark.parametrize(("agreements", "told"), [(0, "1 page."), (26, "2 pages.")])
def test_a_page_beyond_the_last_is_told_how_many_there_are(
    client, empty_register, agreements, told
):
    for _ in range(agreements):
        make.agreement()
    assert f"The list has {told}" in words(page(client, "/agreements/?page=999", 404))


# --- Said of the right thing --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "listed"),
    [
        (["official"], True),
        (["press", "other_official"], True),
        ([], True),
        (["press"], False),
        (["other", "press"], False),
    ],
)
def test_a_list_is_spoken_of_only_where_a_public_body_published_it(client, kinds, listed):
    agreement = make.agreement(detail_level="list_entry")
    for number, kind in enumerate(kinds, start=1):
        make.source(agreement, number, kind=kind)
    text = words(page(client, agreement.get_absolute_url())).lower()
    assert ("known from a regulator’s list only" in text) == listed
    assert ("known from a mention only" in text) != listed
    assert ("regulator’s list" in text or "regulator's list" in text) == listed
    assert ("the list that names this agreement" in text) == listed


@pytest.mark.parametrize(
    ("title", "original", "instrument", "language"),
    [
        ("Memorando de Entendimento", "Memorando de Entendimento", "", "pt"),
        ("Declaración de Zyxw", "Declaración de Zyxw (Agencia)", "Declaration", "es"),
        ("Protocole d'accord entre A et B", "Protocole d'accord A–B", "Protocole d'accord", "fr"),
        ("Memorandum between A and B", "Memorando entre A e B", "Memorando", ""),
        ("Memorandum between A and B", "", "Memorandum", ""),
    ],
)
def test_a_title_carries_the_language_of_the_original_that_it_repeats(
    client, title, original, instrument, language
):
    agency = make.agency()
    agreement = make.agreement(
        title=title,
        short_title="A–B 2025",
        original_title=original,
        original_language=language or ("pt" if original else ""),
        instrument_title=instrument,
        participants=[agency],
    )
    assert agreement.title_language == language
    lang = f' lang="{language}"' if language else ""
    shown = title.replace("'", "&#x27;")
    record = page(client, agreement.get_absolute_url())
    head = f"<bdi{lang}>{shown}</bdi>" if lang else shown
    assert f'<h1 class="govuk-heading-l">{head}</h1>' in record
    listed = page(client, agency.get_absolute_url())
    assert re.search(rf'<p class="result__full"{lang}>\s*{re.escape(shown)}\s*</p>', listed)


def test_a_title_that_stands_for_the_short_one_carries_its_language_too(client):
    agency = make.agency()
    agreement = make.agreement(
        title="Memorando", original_title="Memorando", original_language="pt", participants=[agency]
    )
    listed = page(client, agency.get_absolute_url())
    assert re.search(rf'<a[^>]*href="{agreement.get_absolute_url()}"[^>]* lang="pt"', listed)
    assert re.search(
        r'<li[^>]* aria-current="page"><bdi lang="pt">Memorando</bdi></li>',
        page(client, agreement.get_absolute_url()),
    )


# --- What refers to something -------------------------------------------------------------------


def test_a_pair_of_agencies_has_one_address_in_either_order(client):
    one, other = make.agency(key="made-up-a"), make.agency(key="made-up-b")
    make.agreement(signed_on="2020", participants=[one, other])
    for address in ("/coverage/made-up-a/made-up-b/", "/coverage/made-up-b/made-up-a/"):
        html = page(client, address)
        wanted = "http://testserver/coverage/made-up-a/made-up-b/"
        assert re.findall(r'rel="canonical"\s+href="([^"]*)"', html) == [wanted]
        assert re.findall(r'property="og:url"\s+content="([^"]*)"', html) == [wanted]
        assert page(client, address + "?as_of=2021-01-01").count('name="robots"') == 1


# --- In a browser -------------------------------------------------------------------------------

#: The words in these elements of which the letters stand on more than one line. What is part of an
#: address has no better place to break.
BROKEN_WORDS = r"""selector => {
  const broken = [], range = document.createRange();
  for (const element of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      for (const word of walker.currentNode.data.matchAll(/(?<![^\s(])[A-Za-z]+(?![^\s.,;:)])/g)) {
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        const tops = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        if (tops.size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""


@pytest.fixture
def tab(browser, live_server):
    # The policy forbids the styles that these tests put in.
    page = browser.new_page(base_url=live_server.url, bypass_csp=True)
    yield page
    page.close()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_of_a_table_breaks_and_no_caption_is_cut_off(tab, width):
    one, other = make.agency(key="made-up-a"), make.agency(key="made-up-b")
    make.agreement(
        signed_on="2020",
        participants=[one, other],
        provisions=[{"area": "gmp-inspection-reliance", "products": ["medicines"]}],
    )
    tab.set_viewport_size({"width": width, "height": 900})
    for address in ("/", "/coverage/made-up-a/made-up-b/", "/data/dictionary/"):
        tab.goto(address)
        # A wider face than most: what holds in it holds in the others.
        tab.add_style_tag(content="body, th, td { font-family: 'DejaVu Sans', Verdana !important }")
        assert tab.evaluate(BROKEN_WORDS, "th, td, caption") == [], address
        for caption in tab.query_selector_all("caption"):
            region = caption.evaluate(
                "each => each.closest('.scroll').getBoundingClientRect().right"
            )
            assert caption.evaluate("each => each.getBoundingClientRect().right") <= region, address


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_in_forced_colours_only_the_page_one_is_on_looks_current(tab):
    tab.emulate_media(forced_colors="active")
    tab.goto("/about/")
    colours = tab.eval_on_selector_all(
        ".site-nav a", "all => all.map(each => getComputedStyle(each).borderBottomColor)"
    )
    paper = tab.evaluate("getComputedStyle(document.querySelector('.site-header')).backgroundColor")
    assert [colour != paper for colour in colours] == [False] * 4 + [True]
