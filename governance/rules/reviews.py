"""Who must approve: one or more steps, each of so many people of a role or a named group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.roles import Role
from governance.rules.reading import SLUG, Errors, Reader

MAX_STEPS = 8
MAX_COUNT = 10
_SLUG_HELP = "Use the short name of a {what}, such as '{example}'."


@dataclass(frozen=True)
class ReviewStep:
    """`count` people of a role, or of a named group such as 'legal'; exactly one of the two is given."""

    count: int
    role: str | None = None
    group: str | None = None

    @property
    def who(self) -> str:
        return f"{_article(self.role)} {self.role}" if self.role else f"the group {self.group}"

    @property
    def title(self) -> str:
        people = "one review" if self.count == 1 else f"{self.count} reviews"
        if self.group:
            return f"{people} by {'a member' if self.count == 1 else 'members'} of the group {self.group}".capitalize()
        return f"{people} by {self.who} who is neither the author nor the requester".capitalize()

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count} | ({"role": self.role} if self.role else {"group": self.group})


@dataclass(frozen=True)
class ReviewRule:
    """Never the author of the version nor of the request, and no one twice. `ordered`: each step waits for the one before."""

    steps: tuple[ReviewStep, ...]
    ordered: bool = False

    @property
    def count(self) -> int:
        """How many people approve in all."""
        return sum(step.count for step in self.steps)

    @property
    def title(self) -> str:
        """All steps as one sentence."""
        first, *rest = [step.title for step in self.steps]
        return (", then " if self.ordered else ", and ").join([first, *(text[0].lower() + text[1:] for text in rest)])

    @property
    def sentences(self) -> list[str]:
        """One line per step."""
        if not self.ordered or len(self.steps) == 1:
            return [step.title for step in self.steps]
        return [
            f"{'Then' if index else 'First'} {step.title[0].lower()}{step.title[1:]}"
            for index, step in enumerate(self.steps)
        ]

    def as_json(self) -> dict[str, Any]:
        return {"steps": [step.as_json() for step in self.steps], "ordered": self.ordered}


def read_reviews(entry: Any, errors: Errors) -> ReviewRule | None:
    """{"steps": [{"count", "role" | "group"}], "ordered"}, or of one step its shorthand {"count", "role" | "group"}."""
    if not isinstance(entry, Mapping):
        errors["reviews"] = ["Give {steps: [{count, role or group}], ordered}."]
        return None
    read = Reader(entry, "reviews", errors)
    if "steps" not in entry:
        step = _step(read)
        return ReviewRule((step,)) if read.end() else None
    ordered = read.flag("ordered", default=False)
    entries = read.value("steps", [])
    if not isinstance(entries, list) or not entries:
        read.fail("steps", "Give at least one step: an approval is somebody else's word.")
        entries = []
    if len(entries) > MAX_STEPS:
        read.fail("steps", f"Use at most {MAX_STEPS} steps.")
        entries = []
    fine = read.end()
    steps = []
    for index, one in enumerate(entries):
        if not isinstance(one, Mapping):
            errors[f"reviews.steps[{index}]"] = ["Give {count, role or group}."]
            fine = False
            continue
        inner = Reader(one, f"reviews.steps[{index}]", errors)
        steps.append(_step(inner))
        fine = inner.end() and fine
    return ReviewRule(tuple(steps), ordered) if fine else None


def _step(read: Reader) -> ReviewStep:
    count = read.whole("count", 1, MAX_COUNT, "people", default=1) or 1
    role = read.text("role", SLUG.pattern, _SLUG_HELP.format(what="role", example="reviewer"))
    group = read.text("group", SLUG.pattern, _SLUG_HELP.format(what="group", example="legal"))
    if role and group:
        read.fail("group", "A step is of a role or of a group; make two steps for both.")
    if not role and not group:
        role = Role.REVIEWER.value
    return ReviewStep(count, None if group else role, group or None)


def _article(word: str | None) -> str:
    return "an" if word and word[0] in "aeiou" else "a"
