"""What a request about a prompt carries with it, and what it touches: shown to those who decide."""

from dataclasses import dataclass, field

from accounts.access import Actor
from governance.models import ApprovalRequest
from prompts.composition import CompositionProblem, Impact, descend, edges_of, impact_of
from prompts.models import Prompt, PromptVersion


@dataclass(frozen=True)
class Part:
    """A version that the asked one includes, under `name`; `approved`: these bytes were approved for this stage by themselves."""

    name: str
    version: PromptVersion
    pinned: bool
    approved: bool


@dataclass(frozen=True)
class Composed:
    parts: list[Part] = field(default_factory=list)
    impact: Impact = field(default_factory=Impact)
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.parts or self.impact or self.problem)


def composed(request: ApprovalRequest, actor: Actor) -> Composed:
    """Nothing for what is no prompt; else a few queries for each level."""
    if request.kind != "prompt":
        return Composed()
    prompt = Prompt.objects.filter(pk=request.asset_id, deleted_at=None).select_related("team").first()
    if prompt is None:
        return Composed()
    impact = impact_of(prompt, request.slot, actor)
    version = PromptVersion.objects.filter(pk=request.version_id or 0, prompt=prompt).first()
    if version is None:
        return Composed(impact=impact)
    try:
        tree = descend(edges_of([version]).get(version.pk, []))
    except CompositionProblem as problem:
        return Composed(impact=impact, problem=problem.message)
    edges = {edge.key: edge for edge in [*tree.edges, *(edge for below in tree.below.values() for edge in below)]}
    held = {key: found for key in edges if (found := tree.versions.get(key))}
    approved = set(
        ApprovalRequest.objects.filter(
            kind="prompt",
            asset_id__in={found.prompt_id for found in held.values()},
            stage=request.stage,
            state=ApprovalRequest.State.APPLIED,
            lapsed_at=None,
        ).values_list("asset_id", "digest")
    )
    parts = [
        Part(edges[key].name, found, edges[key].number is not None, (found.prompt_id, found.digest) in approved)
        for key, found in held.items()
    ]
    return Composed(sorted(parts, key=lambda part: part.name), impact)
