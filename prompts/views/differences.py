"""Pages: what differs between two versions, of one prompt or of two."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.numbers import whole
from prompts.extras import weight_of
from prompts.reads import get_prompt, get_version
from prompts.shown import shown
from prompts.views.frame import prompt_page


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
    found = shown(
        before, after, before_label=f"version {before.number}", after_label=f"version {after.number}", inline=inline, spaces=spaces
    )  # fmt: skip
    context = {
        **prompt_page(request, prompt, "versions"),
        "before": before,
        "after": after,
        "other": other if other != prompt else None,
        "wrong": wrong,
        "shown": found,
        "inline": inline,
        "spaces": spaces,
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


def _number(request: HttpRequest, field: str, default: int) -> int:
    found = whole(request.GET.get(field, ""), below=10**9)
    return default if found is None else found
