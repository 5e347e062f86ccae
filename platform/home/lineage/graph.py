"""The graph around one version, level by level. Each level costs the same few queries, however many nodes it has; what the
actor may not see is counted and not named."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from accounts.access import Actor
from evaluation.models import Evaluation
from governance.models import ApprovalRequest
from home.approvals.reads import visible_requests
from registry.models import Asset, Link, Version
from serving.models import Deployment, Revision
from tracking.models import Run, RunInput

MAX_DEPTH = 3
MAX_NODES = 200


@dataclass(frozen=True)
class Node:
    """id: 'kind:key'. kind: version, asset, outside, run, evaluation, request, deployment or hidden. `layer`: its place from left
    to right, 0 is the version that was asked about."""

    id: str
    kind: str
    label: str
    href: str
    state: str
    layer: int
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "label": self.label, "href": self.href or None, "state": self.state}


@dataclass(frozen=True)
class Edge:
    """`origin` leads to `target`: the arrow of time."""

    origin: str
    target: str
    relation: str

    def as_json(self) -> dict[str, str]:
        return {"from": self.origin, "to": self.target, "relation": self.relation}


@dataclass
class Graph:
    start: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    hidden: int = 0
    cut_off: bool = False  # there is more than depth and number of nodes let in

    def add(self, node: Node) -> bool:
        """Take a node in; False where it is in already, or there is no more room."""
        if node.id in self.nodes:
            return False
        if len(self.nodes) >= MAX_NODES:
            self.cut_off = True
            return False
        self.nodes[node.id] = node
        return True

    def join(self, origin: str, target: str, relation: str) -> None:
        if origin in self.nodes and target in self.nodes:
            self.edges.setdefault((origin, target), Edge(origin, target, relation))

    def as_json(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "nodes": [node.as_json() for node in self.nodes.values()],
            "edges": [edge.as_json() for edge in self.edges.values()],
            "hidden": self.hidden,
            "cut_off": self.cut_off,
        }


def lineage_of(version: Version, by: Actor, *, depth: int = MAX_DEPTH) -> Graph:
    """The graph around a version that the actor sees, `depth` steps up and down."""
    start = _version_node(version, 0)
    graph = Graph(start.id, {start.id: start})
    walk = _Walk(graph, by)
    _follow(walk.up, [version], depth, graph, -1)
    _follow(walk.down, [version], depth, graph, 1)
    return graph


def _follow(step: Any, frontier: list[Version], depth: int, graph: Graph, direction: int) -> None:
    for level in range(1, depth + 1):
        frontier = step(frontier, direction * level)
        if not frontier:
            return
    # Whether there is more beyond is asked once, not counted.
    ids = [version.pk for version in frontier]
    beyond = Link.objects.filter(version__in=ids) if direction < 0 else Link.objects.filter(origin__in=ids)
    graph.cut_off = graph.cut_off or beyond.exists()


def _version_node(version: Version, layer: int) -> Node:
    state = "archived" if version.archived_at else version.state
    return Node(
        f"version:{version.pk}", "version", str(version), version.get_absolute_url(), state, layer, version.asset.kind
    )


@dataclass
class _Walk:
    graph: Graph
    by: Actor

    def up(self, frontier: list[Version], layer: int) -> list[Version]:
        """The origins of these versions; returns those that are versions themselves."""
        links = list(
            Link.objects.filter(version__in=[version.pk for version in frontier]).order_by("pk")[: MAX_NODES + 1]
        )
        origins = self._seen_versions(link.origin_id for link in links)
        assets = self._seen_assets(link.origin_asset_id for link in links)
        new = []
        for link in links:
            target = f"version:{link.version_id}"
            node: Node | None
            if link.origin_id:
                found = origins.get(link.origin_id)
                node = _version_node(found, layer) if found else None
            elif link.origin_asset_id:
                asset = assets.get(link.origin_asset_id)
                node = _asset_node(asset, layer) if asset else None
            else:
                node = _outside(link.origin_name, layer)
            if node is None:
                self._hide(target, layer, before=True)
                continue
            if self.graph.add(node) and link.origin_id:
                new.append(origins[link.origin_id])
            self.graph.join(node.id, target, link.get_relation_display())
        self._runs(frontier, layer)
        return new

    def down(self, frontier: list[Version], layer: int) -> list[Version]:
        """What these versions led to; returns the versions among it."""
        ids = [version.pk for version in frontier]
        wanted = Q(origin__in=ids)
        whole = frontier[0].asset_id if layer == 1 else None
        if whole:
            wanted |= Q(origin_asset=whole)  # somebody named the asset, and no version of it
        live = Link.objects.filter(wanted, version__deleted_at=None, version__asset__deleted_at=None)
        links = list(live.exclude(version__in=ids).order_by("-pk")[: MAX_NODES + 1])
        targets = self._seen_versions(link.version_id for link in links)
        new = []
        for link in links:
            origin = f"version:{link.origin_id or ids[0]}"
            found = targets.get(link.version_id)
            if found is None:
                self._hide(origin, layer, before=False)
                continue
            node = _version_node(found, layer)
            if self.graph.add(node):
                new.append(found)
            named = "" if link.origin_id else " (by name)"
            self.graph.join(origin, node.id, f"{link.get_relation_display()}{named}")
        self._evaluations(ids, layer)
        self._requests(frontier, layer)
        self._deployments(ids, layer)
        self._runs(new, layer)
        return new

    def _seen_versions(self, ids: Iterable[int | None]) -> dict[int, Version]:
        wanted = {pk for pk in ids if pk}
        return Version.objects.visible_to(self.by).select_related("asset__team").in_bulk(wanted) if wanted else {}

    def _seen_assets(self, ids: Iterable[int | None]) -> dict[int, Asset]:
        wanted = {pk for pk in ids if pk}
        return Asset.objects.visible_to(self.by).select_related("team").in_bulk(wanted) if wanted else {}

    def _hide(self, beside: str, layer: int, *, before: bool) -> None:
        """Count what may not be seen, in a node of its own beside the one that it belongs to."""
        self.graph.hidden += 1
        key = f"hidden:{beside}:{'before' if before else 'after'}"
        old = self.graph.nodes.get(key)
        count = int(old.state) + 1 if old else 1
        node = Node(key, "hidden", f"{count} that you can't see", "", str(count), layer)
        if old:
            self.graph.nodes[key] = node
        else:
            self.graph.add(node)
        self.graph.join(*((key, beside) if before else (beside, key)), "hidden")

    def _runs(self, versions: list[Version], layer: int) -> None:
        """The runs that made these versions, and what those runs say that they read."""
        made = {version.pk: version.source_run_id for version in versions if version.source_run_id}
        if not made:
            return
        runs = Run.objects.visible_to(self.by).in_bulk(set(made.values()))
        for pk, run_id in made.items():
            run = runs.get(run_id)
            target = f"version:{pk}"
            if run is None:
                self._hide(target, layer, before=True)
                continue
            at = self.graph.nodes[target].layer - 1 if target in self.graph.nodes else layer
            self.graph.add(Node(f"run:{run.pk}", "run", run.name, run.get_absolute_url(), run.state, at))
            self.graph.join(f"run:{run.pk}", target, "made")
        inputs = list(RunInput.objects.filter(run__in=runs).order_by("run_id", "pk")[:MAX_NODES])
        data = Version.objects.visible_to(self.by).select_related("asset__team")
        ours = {row.digest: row for row in data.filter(digest__in=[one.digest for one in inputs if one.digest])}
        for one in inputs:
            at = self.graph.nodes[f"run:{one.run_id}"].layer - 1 if f"run:{one.run_id}" in self.graph.nodes else layer
            known = ours.get(one.digest)
            node = _version_node(known, at) if known else _outside(one.name, at)
            self.graph.add(node)
            self.graph.join(node.id, f"run:{one.run_id}", "read by")

    def _evaluations(self, ids: list[int], layer: int) -> None:
        """Evaluations of these versions, or on them, with what they were run on."""
        every = Evaluation.objects.filter(Q(version__in=ids) | Q(dataset_version__in=ids))
        pks = list(every.order_by("-pk").values_list("pk", flat=True)[: MAX_NODES + 1])
        if not pks:
            return
        rows = Evaluation.objects.visible_to(self.by).filter(pk__in=pks)
        rows = rows.select_related("version__asset__team", "dataset_version__asset__team").order_by("-pk")
        found = list(rows)
        self.graph.hidden += len(pks) - len(found)
        for row in found:
            node = Node(
                f"evaluation:{row.pk}", "evaluation", f"Evaluation {row.pk}", row.get_absolute_url(), row.state, layer
            )
            self.graph.add(node)
            for version, relation in ((row.version, "evaluated by"), (row.dataset_version, "data of")):
                if version.deleted_at is None:
                    self.graph.add(_version_node(version, layer - 1))
                self.graph.join(f"version:{version.pk}", node.id, relation)

    def _requests(self, frontier: list[Version], layer: int) -> None:
        """Requests to move an alias to these versions, with what became of them."""
        ids = [version.pk for version in frontier]
        kinds = (ApprovalRequest.Kind.MODEL, ApprovalRequest.Kind.DATASET)
        rows = visible_requests(self.by).filter(kind__in=kinds, version_id__in=ids).order_by("-pk")[: MAX_NODES + 1]
        for row in rows:
            label = f"Request {row.pk}: {row.slot}"
            self.graph.add(Node(f"request:{row.pk}", "request", label, f"/requests/{row.pk}", row.state, layer))
            self.graph.join(f"version:{row.version_id}", f"request:{row.pk}", "asked for by")

    def _deployments(self, ids: list[int], layer: int) -> None:
        """Deployments whose newest or answering revision serves these versions."""
        every = Deployment.objects.for_people().filter(Q(revision__version__in=ids) | Q(active__version__in=ids))
        pks = list(every.order_by("-pk").values_list("pk", flat=True)[: MAX_NODES + 1])
        if not pks:
            return
        rows = Deployment.objects.visible_to(self.by).filter(pk__in=pks).select_related("team", "revision", "active")
        found = list(rows.order_by("-pk"))
        self.graph.hidden += len(pks) - len(found)
        for row in found:
            node = Node(f"deployment:{row.pk}", "deployment", str(row), row.get_absolute_url(), row.state, layer)
            self.graph.add(node)
            for revision in {row.revision, row.active}:
                if isinstance(revision, Revision) and revision.version_id in ids:
                    self.graph.join(f"version:{revision.version_id}", node.id, "served by")


def _asset_node(asset: Asset, layer: int) -> Node:
    return Node(f"asset:{asset.pk}", "asset", f"{asset} (any version)", asset.get_absolute_url(), "", layer, asset.kind)


def _outside(name: str, layer: int) -> Node:
    return Node(f"outside:{name}", "outside", name, "", "", layer)
