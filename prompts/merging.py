"""Three-way merges of what versions say: two contents that grew from a third become one, and what both changed differently is a
conflict that a person decides. Nothing here touches the database."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts.matching import Budget, Matcher, TooMuch
from prompts.alignment import aligned

FIELDS = ("type", "format", "template", "inputs", "tools", "response_format", "model", "parameters")
OURS, THEIRS, BOTH, EDIT = "ours", "theirs", "both", "edit"
_LINES, _WORDS = r"[^\n]*\n|[^\n]+", r"\s+|\w+|[^\w\s]"


class _Missing:
    """No value here, on this side."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Any = _Missing()


@dataclass(frozen=True)
class Clash:
    """One place that both sides changed, each otherwise. `choices` of CHOICES are possible; a side that has nothing is None."""

    key: str  # the place, such as 'template[2].content#1' or 'parameters.temperature'
    title: str
    base: Any
    ours: Any
    theirs: Any
    choices: tuple[str, ...]
    kind: str  # text, messages or value
    chosen: str = ""
    edited: Any = None


@dataclass
class Merged:
    """What came of it. `fields` holds our side where a clash is not decided; `open` are these."""

    fields: dict[str, Any]
    clashes: list[Clash] = field(default_factory=list)

    @property
    def open(self) -> list[Clash]:
        return [clash for clash in self.clashes if not clash.chosen]


def merge(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], chosen: Mapping[str, Any] | None = None
) -> Merged:
    """Merge the FIELDS of two versions. chosen: by a clash's key 'ours', 'theirs', 'both', or {"edit": value}."""
    work = _Merge(chosen or {})
    fields: dict[str, Any] = {}
    for name in FIELDS:
        sides = (base.get(name), ours.get(name), theirs.get(name))
        if name == "template":
            fields[name] = work.template(*sides)
        elif name == "inputs":
            fields[name] = work.listed(name, *sides, name_of=lambda item: str(item.get("name")))
        elif name == "tools":
            fields[name] = work.listed(name, *sides, name_of=_tool_name)
        elif name == "parameters":
            fields[name] = work.value(name, *sides)
        else:
            fields[name] = work.whole(name, *sides)
    return Merged(fields, work.clashes)


def _tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, Mapping) else tool.get("name"))


class _Merge:
    """One merge under way: what is decided, and the clashes that were met."""

    def __init__(self, chosen: Mapping[str, Any]) -> None:
        self.chosen = chosen
        self.clashes: list[Clash] = []
        self.budget = Budget()

    def clash(
        self, key: str, title: str, base: Any, ours: Any, theirs: Any, *, kind: str = "value", joined: Any = MISSING
    ) -> Any:
        """Note a clash and answer with what was chosen; ours, as long as nothing was. joined: what 'both' means here."""
        choices = (OURS, THEIRS, *((BOTH,) if joined is not MISSING else ()), EDIT)
        said = self.chosen.get(key)
        word, edited = (EDIT, said.get(EDIT)) if isinstance(said, Mapping) and EDIT in said else (said, None)
        word = word if isinstance(word, str) and word in choices else ""
        shown = [None if side is MISSING else side for side in (base, ours, theirs)]
        self.clashes.append(Clash(key, title, shown[0], shown[1], shown[2], choices, kind, word, edited))
        return {OURS: ours, "": ours, THEIRS: theirs, BOTH: joined, EDIT: edited}[word]

    def whole(self, key: str, base: Any, ours: Any, theirs: Any) -> Any:
        """A value that is taken from one side as it is."""
        if ours == theirs or theirs == base:
            return ours
        if ours == base:
            return theirs
        return self.clash(key, key, base, ours, theirs)

    def value(self, key: str, base: Any, ours: Any, theirs: Any) -> Any:
        """Any JSON value: objects key by key, texts of several lines line by line, all else as a whole."""
        if ours == theirs or theirs == base:
            return ours
        if ours == base:
            return theirs
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            known = base if isinstance(base, Mapping) else {}
            merged = {}
            for name in [*ours, *(name for name in theirs if name not in ours)]:
                sides = (side.get(name, MISSING) for side in (known, ours, theirs))
                found = self.value(f"{key}.{name}", *sides)
                if found is not MISSING:
                    merged[name] = found
            return merged
        if all(isinstance(side, str) and "\n" in side for side in (base, ours, theirs)):
            return self.text(key, key, base, ours, theirs)
        return self.clash(key, key, base, ours, theirs)

    def listed(self, key: str, base: Any, ours: Any, theirs: Any, *, name_of: Callable[[Any], str]) -> list[Any]:
        """A list of objects that have names: by name, in our order, with what is new on their side after it."""
        sides = [
            {name_of(item): item for item in side or [] if isinstance(item, Mapping)} for side in (base, ours, theirs)
        ]
        merged = []
        for name in [*sides[1], *(name for name in sides[2] if name not in sides[1])]:
            found = self.value(f"{key}.{name}", *(side.get(name, MISSING) for side in sides))
            if found is not MISSING and found is not None:
                merged.append(found)
        return merged

    def text(self, key: str, title: str, base: str, ours: str, theirs: str) -> str:
        """Line by line; where lines clash, word by word; what clashes still is a hunk of lines. What is too long to compare is one."""
        found, number = [], 0
        for hunk in self._hunks(_LINES, [base, ours, theirs]):
            if not isinstance(hunk, tuple):
                found.append("".join(hunk))
                continue
            sides = ["".join(side) for side in hunk]
            words = self._hunks(_WORDS, sides)
            agreed = [word for word in words if isinstance(word, list)]
            if sides[0] and len(agreed) == len(words):
                found += ["".join(word) for word in agreed]
                continue
            number += 1
            joined = sides[1] + ("" if not sides[1] or sides[1].endswith("\n") else "\n") + sides[2]
            place = f"{key}#{number}"
            found.append(str(self.clash(place, f"{title}, place {number}", *sides, kind="text", joined=joined) or ""))
        return "".join(found)

    def _hunks(self, pattern: str, sides: list[str]) -> "list[Hunk]":
        try:
            base, ours, theirs = (re.findall(pattern, side) for side in sides)
            return list(hunks(base, ours, theirs, self.budget))
        except TooMuch:
            return [([sides[0]], [sides[1]], [sides[2]])]

    def template(self, base: Any, ours: Any, theirs: Any) -> Any:
        if all(isinstance(side, str) for side in (base, ours, theirs)):
            return self.text("template", "template", base, ours, theirs)
        if not all(isinstance(side, list) for side in (base, ours, theirs)):
            return self.whole("template", base, ours, theirs)
        return self.messages(base, ours, theirs)

    def messages(self, base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
        """Messages find each other first; each is then merged by itself, and what was put between them is kept in its place."""
        left, right = _Followed(base, ours, self.budget), _Followed(base, theirs, self.budget)
        merged: list[Any] = []
        for index in range(-1, len(base)):
            if index >= 0:
                sides = (base[index], left.now(index), right.now(index))
                found = self.message(f"template[{index}]", f"message {index + 1}", *sides)
                if found is not MISSING and found is not None:
                    merged.append(found)
            mine, other = left.after(index), right.after(index)
            if not mine or not other or mine == other:
                merged += mine or other
                continue
            key, title = (
                f"template[{index}]+",
                f"messages after message {index + 1}" if index >= 0 else "first messages",
            )
            merged += self.clash(key, title, [], mine, other, kind="messages", joined=mine + other) or []
        return merged

    def message(self, key: str, title: str, base: Any, ours: Any, theirs: Any) -> Any:
        if ours == theirs or theirs == base:
            return ours
        if ours == base:
            return theirs
        if MISSING in (ours, theirs):
            # Changed here and removed there.
            return self.clash(key, title, base, ours, theirs)
        merged = {}
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            sides = [side.get(name, MISSING) for side in (base, ours, theirs)]
            if all(isinstance(side, str) for side in sides) and name == "content":
                merged[name] = self.text(f"{key}.content", title, *sides)
                continue
            found = self.value(f"{key}.{name}", *sides)
            if found is not MISSING:
                merged[name] = found
        return merged


class _Followed:
    """What became of each message of the base on one side, and what was put in after each."""

    def __init__(self, base: list[Any], side: list[Any], budget: Budget) -> None:
        self._now: dict[int, Any] = {}
        self._after: dict[int, list[Any]] = {}
        last = -1
        for i, j in aligned(base, side, budget):
            if i is not None:
                last = i
                self._now[i] = MISSING if j is None else side[j]
            elif j is not None:
                self._after.setdefault(last, []).append(side[j])

    def now(self, index: int) -> Any:
        return self._now.get(index, MISSING)

    def after(self, index: int) -> list[Any]:
        return self._after.get(index, [])


Hunk = list[str] | tuple[list[str], list[str], list[str]]


def hunks(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], budget: Budget) -> Iterator[Hunk]:
    """The merged stretches in order: a list where they agree or one side alone changed, (base, ours, theirs) where both did. Raises
    TooMuch."""
    z = a = b = 0
    for zm, am, bm, length in _common(base, ours, theirs, budget):
        before, mine, other = list(base[z:zm]), list(ours[a:am]), list(theirs[b:bm])
        if mine == other or other == before:
            chunk: Hunk = mine
        elif mine == before:
            chunk = other
        else:
            chunk = (before, mine, other)
        if chunk:
            yield chunk
        if length:
            yield list(base[zm : zm + length])
        z, a, b = zm + length, am + length, bm + length


def _common(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], budget: Budget
) -> Iterator[tuple[int, int, int, int]]:
    """Stretches that are in all three: (place in base, in ours, in theirs, length), and the end of all."""
    left = Matcher(base, ours, budget).get_matching_blocks()
    right = Matcher(base, theirs, budget).get_matching_blocks()
    i = j = 0
    while i < len(left) and j < len(right):
        one, two = left[i], right[j]
        start, end = max(one.a, two.a), min(one.a + one.size, two.a + two.size)
        if start < end:
            yield start, one.b + start - one.a, two.b + start - two.a, end - start
        if one.a + one.size < two.a + two.size:
            i += 1
        else:
            j += 1
    yield len(base), len(ours), len(theirs), 0


def content_of(version: Any) -> dict[str, Any]:
    """The FIELDS of a version, its own to change."""
    return {name: copy.deepcopy(getattr(version, name)) for name in FIELDS}
