"""Where an agreement comes from and what came of it: relations in, layers out.

Pure: no queries. A relation leads from what was there first to what refers to it, so an agreement
stands in a later layer than everything it supersedes, renews, amends, extends, implements, is part
of or builds on. Relations of several kinds can run in a ring; the one that closes it is left out
of the drawing, never out of the list beside it.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)

#: How many steps back and how many steps on the lineage of an agreement is followed.
STEPS = 4


@dataclass(frozen=True)
class Layers(Generic[Node]):
    """Nodes in layers, earliest first, and the edges (earlier node, later node) to draw."""

    layers: tuple[tuple[Node, ...], ...]
    edges: tuple[tuple[Node, Node], ...]


def layered(edges: Iterable[tuple[Node, Node]]) -> Layers[Node]:
    """The nodes of ``edges`` (earlier, later) in layers, each node once.

    A node stands one layer after the latest of what leads to it. Nodes and edges keep the order
    in which they were given; an edge that would close a ring is dropped.
    """
    given = list(dict.fromkeys(edges))
    nodes = list(dict.fromkeys(node for edge in given for node in edge))
    later: dict[Node, list[Node]] = {node: [] for node in nodes}
    drawn = []
    for start, end in given:
        if not _reaches(later, end, start):
            later[start].append(end)
            drawn.append((start, end))

    depth = dict.fromkeys(nodes, 0)
    waiting = {node: sum(end == node for _, end in drawn) for node in nodes}
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:
        for end in later[node]:
            depth[end] = max(depth[end], depth[node] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)

    count = max(depth.values(), default=-1) + 1
    layers = tuple(tuple(n for n in nodes if depth[n] == layer) for layer in range(count))
    return Layers(layers, tuple(drawn))


def _reaches(later: dict[Node, list[Node]], start: Node, goal: Node) -> bool:
    """Whether a way leads from ``start`` to ``goal``; every node reaches itself."""
    reached, frontier = {start}, [start]
    while frontier:
        onward = [end for node in frontier for end in later[node] if end not in reached]
        reached.update(onward)
        frontier = onward
    return goal in reached
