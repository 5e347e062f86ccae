"""What every page about one prompt shows around its own part: heading, labels, actions and tabs (templates/prompts/base.html)."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from accounts.access import ANY_STAGE, can
from accounts.authentication import actor_of
from accounts.roles import Permission
from governance import gate
from governance.models import ApprovalRequest
from governance.stages import Stage
from prompts.models import MAIN, Label, Prompt
from prompts.tabs import tab_address, tabs

_WAITING = 5  # that a page names


def folder_crumbs(team: str, folder: str) -> list[tuple[str, str]]:
    """Each folder on the way, with the address of its list."""
    parts = folder.split("/") if folder else []
    return [
        (part, "/prompts/?" + urlencode({"folder": "/".join(parts[: index + 1])})) for index, part in enumerate(parts)
    ]


def prompt_page(request: HttpRequest, prompt: Prompt, tab: str) -> dict[str, Any]:
    """The context of prompts/base.html; a page adds its own to it. A constant number of queries."""
    by = actor_of(request)
    labels: list[Label] = list(prompt.labels.select_related("version", "updated_by"))
    for label in labels:
        label.prompt = label.version.prompt = prompt
    latest = prompt.versions.filter(branch=MAIN, deleted_at=None).select_related("created_by").first()
    if latest is not None:
        latest.prompt = prompt
    may_edit = can(by, Permission.ASSET_EDIT, prompt)
    return {
        "prompt": prompt,
        "tab": tab,
        "tabs": [(entry.key, entry.title, entry.address(prompt)) for entry in tabs() if entry.shown(by, prompt)],
        "crumbs": folder_crumbs(prompt.team.name, prompt.folder),
        "short_name": prompt.name.rpartition("/")[2],
        "labels": labels,
        "protected": protected_labels(prompt),
        "latest": latest,
        "waiting": waiting_for(prompt),
        "may_edit": may_edit and prompt.archived_at is None,
        "may_manage": may_edit,
        "may_move": can(by, Permission.ALIAS_MOVE, prompt, stage=ANY_STAGE),
        "may_request": can(by, Permission.REQUEST_CREATE, prompt, stage=ANY_STAGE),
        "edit_address": reverse("prompt-version-create", args=[prompt.team.name, prompt.name]),
        "playground_address": tab_address("playground", prompt, by),
    }


def waiting_for(prompt: Prompt) -> list[ApprovalRequest]:
    """The requests about this prompt that are under way; whoever sees the prompt sees them."""
    states = (ApprovalRequest.State.OPEN, ApprovalRequest.State.APPROVED)
    rows = ApprovalRequest.objects.filter(
        team_id=prompt.team_id, kind=ApprovalRequest.Kind.PROMPT, asset_id=prompt.pk, state__in=states
    )
    return list(rows.select_related("requested_by").order_by("-pk")[:_WAITING])


def protected_labels(prompt: Prompt) -> list[str]:
    """The labels that move only with an approval."""
    return [s.value for s in Stage if gate.is_protected(prompt.team, "prompt", str(prompt), s.value)]
