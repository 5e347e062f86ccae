"""The graph as a drawing in layers, and as nested lists."""

from collections import defaultdict
from dataclasses import dataclass

from home.lineage.graph import Graph, Node

WIDTH, HEIGHT = 190, 44
ACROSS, DOWN = 260, 60
MARGIN = 8
_FITS = 30  # letters of a subtitle


@dataclass(frozen=True)
class Box:
    node: Node
    x: int
    y: int
    title: str
    is_start: bool

    @property
    def subtitle(self) -> str:
        """What it is and how it stands, as much as fits the box; the lists beside the drawing say it whole."""
        what = f"{self.node.detail} version" if self.node.kind == "version" and self.node.detail else self.node.detail
        state = f" · {self.node.state}" if self.node.state and self.node.kind != "hidden" else ""
        said = f"{what or self.node.kind}{state}"
        return said if len(said) <= _FITS else f"{said[: _FITS - 1]}…"

    @property
    def under(self) -> int:
        return self.y + 34

    @property
    def text_y(self) -> int:
        return self.y + 18

    @property
    def text_x(self) -> int:
        return self.x + 12


@dataclass(frozen=True)
class Arrow:
    path: str
    relation: str


@dataclass(frozen=True)
class Drawing:
    boxes: list[Box]
    arrows: list[Arrow]
    width: int
    height: int


def draw(graph: Graph) -> Drawing:
    """Columns from origins (left) to what came of them (right); within one, near to what it is joined with."""
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in graph.nodes.values():
        columns[node.layer].append(node)
    order = sorted(columns)
    tallest = max(len(nodes) for nodes in columns.values())
    places: dict[str, tuple[int, int]] = {}
    for index, layer in enumerate(order):
        offset = (tallest - len(columns[layer])) * DOWN // 2
        for row, node in enumerate(columns[layer]):
            places[node.id] = (MARGIN + index * ACROSS, MARGIN + offset + row * DOWN)
    boxes = [Box(node, *places[node.id], _short(node.label), node.id == graph.start) for node in graph.nodes.values()]
    arrows = [Arrow(_path(places[edge.origin], places[edge.target]), edge.relation) for edge in graph.edges.values()]
    return Drawing(
        boxes,
        arrows,
        2 * MARGIN + (len(order) - 1) * ACROSS + WIDTH,
        2 * MARGIN + (tallest - 1) * DOWN + HEIGHT,
    )


def _path(origin: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = origin[0] + WIDTH, origin[1] + HEIGHT // 2
    x2, y2 = target[0], target[1] + HEIGHT // 2
    if x2 <= x1:  # the same column, or back: around the side
        x1, x2 = origin[0] + WIDTH, target[0] + WIDTH
        return f"M{x1},{y1} C{x1 + 40},{y1} {x2 + 40},{y2} {x2},{y2}"
    middle = (x1 + x2) // 2
    return f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2 - 4},{y2}"


def _short(text: str, most: int = 24) -> str:
    """The end tells versions apart, the beginning whose they are: the middle goes."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"


@dataclass(frozen=True)
class Branch:
    """A node in a nested list, how it is joined to the one above, and what follows from it."""

    node: Node
    relation: str
    branches: list["Branch"]


# An edge is named once; a list reads it from the side of the version that it is about.
_UP = {"made": "made by", "read by": "which read", "evaluated by": "evaluation of", "data of": "data of"}
_DOWN = {
    "trained on": "training data of",
    "derived from": "basis of",
    "adapter of": "base of the adapter",
    "converted from": "converted to",
    "copy of": "copied to",
    "trained on (by name)": "named as training data by",
    "derived from (by name)": "named as basis by",
}


def branches(graph: Graph, *, up: bool) -> list[Branch]:
    """What the start came from (up) or led to, nested; a node that is reached twice is spelled out once."""
    joined: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges.values():
        near, far = (edge.target, edge.origin) if up else (edge.origin, edge.target)
        joined[near].append((far, edge.relation))
    seen = {graph.start}
    words = _UP if up else _DOWN

    def below(key: str) -> list[Branch]:
        found = []
        for far, relation in joined[key]:
            if far in seen:
                continue
            seen.add(far)
            found.append(Branch(graph.nodes[far], words.get(relation, relation), below(far)))
        return found

    return below(graph.start)
