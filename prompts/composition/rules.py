"""What composition must keep to: no cycles, and behind a protected label nothing that changes without an approval."""

from collections.abc import Sequence

from django.db import connection
from django.db.models import Q

from accounts.access import Actor
from accounts.errors import Conflict, Invalid
from governance import gate
from governance.stages import ALWAYS_PROTECTED, stage_of
from prompts.composition.edges import MAX_DEPTH, CompositionProblem, Edge, Key, Tree, descend, edges_of
from prompts.models import Include, Label, Prompt, PromptVersion

KIND = "prompt"
_LOCK = 0x70726F6D  # 'prom': whoever adds or moves an edge of the graph waits for the others who do


def lock_graph() -> None:
    """One at a time until the transaction ends: two moves, each harmless, could close a cycle together. Taken after the
    prompt's own row, and no other prompt's row is locked after it, so that nobody waits in a circle."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def own_text_problem(edge: Edge, version: PromptVersion | None) -> str:
    """Why this can't be included at all; empty when it can."""
    if version is None:
        if edge.number:
            return f"{edge.prompt} has no version {edge.number}."
        return (
            f"{edge.prompt} has no version yet."
            if edge.label == "latest"
            else f"{edge.prompt} has no label '{edge.label}'."
        )
    if version.type != PromptVersion.Type.TEXT:
        return f"{edge.name} is a chat prompt: only a text can stand inside of another prompt."
    return ""


def check_tree(prompt: Prompt | None, tree: Tree) -> None:
    """Raise CompositionProblem where a new version of this prompt with these includes would close a cycle; also one that only a
    label of the prompt itself would close: the version could never be released."""
    pk = prompt.pk if prompt else 0
    tree.check(str(prompt) if prompt else "this prompt", lambda edge: edge.prompt.pk == pk and edge.number is None)


def check_new(prompt: Prompt, edges: Sequence[Edge]) -> None:
    """Within the transaction that writes a version: once more, while nobody else moves anything."""
    if not edges:
        return
    lock_graph()
    try:
        check_tree(prompt, descend(edges))
    except CompositionProblem as problem:
        raise Invalid("template", problem.message, code="include_cycle") from None


def write_includes(version: PromptVersion, edges: Sequence[Edge]) -> None:
    Include.objects.bulk_create(
        Include(version=version, prompt=edge.prompt, written=edge.written, label=edge.label, number=edge.number)
        for edge in edges
    )


def check_move(prompt: Prompt, label: str, version: PromptVersion) -> None:
    """Within the transaction that moves a label (or asks for it), the prompt locked: may it point at this version?"""
    tree = _free_of_cycles(prompt, label, version, f"'{label}' can't point at version {version.number}")
    if tree is not None and gate.is_protected(prompt.team, KIND, str(prompt), label):
        _check_protected(prompt, label, version, tree)


def check_free(prompt: Prompt, label: str, by: Actor) -> None:
    """Within the transaction that moves a label without an approval, the prompt locked: raise Conflict where a version at a protected
    label takes in what stands here, since this label was protected too when that was approved and is not any more."""
    if gate.is_protected(prompt.team, KIND, str(prompt), label) or not _above({(prompt.pk, label, None)}):
        return
    lock_graph()
    frontier: set[Key] = {(prompt.pk, label, None)}
    seen: set[int] = set()
    for _ in range(MAX_DEPTH):
        versions = {pk: (prompt_id, number) for pk, prompt_id, number in _above(frontier) if pk not in seen}
        if not versions:
            return
        seen |= set(versions)
        frontier = {(prompt_id, "", number) for prompt_id, number in versions.values()}
        for held in Label.objects.filter(version__in=versions).select_related("prompt__team"):
            if gate.is_protected(held.prompt.team, KIND, str(held.prompt), held.name):
                _refuse_free(prompt, label, held, by)
            frontier.add((held.prompt_id, held.name, None))


def _above(keys: set[Key]) -> list[tuple[int, int, int]]:
    """(id, prompt, number) of the living versions that include any of these."""
    chosen = Q(pk__in=[])
    for prompt, label, number in keys:
        chosen |= Q(prompt=prompt, number=number) if number else Q(prompt=prompt, label=label)
    alive = Include.objects.filter(chosen, version__deleted_at=None, version__prompt__deleted_at=None)
    return list(alive.values_list("version_id", "version__prompt_id", "version__number").distinct())


def _refuse_free(prompt: Prompt, label: str, held: Label, by: Actor) -> None:
    seen = Prompt.objects.visible_to(by).filter(pk=held.prompt_id).exists()
    where = f"'{held.name}' of {held.prompt}" if seen else "a prompt of another team"
    raise Conflict(
        f"'{label}' of {prompt} is not protected any more, but it stands in what was approved for {where}, which would change "
        f"unapproved. Protect '{label}' by a policy again, or have a version approved there that names a number.",
        code="include_approved",
    )


def check_points(prompt: Prompt, label: str, version: PromptVersion, *, refused: str) -> None:
    """Within the transaction after which this name ('latest' too) leads to this version without anybody's moving it (something is deleted,
    restored or rolled back), the prompt locked: raise Conflict where that closes a cycle. `refused`: what can't be done then."""
    _free_of_cycles(prompt, label, version, refused)


def _free_of_cycles(prompt: Prompt, label: str, version: PromptVersion, refused: str) -> Tree | None:
    """All that the version includes (None: nothing); Conflict where that leads back to this name."""
    edges = edges_of([version]).get(version.pk, [])
    if not edges:
        return None
    lock_graph()
    try:
        tree = descend(edges, instead={(prompt.pk, label, None): version})
        tree.check(f"{prompt}@{label}", lambda edge: edge.key == (prompt.pk, label, None))
    except CompositionProblem as problem:
        raise Conflict(f"{refused}. {problem.message}", code="include_cycle") from None
    return tree


def _check_protected(prompt: Prompt, label: str, version: PromptVersion, tree: Tree) -> None:
    edges = [(str(prompt), edge) for edge in tree.edges]
    edges += [(str(held), edge) for held in tree.versions.values() for edge in tree.below.get(held.pk, [])]
    for holder, edge in edges:
        if missing := own_text_problem(edge, tree.follow(edge)):
            raise Conflict(
                f"{holder} includes {edge.name}, which is not there (any more): {missing}", code="include_missing"
            )
        if edge.number is None and not _protected_as(edge, label):
            raise Conflict(
                f"{holder} includes {edge.name}, and '{edge.label}' moves without an approval that is worth '{label}': what "
                f"is approved here could change unapproved. Pin a number (as in {edge.prompt}:{_number(tree, edge)}) or include "
                f"it at '{label}'.",
                code="include_unprotected",
                link=version.get_absolute_url(),
            )


def _protected_as(edge: Edge, label: str) -> bool:
    """Is the included label held at least as firmly as this one? Production always is; another stage by its own name."""
    if edge.label in ALWAYS_PROTECTED:
        return True
    same = stage_of(edge.label) == stage_of(label)
    return same and gate.is_protected(edge.prompt.team, KIND, str(edge.prompt), edge.label)


def _number(tree: Tree, edge: Edge) -> int:
    version = tree.follow(edge)
    return version.number if version else 1
