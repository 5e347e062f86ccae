"""Pages: what differs between two versions, of one prompt or of two."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.numbers import whole
from prompts import differences
from prompts.alignment import text_of
from prompts.extras import weight_of
from prompts.models import PromptVersion
from prompts.reads import get_prompt, get_version
from prompts.views.frame import prompt_page

_AROUND = 2  # lines shown on either side of a change
_FOLDED = 4  # so many unchanged lines are worth folding


@dataclass(frozen=True)
class Stretch:
    """A part of an inline difference: op equal, insert, delete, or fold (unchanged lines that open on a click)."""

    op: str
    text: str
    lines: int = 0


@login_required
@require_safe
def version_diff(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Any two versions; without numbers the newest and the one it follows. ?view=inline shows one column, ?spaces=0 lets white space
    count for nothing, ?with= takes the first side from another prompt."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    after = get_version(by, prompt, _number(request, "to", prompt.last_number))
    other, wrong = prompt, ""
    if address := request.GET.get("with", "").strip():
        try:
            other = get_prompt(by, address)
        except Problem as problem:
            wrong = problem.detail
    default = (
        (after.parent.number if after.parent else max(after.number - 1, 1)) if other == prompt else other.last_number
    )
    before = get_version(by, other, _number(request, "from", default))
    spaces, inline = request.GET.get("spaces") != "0", request.GET.get("view") == "inline"
    found = differences.compare(before, after, spaces=spaces)
    context = {
        **prompt_page(request, prompt, "versions"),
        "before": before,
        "after": after,
        "other": other if other != prompt else None,
        "wrong": wrong,
        "difference": found,
        "inline": inline,
        "spaces": spaces,
        "texts": [_shown(before, after, change, inline, spaces) for change in found.messages],
        "tables": [
            (title, rows)
            for title, rows in (
                ("Settings", found.settings), ("Inputs", found.inputs), ("Tools", found.tools),
                ("Model parameters", found.parameters),
            )
            if rows
        ],
        "numbers": _numbers(prompt),
        "other_numbers": _numbers(other) if other != prompt else None,
        "weights": "?" + urlencode({"from": before.number, "to": after.number, "with": str(other) if other != prompt else ""}),
    }  # fmt: skip
    return render(request, "prompts/diff.html", context, status=422 if wrong else 200)


@login_required
@require_safe
def version_weights(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Tokens and cost of both sides, loaded by the page after it is there: counting may take a moment."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    other = get_prompt(by, request.GET["with"]) if request.GET.get("with") else prompt
    after = get_version(by, prompt, _number(request, "to", prompt.last_number))
    before = get_version(by, other, _number(request, "from", after.number))
    sides = [weight_of(by, version) for version in (before, after)]
    change = None
    if sides[0] and sides[1]:
        change = sides[1].tokens - sides[0].tokens
    return render(request, "prompts/weights.html", {"before": sides[0], "after": sides[1], "change": change})


def _numbers(prompt: Any) -> list[tuple[int, str, str]]:
    return list(prompt.versions.filter(deleted_at=None).values_list("number", "branch", "message")[:500])


def _shown(
    before: PromptVersion, after: PromptVersion, change: differences.MessageChange, inline: bool, spaces: bool
) -> dict[str, Any]:
    """A message as the page shows it: both texts for two columns, or the stretches of one."""
    sides = [
        _side(version, number) for version, number in ((before, change.number_before), (after, change.number_after))
    ]
    if not spaces:
        sides = [(_plain(text), title) for text, title in sides]
    return {
        "change": change,
        "sides": sides,
        "stretches": list(_stretches(change.pieces)) if inline else [],
        "again": any(piece.op != "equal" for piece in change.pieces),
    }


def _plain(text: str) -> str:
    """White space as it counts when it does not count: one space, no empty lines."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def _side(version: PromptVersion, number: int | None) -> tuple[str, str]:
    """A message as one side of the difference, and what that side is called (each difference on the page by another name)."""
    if number is None:
        return "", "nothing"
    name = f"message {number}" if version.type == PromptVersion.Type.CHAT else "template"
    return text_of(version.messages[number - 1]), f"version {version.number}, {name}"


def _stretches(pieces: list[differences.Piece]) -> list[Stretch]:
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


def _number(request: HttpRequest, field: str, default: int) -> int:
    found = whole(request.GET.get(field, ""), below=10**9)
    return default if found is None else found
