"""Pages: what differs between two versions."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from prompts import differences
from prompts.models import PromptVersion
from prompts.reads import get_prompt, get_version


@login_required
@require_safe
def version_diff(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Any two versions side by side; without numbers the newest and the one before it."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    after = get_version(by, prompt, _number(request, "to", prompt.last_number))
    before = get_version(by, prompt, _number(request, "from", max(after.number - 1, 1)))
    difference = differences.compare(before, after)
    context = {
        "prompt": prompt,
        "before": before,
        "after": after,
        "difference": difference,
        "texts": [
            (change, *(_side(v, n) for v, n in ((before, change.number_before), (after, change.number_after))))
            for change in difference.messages
        ],
        "numbers": list(prompt.versions.filter(deleted_at=None).values_list("number", "message")[:500]),
    }
    return render(request, "prompts/diff.html", context)


def _side(version: PromptVersion, number: int | None) -> tuple[str, str]:
    """A message as one side of the difference, and what that side is called (each difference on the page by another name)."""
    if number is None:
        return "", "nothing"
    name = f"message {number}" if version.type == PromptVersion.Type.CHAT else "template"
    return version.messages[number - 1]["content"], f"version {version.number}, {name}"


def _number(request: HttpRequest, field: str, default: int) -> int:
    text = request.GET.get(field, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default
