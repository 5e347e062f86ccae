"""Prompts that include others: resolved, held free of cycles, and followed the other way: what would a change touch?"""

from prompts.composition.edges import MAX_DEPTH, MAX_INCLUDED, CompositionProblem, Edge, Tree, descend, edges_of, pinned
from prompts.composition.impact import Graph, GraphEdge, GraphNode, Impact, ImpactRow, graph_of, impact_of
from prompts.composition.rules import check_free, check_move, check_new, check_points, own_text_problem, write_includes

__all__ = [
    "MAX_DEPTH",
    "MAX_INCLUDED",
    "CompositionProblem",
    "Edge",
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Impact",
    "ImpactRow",
    "Tree",
    "check_free",
    "check_move",
    "check_new",
    "check_points",
    "descend",
    "edges_of",
    "graph_of",
    "impact_of",
    "own_text_problem",
    "pinned",
    "write_includes",
]
