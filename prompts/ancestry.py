"""Which versions a version grew from: all in one query for a prompt, walked in memory."""

from dataclasses import dataclass

from prompts.models import Prompt, PromptVersion


@dataclass(frozen=True)
class Graph:
    """By id: the parents of each version of a prompt, deleted ones too, its number and its author. A parent has a smaller number."""

    parents: dict[int, tuple[int, ...]]
    numbers: dict[int, int]
    authors: dict[int, int]

    def ancestors(self, version_id: int) -> set[int]:
        """The version itself and all that it grew from."""
        found: set[int] = set()
        left = [version_id]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.parents.get(one, ())
        return found

    def base(self, one: int, other: int) -> int | None:
        """The nearest version that both grew from; None where they have nothing in common."""
        shared = self.ancestors(one) & self.ancestors(other)
        return max(shared, key=lambda pk: self.numbers[pk], default=None)


def graph_of(prompt: Prompt) -> Graph:
    rows = list(prompt.versions.order_by().values_list("pk", "parent_id", "merged_id", "number", "created_by_id"))
    return Graph(
        {pk: tuple(one for one in (parent, merged) if one is not None) for pk, parent, merged, _, _ in rows},
        {pk: number for pk, _, _, number, _ in rows},
        {pk: author for pk, _, _, _, author in rows},
    )


def authors_of(prompt: Prompt, digest: str) -> set[int]:
    """The ids of those who wrote this very text, in whichever version of the prompt; of a merge also those whose work it merged."""
    rows = list(
        prompt.versions.filter(digest=digest).order_by().values_list("pk", "created_by_id", "parent_id", "merged_id")
    )
    found = {author for _, author, _, _ in rows}
    merges = [(parent, merged) for _, _, parent, merged in rows if merged is not None]
    if merges:
        graph = graph_of(prompt)
        for parent, merged in merges:
            there = graph.ancestors(parent) if parent is not None else set()
            found |= {graph.authors[pk] for pk in graph.ancestors(merged) - there}
    return found


def heads_of(prompt: Prompt) -> dict[str, PromptVersion]:
    """The newest living version of each line, 'main' among them."""
    rows = prompt.versions.filter(deleted_at=None).order_by("branch", "-number").distinct("branch")
    return {version.branch: version for version in rows}
