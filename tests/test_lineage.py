"""Relations become layers: each agreement once, nothing before what it comes from."""

from hypothesis import given
from hypothesis import strategies as st

from agreements.rules.lineage import BOX_HEIGHT, BOX_WIDTH, drawing, layered

EDGES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=25)


def test_three_generations_stand_in_three_layers():
    found = layered([("treaty", "memorandum"), ("memorandum", "moc"), ("treaty", "moc")])
    assert found.layers == (("treaty",), ("memorandum",), ("moc",))
    assert len(found.edges) == 3


def test_nothing_has_no_layer():
    assert layered([]).layers == ()


def test_a_ring_is_cut_where_it_closes():
    found = layered([("a", "b"), ("b", "c"), ("c", "a")])
    assert found.edges == (("a", "b"), ("b", "c"))
    assert found.layers == (("a",), ("b",), ("c",))


@given(EDGES)
def test_every_node_stands_once_and_every_drawn_edge_leads_to_a_later_layer(edges):
    found = layered(edges)
    placed = [node for layer in found.layers for node in layer]
    assert sorted(placed) == sorted({node for edge in edges for node in edge})
    assert all(found.layers)
    layer_of = {node: n for n, layer in enumerate(found.layers) for node in layer}
    for start, end in found.edges:
        assert layer_of[start] < layer_of[end]


@given(EDGES)
def test_without_a_ring_every_relation_is_drawn(edges):
    forward = [(start, end) for start, end in edges if start < end]
    assert set(layered(forward).edges) == set(forward)


@given(EDGES)
def test_a_node_that_nothing_leads_to_stands_first(edges):
    found = layered(edges)
    ends = {end for _, end in found.edges}
    for n, layer in enumerate(found.layers):
        for node in layer:
            assert (node in ends) == (n > 0)


@given(EDGES)
def test_no_box_lies_on_another_and_all_lie_in_the_drawing(edges):
    drawn = drawing(edges)
    for box in drawn.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + BOX_WIDTH <= drawn.width
        assert box.y + BOX_HEIGHT <= drawn.height
    for one in drawn.boxes:
        for other in drawn.boxes:
            if one is not other and one.x == other.x:
                assert abs(one.y - other.y) > BOX_HEIGHT


def test_a_line_past_a_layer_does_not_run_behind_its_box():
    drawn = drawing([("treaty", "memorandum"), ("memorandum", "moc"), ("treaty", "moc")])
    middle = {box.node: box.y + BOX_HEIGHT // 2 for box in drawn.boxes}
    past = drawn.paths[2]
    assert f" {middle['memorandum']}H" not in past
    assert "H" in past


def test_a_long_name_is_cut_and_a_wide_one_is_cut_sooner():
    long, wide = "Memorandum of Understanding " * 9, "医療機器及び医薬品" * 9
    drawn = drawing([(long, wide)])
    for box, limit in zip(drawn.boxes, (27, 13), strict=True):
        assert len(box.words) == 3
        assert all(len(line) <= limit for line in box.words)
        assert box.words[-1].endswith("…")
