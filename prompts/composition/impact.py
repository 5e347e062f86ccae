"""The other way round: who includes this, directly or through others? What a moved label touches."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.access import Actor
from prompts.composition.edges import MAX_DEPTH, Edge, Key, descend, edges_of
from prompts.models import MAIN, Include, Label, Prompt, PromptVersion
from prompts.references import LATEST

MAX_ROWS = 200


@dataclass(frozen=True)
class ImpactRow:
    """A version whose text depends on the label. `labels`: what points at it ('latest' among them), so that callers get it;
    `depth` 1: it includes the prompt itself; `includes`: what it includes on the way, as 'team/name@label'."""

    version: PromptVersion
    labels: list[str]
    depth: int
    includes: str

    @property
    def live(self) -> bool:
        return bool(self.labels)

    @property
    def prompt(self) -> Prompt:
        return self.version.prompt

    def as_json(self) -> dict[str, Any]:
        return {
            "prompt": str(self.version.prompt),
            "version": self.version.number,
            "digest": self.version.digest,
            "labels": self.labels,
            "depth": self.depth,
            "includes": self.includes,
        }


@dataclass
class Impact:
    """`rows`: versions that callers reach by a label; `others`: how many more that nothing points at; `hidden`: how many versions
    with a label the actor may not see; `cut_off`: there are more than were looked at."""

    rows: list[ImpactRow] = field(default_factory=list)
    others: int = 0
    hidden: int = 0
    cut_off: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.hidden)

    @property
    def prompts(self) -> int:
        return len({row.version.prompt_id for row in self.rows})


@dataclass(frozen=True)
class GraphNode:
    """`layer`: 0 is the start, below it (negative) what it includes, above it what includes it."""

    id: str
    label: str
    href: str
    state: str
    layer: int
    kind: str = "version"


@dataclass(frozen=True)
class GraphEdge:
    """`origin` is included by `target`, at `relation` (a label or a number)."""

    origin: str
    target: str
    relation: str


@dataclass
class Graph:
    start: str
    nodes: dict[str, GraphNode] = field(default_factory=dict)
    edges: dict[tuple[str, str], GraphEdge] = field(default_factory=dict)
    hidden: int = 0
    cut_off: bool = False

    def add(self, node: GraphNode) -> None:
        if node.id not in self.nodes and len(self.nodes) >= MAX_ROWS:
            self.cut_off = True
        else:
            self.nodes.setdefault(node.id, node)

    def join(self, origin: str, target: str, relation: str) -> None:
        if origin in self.nodes and target in self.nodes:
            self.edges.setdefault((origin, target), GraphEdge(origin, target, relation))

    def as_json(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "nodes": [
                {"id": n.id, "label": n.label, "href": n.href or None, "state": n.state, "layer": n.layer}
                for n in self.nodes.values()
            ],
            "edges": [{"from": e.origin, "to": e.target, "at": e.relation} for e in self.edges.values()],
            "hidden": self.hidden,
            "cut_off": self.cut_off,
        }


def impact_of(prompt: Prompt, label: str | None, by: Actor) -> Impact:
    """The versions whose rendered text changes when this label moves; None: that include the prompt at all. A few queries per level."""
    start: Iterable[Key] = [(prompt.pk, label, None)] if label else []
    return _climb(start, by, whole=None if label else prompt)[0]


def _climb(
    start: Iterable[Key], by: Actor, whole: Prompt | None = None
) -> tuple[Impact, list[tuple[Edge, PromptVersion, int]]]:
    """Level by level upwards; also each step taken: the edge, the version that has it, and its level."""
    found, steps = Impact(), []
    seen: set[int] = set()
    frontier = set(start)
    for depth in range(1, MAX_DEPTH + 1):
        rows = _includers(frontier, whole if depth == 1 else None)
        if len(rows) > MAX_ROWS:
            found.cut_off = True
        rows = rows[:MAX_ROWS]
        if not rows:
            break
        names = names_of(row.version for row in rows)
        visible = set(
            Prompt.objects.visible_to(by)
            .filter(pk__in={r.version.prompt_id for r in rows})
            .values_list("pk", flat=True)
        )
        frontier = set()
        for row in rows:
            version, edge = row.version, Edge(row.written, row.prompt, row.label, row.number)
            if version.prompt_id in visible:
                steps.append((edge, version, depth))
            if version.pk in seen:
                continue
            seen.add(version.pk)
            labels = names.get(version.pk, [])
            frontier |= {(version.prompt_id, name, None) for name in labels}
            frontier.add((version.prompt_id, "", version.number))
            if version.prompt_id not in visible:
                found.hidden += bool(labels)
            elif labels:
                found.rows.append(ImpactRow(version, labels, depth, edge.name))
            else:
                found.others += 1
    return found, steps


def _includers(keys: Iterable[Key], whole: Prompt | None) -> list[Include]:
    chosen = Q(prompt=whole) if whole else Q(pk__in=[])
    for prompt, label, number in keys:
        chosen |= Q(prompt=prompt, number=number) if number else Q(prompt=prompt, label=label)
    alive = Include.objects.filter(chosen, version__deleted_at=None, version__prompt__deleted_at=None)
    # What callers reach first, then the newest: an old prompt has many versions that nobody asks for.
    live = Exists(Label.objects.filter(version=OuterRef("version")))
    rows = alive.annotate(live=live).select_related("version__prompt__team", "prompt__team")
    return list(rows.order_by("-live", "-version_id", "pk")[: MAX_ROWS + 1])


def names_of(versions: Iterable[PromptVersion]) -> dict[int, list[str]]:
    """The labels of versions, 'latest' among them, by id. Two queries."""
    rows = list(versions)
    found: dict[int, list[str]] = {}
    for pk, name in Label.objects.filter(version__in=rows).order_by("name").values_list("version_id", "name"):
        found.setdefault(pk, []).append(name)
    newest = PromptVersion.objects.filter(
        prompt__in={row.prompt_id for row in rows}, branch=MAIN, deleted_at=None
    ).order_by("prompt_id", "-number")
    latest = set(newest.distinct("prompt_id").values_list("pk", flat=True))
    for row in rows:
        if row.pk in latest and LATEST not in found.get(row.pk, []):
            found.setdefault(row.pk, []).append(LATEST)
    return found


def graph_of(version: PromptVersion, by: Actor) -> Graph:
    """What a version includes, down to the last, and what includes it under any of its names."""
    names = names_of([version]).get(version.pk, [])
    start = _node(version, 0, names)
    graph = Graph(start.id, {start.id: start})
    edges = edges_of([version]).get(version.pk, [])
    tree = descend(edges)
    visible = set(
        Prompt.objects.visible_to(by)
        .filter(pk__in={held.prompt_id for held in tree.versions.values()})
        .values_list("pk", flat=True)
    )
    level, layer, done = [(start.id, edge) for edge in edges], -1, {version.pk}
    while level:
        following = []
        for target, edge in level:
            held = tree.follow(edge)
            if held is None:
                graph.add(GraphNode(f"missing:{edge.name}", edge.name, "", "missing", layer, "missing"))
                graph.join(f"missing:{edge.name}", target, edge.label or str(edge.number))
                continue
            if held.prompt_id not in visible:
                graph.hidden += held.pk not in done
                done.add(held.pk)
                continue
            graph.add(_node(held, layer, []))
            graph.join(f"version:{held.pk}", target, edge.label or f"version {edge.number}")
            if held.pk not in done:
                done.add(held.pk)
                following += [(f"version:{held.pk}", below) for below in tree.below.get(held.pk, [])]
        level, layer = following, layer - 1
    keys: list[Key] = [(version.prompt_id, "", version.number), *((version.prompt_id, name, None) for name in names)]
    impact, steps = _climb(keys, by)
    labels = {row.version.pk: row.labels for row in impact.rows}
    reached: dict[Key, str] = dict.fromkeys(keys, start.id)
    for edge, above, depth in steps:
        if above.pk not in labels:
            continue
        node = _node(above, depth, labels[above.pk])
        graph.add(node)
        graph.join(reached.get(edge.key, start.id), node.id, edge.label or f"version {edge.number}")
        reached |= {(above.prompt_id, name, None): node.id for name in labels[above.pk]}
        reached[(above.prompt_id, "", above.number)] = node.id
    graph.hidden += impact.hidden
    graph.cut_off = graph.cut_off or impact.cut_off
    return graph


def _node(version: PromptVersion, layer: int, labels: list[str]) -> GraphNode:
    return GraphNode(
        f"version:{version.pk}",
        f"{version.prompt} version {version.number}",
        version.get_absolute_url(),
        ", ".join(labels),
        layer,
    )
