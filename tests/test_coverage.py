"""Coverage never overstates."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from agreements.coverage import (
    PRODUCTS_NOT_STATED,
    Commitment,
    Depth,
    Stage,
    coverage,
)

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
