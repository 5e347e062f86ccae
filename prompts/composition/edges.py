"""What a version includes, and what that includes in turn: read level by level, a few queries each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import F, Q

from accounts.access import Actor
from accounts.models import Team
from prompts.models import MAIN, Include, Prompt, PromptVersion
from prompts.references import LATEST, Reference

MAX_DEPTH = 10
MAX_INCLUDED = 100
MAX_SOURCES = 4 * 1024 * 1024  # characters of all templates together

Key = tuple[int, str, int | None]


class CompositionProblem(Exception):
    """Includes that can't be: a cycle, too deep, or something that is not there (any more). `path`: the names from the first to it."""

    def __init__(self, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message, self.path = message, list(path)


@dataclass(frozen=True)
class Edge:
    """'This text includes that prompt, at a label or a number.' `written`: how the template names it."""

    written: str
    prompt: Prompt
    label: str = ""
    number: int | None = None

    @property
    def key(self) -> Key:
        return self.prompt.pk, self.label, self.number

    @property
    def name(self) -> str:
        return f"{self.prompt}{f':{self.number}' if self.number else f'@{self.label}'}"


@dataclass
class Tree:
    """All that is included, directly or not: versions by what they are named by, and each one's own edges."""

    edges: list[Edge]
    versions: dict[Key, PromptVersion] = field(default_factory=dict)
    below: dict[int, list[Edge]] = field(default_factory=dict)

    def follow(self, edge: Edge) -> PromptVersion | None:
        return self.versions.get(edge.key)

    @property
    def through(self) -> list[tuple[Edge, PromptVersion]]:
        """Each name that something is included by, once, and the version that it led to."""
        every = {edge.key: edge for edge in [*self.edges, *(edge for below in self.below.values() for edge in below)]}
        return [(edge, version) for key, edge in every.items() if (version := self.versions.get(key))]

    def check(self, start: str, closes: Callable[[Edge], bool] = lambda edge: False) -> None:
        """Raise for a cycle or a path that is too long. `closes`: does this edge lead back to the start?"""
        free: dict[int, int] = {}  # how deep it goes below a version that was seen to be in order

        def depth(edges: Iterable[Edge], path: list[str], ids: list[int]) -> int:
            deepest = 0
            for edge in edges:
                names = [*path, edge.name]
                version = self.follow(edge)
                if closes(edge) or (version is not None and version.pk in ids):
                    raise CompositionProblem(f"It would include itself: {' → '.join(names)}.", names)
                if len(names) > MAX_DEPTH + 1:
                    raise CompositionProblem(f"Includes go at most {MAX_DEPTH} deep: {' → '.join(names)}.", names)
                if version is None:
                    continue
                if version.pk not in free:
                    free[version.pk] = depth(self.below.get(version.pk, []), names, [*ids, version.pk])
                elif len(names) + free[version.pk] > MAX_DEPTH + 1:
                    raise CompositionProblem(f"Includes go at most {MAX_DEPTH} deep: {' → '.join(names)}.", names)
                deepest = max(deepest, 1 + free[version.pk])
            return deepest

        depth(self.edges, [start], [])


def edges_of(versions: Iterable[PromptVersion]) -> dict[int, list[Edge]]:
    """What these versions include themselves, by their id. One query."""
    found: dict[int, list[Edge]] = {}
    rows = Include.objects.filter(version__in=[version.pk for version in versions]).select_related("prompt__team")
    for row in rows.order_by("pk"):
        found.setdefault(row.version_id, []).append(Edge(row.written, row.prompt, row.label, row.number))
    return found


def versions_at(keys: Iterable[Key]) -> dict[Key, PromptVersion]:
    """The versions that labels, numbers and 'latest' name now. One query."""
    wanted, chosen = set(keys), Q(pk__in=[])
    newest = [prompt for prompt, label, _ in wanted if label == LATEST]
    if newest:
        rows = PromptVersion.objects.filter(prompt__in=newest, branch=MAIN, deleted_at=None)
        latest = rows.order_by("prompt_id", "-number").distinct("prompt_id").values("pk")
        chosen |= Q(pk__in=latest)
    for prompt, label, number in wanted:
        if number is not None:
            chosen |= Q(prompt=prompt, number=number)
        elif label != LATEST:
            chosen |= Q(prompt=prompt, at=label)
    if not wanted:
        return {}
    found: dict[Key, PromptVersion] = {}
    rows = (
        PromptVersion.objects.filter(deleted_at=None, prompt__deleted_at=None)
        .annotate(at=F("labels__name"))
        .filter(chosen)
        .select_related("prompt__team")
    )
    for version in rows.order_by("prompt_id", "number"):
        at = getattr(version, "at", None) or ""
        for key in ((version.prompt_id, at, None), (version.prompt_id, "", version.number)):
            if key in wanted:
                found[key] = version
        if (latest_key := (version.prompt_id, LATEST, None)) in wanted and version.branch == MAIN:
            found[latest_key] = version  # the rows ascend: the newest stays
    return found


def descend(edges: Sequence[Edge], *, instead: Mapping[Key, PromptVersion] | None = None) -> Tree:
    """Everything below these edges, in two queries for each level. `instead`: what some labels are to point at."""
    tree = Tree(list(edges))
    level = list(edges)
    for _ in range(MAX_DEPTH + 1):
        keys = {edge.key for edge in level} - tree.versions.keys()
        if not keys:
            break
        if len(tree.versions) + len(keys) > MAX_INCLUDED:
            raise CompositionProblem(f"At most {MAX_INCLUDED} prompts are included together.")
        found = versions_at(keys) | {key: version for key, version in (instead or {}).items() if key in keys}
        tree.versions |= found
        if sum(len(str(version.template)) for version in tree.versions.values()) > MAX_SOURCES:
            raise CompositionProblem(f"The included prompts have more than {MAX_SOURCES:,} characters together.")
        new = {version.pk: version for version in found.values() if version.pk not in tree.below}
        below = edges_of(new.values()) if new else {}
        tree.below |= {pk: below.get(pk, []) for pk in new}
        level = [edge for edges in below.values() for edge in edges]
    return tree


def pinned(version: PromptVersion) -> list[PromptVersion]:
    """What a version includes by number, and those in turn: parts of its text for ever."""
    edges = [edge for edge in edges_of([version]).get(version.pk, []) if edge.number is not None]
    tree = descend(edges)
    found: dict[int, PromptVersion] = {}
    while edges:
        held = [one for edge in edges if (one := tree.follow(edge)) is not None and one.pk not in found]
        found |= {one.pk: one for one in held}
        edges = [edge for one in held for edge in tree.below.get(one.pk, []) if edge.number is not None]
    return list(found.values())


def find(references: Iterable[Reference], team: Team, by: Actor) -> dict[str, Edge]:
    """The prompts that a template of this team names, as far as the actor sees them, by how they are written. One query.
    A path is a name in the team itself, before its first part is taken for another team."""
    wanted = list(references)
    if not wanted:
        return {}
    chosen = Q(pk__in=[])
    for reference in wanted:
        chosen |= Q(team=team, name=reference.path)
        other, name = reference.other_team
        if name:
            chosen |= Q(team__name=other, name=name)
    rows = Prompt.objects.visible_to(by).filter(chosen).select_related("team")
    prompts = {(row.team.name, row.name): row for row in rows}
    found = {}
    for reference in wanted:
        prompt = prompts.get((team.name, reference.path)) or prompts.get(reference.other_team)
        if prompt is not None:
            found[reference.written] = Edge(reference.written, prompt, reference.label, reference.number)
    return found
