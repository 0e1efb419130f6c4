"""Relations become layers: each agreement once, nothing before what it comes from."""

from hypothesis import given
from hypothesis import strategies as st

from agreements.lineage import layered

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
