"""A difference as every page shows it (templates/prompts/difference.html): the page of differences, a request's, and the editor's."""

import re
from dataclasses import dataclass
from typing import Any

from prompts import differences
from prompts.differences import Difference, KeyChange, MessageChange, Piece
from prompts.models import PromptVersion
from prompts.reading import texts_of

_AROUND = 2  # lines shown on either side of a change
_FOLDED = 4  # so many unchanged lines are worth folding


@dataclass(frozen=True)
class Stretch:
    """A part of an inline difference: op equal, insert, delete, or fold (unchanged lines that open on a click)."""

    op: str
    text: str
    lines: int = 0


@dataclass(frozen=True)
class ShownText:
    """A message: both texts for two columns, each by a name of its own, or the stretches of one."""

    change: MessageChange
    before: str
    after: str
    before_label: str
    after_label: str
    stretches: list[Stretch]

    @property
    def differs(self) -> bool:
        return any(piece.op != "equal" for piece in self.change.pieces)


@dataclass(frozen=True)
class Shown:
    """All that differs. `before_label` is empty where everything is new."""

    difference: Difference
    messages: list[dict[str, Any]]  # of the second version
    texts: list[ShownText]
    tables: list[tuple[str, list[KeyChange]]]
    before_label: str
    after_label: str
    inline: bool = False

    @property
    def same(self) -> bool:
        return self.difference.same

    @property
    def summary(self) -> list[str]:
        """What differs, in a few words each: '2 messages changed', 'model', '1 input'."""
        changed = sum(text.change.op != "same" for text in self.texts)
        found = []
        if changed:
            chat = any(text.change.role_before or text.change.role_after for text in self.texts)
            found.append(f"{changed} message{'s' * (changed > 1)}" if chat else "the text")
        for title, rows in self.tables:
            if title == "Settings":
                found += list(dict.fromkeys(re.split(r"[.\[]", row.key)[0].replace("_", " ") for row in rows))
            else:
                found.append(title.lower())
        return found


def shown(
    before: PromptVersion | None, after: PromptVersion, *,
    before_label: str, after_label: str, inline: bool = False, spaces: bool = True,
) -> Shown:  # fmt: skip
    """What differs from one version (None: from nothing) to another, each called by its label."""
    found = differences.compare(before, after, spaces=spaces)
    names = (before_label, after_label)
    settings = [row for row in found.settings if before is not None or row.after]
    tables = [("Settings", settings), ("Inputs", found.inputs), ("Tools", found.tools),
              ("Model parameters", found.parameters)]  # fmt: skip
    return Shown(
        difference=found,
        messages=after.messages,
        texts=[_text(before, after, change, names, inline, spaces) for change in found.messages],
        tables=[(title, rows) for title, rows in tables if rows],
        before_label=before_label if before is not None else "",
        after_label=after_label,
        inline=inline,
    )


def _text(
    before: PromptVersion | None, after: PromptVersion, change: MessageChange, names: tuple[str, str], inline: bool, spaces: bool
) -> ShownText:  # fmt: skip
    old = before.messages[change.number_before - 1] if before and change.number_before else None
    new = after.messages[change.number_after - 1] if change.number_after else None
    sides = texts_of(old, new)
    if not spaces:
        sides = (_plain(sides[0]), _plain(sides[1]))
    labels = [
        "nothing" if number is None else f"{name}, {_place(version, number)}"
        for version, number, name in ((before, change.number_before, names[0]), (after, change.number_after, names[1]))
    ]
    return ShownText(change, *sides, labels[0], labels[1], _stretches(change.pieces) if inline else [])


def _place(version: PromptVersion | None, number: int) -> str:
    return f"message {number}" if version is not None and version.type == PromptVersion.Type.CHAT else "template"


def _plain(text: str) -> str:
    """White space as it counts when it does not count: one space, no empty lines."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def _stretches(pieces: list[Piece]) -> list[Stretch]:
    """The pieces, with the middle of long unchanged parts folded."""
    found = []
    for place, piece in enumerate(pieces):
        lines = re.findall(r"[^\n]*\n|[^\n]+", piece.text)
        first, last = place == 0, place == len(pieces) - 1
        head, tail = (0 if first else _AROUND + 1), (0 if last else _AROUND + 1)
        if piece.op != "equal" or len(lines) < head + tail + _FOLDED or len(pieces) == 1:
            found.append(Stretch(piece.op, piece.text))
            continue
        end = len(lines) - tail
        parts = ["".join(lines[:head]), "".join(lines[head:end]), "".join(lines[end:])]
        found += [
            Stretch("equal", parts[0]), Stretch("fold", parts[1].rstrip("\n"), end - head), Stretch("equal", parts[2]),
        ]  # fmt: skip
    return [stretch for stretch in found if stretch.text]
