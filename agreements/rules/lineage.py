"""Where an agreement comes from and what came of it: relations in, layers out.

Pure: no queries. A relation leads from what was there first to what refers to it, so an agreement
stands in a later layer than everything it supersedes, renews, amends, extends, implements, is part
of or builds on. Relations of several kinds can run in a ring; the one that closes it is left out
of the drawing, never out of the list beside it.
"""

import textwrap
import unicodedata
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


# Sizes of the drawing, in the units of its viewBox: pixels at its natural size.
BOX_WIDTH, BOX_HEIGHT = 208, 78
_GAP_ACROSS, _GAP_DOWN, _PASSAGE, _EDGE = 56, 16, 22, 2
_LINE_LENGTH, _LINES = 27, 3


@dataclass(frozen=True)
class Box(Generic[Node]):
    """A node with its upper left corner and the lines of its name."""

    node: Node
    x: int
    y: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Drawing(Generic[Node]):
    """Boxes and the SVG paths that join them, with the size that holds them all."""

    width: int
    height: int
    boxes: tuple[Box[Node], ...]
    paths: tuple[str, ...]


def drawing(edges: Iterable[tuple[Node, Node]]) -> Drawing[Node]:
    """The layers of ``edges`` from left to right, earliest first.

    An edge that passes a layer by has a passage of its own there, so that no line runs behind a
    box it does not belong to. Layers begin at the top: on a phone the first is not lost in a void.
    """
    found = layered(edges)
    layer_of = {node: n for n, layer in enumerate(found.layers) for node in layer}
    columns: list[list[tuple[Node, ...]]] = [[(node,) for node in row] for row in found.layers]
    for start, end in found.edges:
        for n in range(layer_of[start] + 1, layer_of[end]):
            columns[n].append((start, end))

    heights = [sum(map(_height, column)) + _GAP_DOWN * (len(column) - 1) for column in columns]
    tallest = max(heights, default=0)
    middle: dict[tuple[int, tuple[Node, ...]], int] = {}
    for n, column in enumerate(columns):
        y = _EDGE
        for item in column:
            middle[n, item] = y + _height(item) // 2
            y += _height(item) + _GAP_DOWN

    boxes = tuple(
        Box(node, _left(n), middle[n, (node,)] - BOX_HEIGHT // 2, _words(str(node)))
        for n, row in enumerate(found.layers)
        for node in row
    )
    paths = []
    for start, end in found.edges:
        path, x, y = "", _left(layer_of[start]) + BOX_WIDTH, middle[layer_of[start], (start,)]
        for n in range(layer_of[start] + 1, layer_of[end] + 1):
            to_y = middle[n, (end,) if n == layer_of[end] else (start, end)]
            half = (x + _left(n)) // 2
            path += f"M{x} {y}C{half} {y} {half} {to_y} {_left(n)} {to_y}"
            x, y = _left(n) + BOX_WIDTH, to_y
            if n < layer_of[end]:
                path += f"H{x}"
        paths.append(path)
    width = _left(len(columns) - 1) + BOX_WIDTH + _EDGE if columns else 0
    return Drawing(width, tallest + 2 * _EDGE, boxes, tuple(paths))


def _height(item: tuple[Node, ...]) -> int:
    """A box stands for one node; a passage for the two ends of an edge."""
    return BOX_HEIGHT if len(item) == 1 else _PASSAGE


def _left(layer: int) -> int:
    return _EDGE + layer * (BOX_WIDTH + _GAP_ACROSS)


def _words(name: str) -> tuple[str, ...]:
    """A name in at most three lines; Chinese, Japanese and Korean characters are twice as wide."""
    if any(unicodedata.east_asian_width(character) in "WF" for character in name):
        half = _LINE_LENGTH // 2
        whole = [name[start : start + half] for start in range(0, len(name), half)]
        if len(whole) > _LINES:
            whole[_LINES - 1] = whole[_LINES - 1][:-1] + "…"
        return tuple(whole[:_LINES])
    return tuple(textwrap.wrap(name, _LINE_LENGTH, max_lines=_LINES, placeholder="…"))
