"""Where a version comes from and where it leads: across registry, runs, evaluations, requests and deployments."""

from home.lineage.graph import MAX_DEPTH, MAX_NODES, Edge, Graph, Node, lineage_of

__all__ = ["MAX_DEPTH", "MAX_NODES", "Edge", "Graph", "Node", "lineage_of"]
