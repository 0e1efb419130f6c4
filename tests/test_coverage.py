"""Coverage never overstates."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements.rules.comparison import changes
from agreements.rules.coverage import (
    PRODUCTS_NOT_STATED,
    Asked,
    Commitment,
    Depth,
    Stage,
    between,
    coverage,
    reaches,
)
from agreements.rules.pairs import answers, pair
from agreements.rules.partners import Instrument, partners

ORDER = ["medicines", "ctgtp", "medical-devices"]


@dataclass(frozen=True)
class Row:
    stage: str | None
    depth: str = "reliance"
    commitment: str = "agreed"
    product_codes: tuple[str, ...] = field(default=())


def cell(grid, stage, product):
    row = next(row for row in grid.rows if row.stage == stage)
    return row.cells[grid.products.index(product)]


rows = st.lists(
    st.builds(
        Row,
        stage=st.sampled_from([*Stage.values, None]),
        depth=st.sampled_from(Depth.values),
        commitment=st.sampled_from(Commitment.values),
        product_codes=st.lists(st.sampled_from(ORDER), unique=True).map(tuple),
    ),
    max_size=12,
)


def test_gmp_reliance_for_medicines_does_not_reach_devices():
    general = Row("manufacturing", "dialogue", "agreed", ("medicines", "medical-devices"))
    gmp = Row("manufacturing", "reliance", "intended", ("medicines",))
    grid = coverage([general, gmp], ORDER)
    assert str(cell(grid, "manufacturing", "medicines")) == "Reliance, intended; Dialogue, agreed"
    assert str(cell(grid, "manufacturing", "medical-devices")) == "Dialogue, agreed"
    assert str(cell(grid, "registration", "medicines")) == "Not stated"


def test_a_provision_without_products_has_its_own_column_and_never_spreads():
    grid = coverage(
        [Row("registration"), Row("manufacturing", product_codes=("medicines",))], ORDER
    )
    assert grid.products == ("medicines", PRODUCTS_NOT_STATED)
    assert cell(grid, "registration", "medicines").deepest is None
    assert str(cell(grid, "registration", PRODUCTS_NOT_STATED)) == "Reliance, agreed"


def test_excluded_is_said_and_is_neither_a_reach_nor_silence():
    grid = coverage([Row("manufacturing", "recognition", "excluded", ("ctgtp",))], ORDER)
    excluded = cell(grid, "manufacturing", "ctgtp")
    assert (excluded.deepest, excluded.excluded, str(excluded)) == (None, True, "Excluded")


def test_of_two_at_one_depth_the_firmer_comes_first_and_both_are_told():
    intended, agreed = Row("registration", commitment="intended"), Row("registration")
    grid = coverage([intended, agreed], ORDER)
    whole = grid.rows[2].whole
    assert [str(reach) for reach in whole.reaches] == ["Reliance, agreed", "Reliance, intended"]


def test_nothing_recorded_is_not_stated_at_every_stage():
    grid = coverage([Row(None)], ORDER)
    assert not grid.stated
    assert [str(row.whole) for row in grid.rows] == ["Not stated"] * 5
    assert len(grid.cross_cutting) == 1


@given(rows)
def test_every_provision_is_in_exactly_the_cells_its_source_gives(provisions):
    grid = coverage(provisions, ORDER)
    for row in grid.rows:
        for each in row.cells:
            for provision in each.provisions:
                assert provision.stage == row.stage
                assert each.product in (provision.product_codes or (PRODUCTS_NOT_STATED,))
    placed = sum(len(each.provisions) for row in grid.rows for each in row.cells)
    assert placed == sum(len(p.product_codes) or 1 for p in provisions if p.stage)
    assert len(grid.cross_cutting) == sum(1 for p in provisions if not p.stage)


@given(rows)
def test_no_cell_is_deeper_or_firmer_than_one_of_its_provisions(provisions):
    for row in coverage(provisions, ORDER).rows:
        for each in (*row.cells, row.whole):
            if deepest := each.deepest:
                assert deepest.commitment != Commitment.EXCLUDED
                assert any(
                    (p.depth, p.commitment) == (deepest.depth, deepest.commitment)
                    for p in each.provisions
                )
                depths = [p.depth for p in each.provisions if p.commitment != "excluded"]
                assert deepest.depth == max(depths, key=Depth.values.index)


@given(rows)
def test_the_order_of_entry_changes_nothing_that_is_shown(provisions):
    def shown(grid):
        return [[str(each) for each in row.cells] for row in grid.rows]

    assert shown(coverage(provisions, ORDER)) == shown(coverage(provisions[::-1], ORDER))


# The pair of agencies, the table of partners, and what a later agreement changes.

HSA, MHLW, PMDA, FDA = 1, 2, 3, 4


@dataclass(frozen=True)
class Provided(Row):
    area: str = "area"
    one_way: tuple[int, int] | None = None
    agreement_id: int = 1


provided = st.lists(
    st.builds(
        Provided,
        stage=st.sampled_from([*Stage.values, None]),
        depth=st.sampled_from(Depth.values),
        commitment=st.sampled_from(Commitment.values),
        product_codes=st.lists(st.sampled_from(ORDER), unique=True).map(tuple),
        area=st.sampled_from(["training", "laboratory"]),
        one_way=st.sampled_from([None, (HSA, FDA), (FDA, HSA), (MHLW, FDA), (HSA, PMDA)]),
        agreement_id=st.integers(1, 3),
    ),
    max_size=10,
)


def instrument(slug, members, *provisions, scope=()):
    return Instrument(slug, slug, frozenset(members), frozenset(scope), provisions)


@pytest.mark.parametrize(
    ("one_way", "forth", "back"),
    [(None, True, True), ((HSA, FDA), True, False), ((FDA, HSA), False, True)],
)
def test_a_one_way_provision_reaches_in_its_direction_only(one_way, forth, back):
    row = Provided("product_review", one_way=one_way)
    assert reaches(row, [HSA], [FDA]) is forth
    assert reaches(row, [FDA], [HSA]) is back


def test_a_one_way_provision_between_others_never_reaches_a_pair():
    assert not between(Provided("product_review", one_way=(MHLW, FDA)), [HSA], [FDA])
    assert not between(Provided("product_review", one_way=(MHLW, FDA)), [HSA], [MHLW])


def test_a_cell_counts_agreements_and_names_the_deepest():
    told = partners(
        [
            instrument("a", [HSA, MHLW], Provided("manufacturing", "reliance", "intended")),
            instrument("b", [HSA, MHLW, PMDA], Provided("manufacturing", "dialogue")),
            instrument("c", [HSA, PMDA], Provided(None)),
        ],
        {HSA},
        {MHLW: "mhlw", PMDA: "pmda"},
    )
    manufacturing = {key: row.cells[3] for key, row in told.items()}
    assert str(manufacturing["mhlw"]) == "Reliance, intended"
    assert manufacturing["mhlw"].agreements == ("a", "b")
    assert manufacturing["pmda"].agreements == ("b",)
    assert told["pmda"].without_stage == ("c",)
    assert told["pmda"].agreements == ("b", "c")


def test_by_country_two_agencies_of_one_country_count_an_agreement_once():
    told = partners(
        [instrument("b", [HSA, MHLW, PMDA], Provided("manufacturing", one_way=(HSA, PMDA)))],
        {HSA},
        {MHLW: "JP", PMDA: "JP"},
    )
    assert told["JP"].cells[3].agreements == ("b",)


def test_excluded_is_shown_and_not_counted_and_silence_is_not_a_mismatch():
    rows = [
        Provided("manufacturing", "recognition", "excluded", ("ctgtp",)),
        Provided("registration", "dialogue", "agreed", ("medicines",)),
    ]
    told = partners(
        [instrument("a", [HSA, FDA], *rows)],
        {HSA},
        {FDA: "fda"},
        Asked(depth=frozenset({"recognition"})),
    )
    shown = [str(cell) for cell in told["fda"].cells]
    assert shown == ["Not stated", "Not stated", "No match", "Excluded", "Not stated"]
    assert told["fda"].cells[3].agreements == told["fda"].agreements == ()


def test_a_product_asked_for_never_takes_what_names_no_product():
    told = partners(
        [instrument("a", [HSA, FDA], Provided("manufacturing"), scope=["medicines"])],
        {HSA},
        {FDA: "fda"},
        Asked(product=frozenset({"medicines"})),
    )
    assert str(told["fda"].cells[3]) == "Not stated"
    # The list says the same: a product alone is also met by the scope.
    assert told["fda"].agreements == ("a",)


@given(provided)
def test_no_cell_of_partners_overstates(provisions):
    told = partners([instrument("a", [HSA, FDA], *provisions)], {HSA}, {FDA: "fda"})
    for cell in told["fda"].cells:
        for provision in cell.whole.provisions:
            assert between(provision, [HSA], [FDA])
        assert bool(cell.agreements) == (cell.whole.deepest is not None)


@given(provided)
def test_a_pair_holds_each_provision_that_reaches_it_and_turns_with_its_sides(provisions):
    here, there = pair(provisions, HSA, FDA, ORDER), pair(provisions, FDA, HSA, ORDER)
    for (stage, rows_here), (_, rows_there) in zip(here, there, strict=True):
        assert [r.left for r in rows_here] == [r.right for r in rows_there]
        assert [r.both for r in rows_here] == [r.both for r in rows_there]
        held = {p for r in rows_here for p in (*r.both, *r.left, *r.right)}
        assert held == {p for p in provisions if p.stage == stage and between(p, [HSA], [FDA])}
        products = [code for r in rows_here for code in r.products]
        assert len(products) == len(set(products))


@given(provided)
def test_a_short_answer_is_said_by_a_provision(provisions):
    for stage, found in answers(provisions, ORDER):
        for answer in found:
            assert answer.provisions
            for provision in answer.provisions:
                assert provision.stage == stage
                if answer.reach is None:
                    assert provision.commitment == "excluded"
                else:
                    said = (answer.reach.depth, answer.reach.commitment)
                    assert said == (provision.depth, provision.commitment)
        stated = any(p.stage == stage for p in provisions)
        assert bool(found) is stated


def test_products_with_one_answer_stand_together():
    rows = [
        Provided("manufacturing", commitment="excluded", product_codes=("ctgtp",)),
        Provided("manufacturing", "dialogue", "excluded", ("medical-devices",)),
        Provided("manufacturing", product_codes=("medicines",), agreement_id=1),
        Provided("manufacturing", product_codes=("vaccines",), agreement_id=2),
    ]
    found = dict(answers(rows, ORDER))[Stage.MANUFACTURING]
    assert [(str(answer.reach or "Excluded"), answer.products) for answer in found] == [
        ("Reliance, agreed", ("medicines",)),
        ("Reliance, agreed", ("vaccines",)),
        ("Excluded", ("ctgtp", "medical-devices")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "kind", "words"),
    [
        (None, ("dialogue", "agreed"), "added", "Added"),
        (("dialogue", "agreed"), ("reliance", "agreed"), "deepened", "Deeper"),
        (("dialogue", "agreed"), ("reliance", "intended"), "deepened", "Deeper, though less firm"),
        (("reliance", "intended"), ("reliance", "agreed"), "firmer", "Firmer"),
        (("reliance", "agreed"), ("reliance", "intended"), "lessened", "Less firm"),
        (("reliance", "agreed"), ("dialogue", "agreed"), "lessened", "Shallower"),
        (
            ("reliance", "intended"),
            ("dialogue", "agreed"),
            "lessened",
            "Shallower, though firmer",
        ),
        (("reliance", "agreed"), ("reliance", "excluded"), "excluded", "Now excluded"),
        (("reliance", "excluded"), ("reliance", "agreed"), "added", "Added"),
        (("dialogue", "agreed"), None, "no_longer_stated", "No longer stated"),
    ],
)
def test_what_a_later_agreement_changes_at_one_point(before, after, kind, words):
    def rows(reach):
        return [Provided("manufacturing", *reach, ("medicines",))] if reach else []

    (change,) = changes(rows(before), rows(after), ORDER)
    assert (change.kind, change.words) == (kind, words)
    assert (change.stage, change.products) == (Stage.MANUFACTURING, ("medicines",))


def test_products_with_the_same_change_stand_together_and_products_not_stated_apart():
    after = [
        Provided("registration", product_codes=("medicines", "ctgtp")),
        Provided("registration"),
        Provided(None, area="training"),
        Provided(None, area="laboratory"),
    ]
    told = changes([], after, ORDER)
    assert [(c.products, c.area) for c in told] == [
        (("medicines", "ctgtp", PRODUCTS_NOT_STATED), None),
        ((), "laboratory"),
        ((), "training"),
    ]


@given(provided)
def test_nothing_changes_between_the_same(provisions):
    assert changes(provisions, provisions, ORDER) == []
    assert changes(provisions, provisions[::-1], ORDER) == []


def points(told, kind):
    return {
        (c.stage, subject) for c in told if c.kind == kind for subject in (c.products or (c.area,))
    }


@given(provided, provided)
def test_told_from_the_other_end_added_is_no_longer_stated_and_gain_is_loss(before, after):
    forth, back = changes(before, after, ORDER), changes(after, before, ORDER)

    def silent(told):
        return [
            c for c in told if "excluded" not in {r.commitment for r in (c.before, c.after) if r}
        ]

    gone = points(silent(back), "no_longer_stated")
    assert points(silent(forth), "added") == gone
    gains = points(silent(forth), "deepened") | points(silent(forth), "firmer")
    assert gains == points(silent(back), "lessened")
    turned = {(c.stage, c.products, c.area, c.after, c.before) for c in back}
    assert {(c.stage, c.products, c.area, c.before, c.after) for c in forth} == turned


@given(provided, provided)
def test_every_change_has_a_subject_and_a_reach(before, after):
    for change in changes(before, after, ORDER):
        assert change.before != change.after
        assert bool(change.stage) == bool(change.products)
        assert change.words
