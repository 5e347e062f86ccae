"""The tab of a prompt that shows its composition, one version at a time."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.numbers import whole
from home.lineage.drawing import branches, draw
from home.lineage.graph import Edge, Graph, Node
from prompts import composition
from prompts.composition import CompositionProblem
from prompts.models import PromptVersion
from prompts.reads import get_prompt, get_version
from prompts.views.frame import prompt_page


@login_required
@require_safe
def composition_page(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """?version=n, else the one in production or the newest. ?label= shows what moving this label would touch."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    page = prompt_page(request, prompt, "graph")
    production = next((label.version for label in page["labels"] if label.name == "production"), page["latest"])
    number = whole(request.GET.get("version", ""))
    version = get_version(by, prompt, number) if number else production
    label = request.GET.get("label", "")
    page |= {"version": version, "label": label, "impact": composition.impact_of(prompt, label or None, by)}
    if version is not None:
        page["numbers"] = list(prompt.versions.filter(deleted_at=None).values_list("number", flat=True)[:100])
        try:
            graph = _drawable(version, by)
            page |= {
                "graph": graph,
                "drawing": draw(graph),
                "origins": branches(graph, up=True),
                "results": branches(graph, up=False),
            }
        except CompositionProblem as problem:
            page["problem"] = problem.message
    return render(request, "home/composition.html", page)


def _drawable(version: PromptVersion, by: Actor) -> Graph:
    found = composition.graph_of(version, by)
    graph = Graph(found.start, hidden=found.hidden, cut_off=found.cut_off)
    for node in found.nodes.values():
        graph.add(Node(node.id, node.kind, node.label, node.href, node.state, node.layer, "prompt"))
    for edge in found.edges.values():
        graph.edges[(edge.origin, edge.target)] = Edge(edge.origin, edge.target, f"at {edge.relation}")
    return graph
