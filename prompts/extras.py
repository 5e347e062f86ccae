"""What apps above this one have to say about versions: chips in lists, what a version costs, and what follows when one is made. They
register when they start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from accounts.access import Actor
from prompts.models import PromptVersion


@dataclass(frozen=True)
class Chip:
    """A few words beside a version. tone: good, bad, warn, info, busy or quiet; the words say it without the colour too."""

    text: str
    tone: str = "quiet"
    href: str = ""
    title: str = ""


Extra = Callable[[Actor, Sequence[PromptVersion]], Mapping[int, Sequence[Chip]]]
_EXTRAS: list[Extra] = []


def add_version_extra(function: Extra) -> None:
    """Called with the versions of a page at once: answer in a constant number of queries, by version id."""
    if function not in _EXTRAS:
        _EXTRAS.append(function)


def chips_of(by: Actor, versions: Sequence[PromptVersion]) -> dict[int, list[Chip]]:
    """Everything that is said about these versions, in the order of registration."""
    found: dict[int, list[Chip]] = {}
    if versions:
        for extra in _EXTRAS:
            for version_id, chips in extra(by, versions).items():
                found.setdefault(version_id, []).extend(chips)
    return found


Follow = Callable[[PromptVersion, Actor], None]
_FOLLOWS: list[Follow] = []


def when_version_is_made(function: Follow) -> None:
    """Called in the transaction that makes a version, so that what follows from it is not lost. It must not raise."""
    if function not in _FOLLOWS:
        _FOLLOWS.append(function)


def version_was_made(version: PromptVersion, by: Actor) -> None:
    for follow in _FOLLOWS:
        follow(version, by)


@dataclass(frozen=True)
class Weight:
    """How much of a model's context a version takes, its variables not filled in. `counted_with`: by which tokenizer; cost: in words,
    empty where no price is known."""

    tokens: int
    counted_with: str
    exact: bool
    cost: str = ""


Weigh = Callable[[Actor, PromptVersion], Weight | None]
_WEIGHS: list[Weigh] = []


def weigh_versions_with(function: Weigh) -> None:
    """Who can count tokens lies above: it says so here."""
    if function not in _WEIGHS:
        _WEIGHS.append(function)


def weight_of(by: Actor, version: PromptVersion) -> Weight | None:
    """What the version weighs; None where nobody can say."""
    return next((weight for weigh in _WEIGHS if (weight := weigh(by, version)) is not None), None)
