"""Pages: one prompt with its versions, and its settings."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Conflict, Invalid
from accounts.pages import add_problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance.stages import Stage
from prompts import actions, snippets
from prompts.drafts import list_drafts
from prompts.drawing import drawn
from prompts.extras import Chip, chips_of
from prompts.forms import DescriptionForm, LabelForm, TagForm, describe
from prompts.models import MAIN, Prompt
from prompts.reads import get_prompt
from prompts.views.frame import prompt_page

VERSIONS = 30
DELETED = 20


@login_required
@require_safe
def prompt_detail(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """The versions, newest first."""
    return show_versions(request, get_prompt(actor_of(request), f"{team}/{name}"))


def show_versions(request: HttpRequest, prompt: Prompt, *, label_form: LabelForm | None = None) -> HttpResponse:
    """A prompt's first tab; the form that moves a label is shown again with what is wrong with it."""
    by = actor_of(request)
    versions, following = keyset_page(
        prompt.versions.filter(deleted_at=None).select_related("created_by", "parent", "merged"),
        order=["-number"],
        cursor=request.GET.get("cursor", ""),
        limit=VERSIONS,
    )
    frame = prompt_page(request, prompt, "versions")
    chips = chips_of(by, versions)
    for asked in frame["waiting"]:
        chips.setdefault(asked.version_id or 0, []).append(
            Chip(
                f"asked for {asked.slot}", "info", f"/requests/{asked.pk}", f"Request {asked.pk} waits for its approval"
            )
        )
    rows = []
    branched = any(version.branch != MAIN or version.merged_id for version in versions)
    for version, graph in zip(versions, drawn(versions), strict=True):
        version.prompt = prompt
        on_it = [label for label in frame["labels"] if label.version_id == version.pk]
        rows.append((version, on_it, chips.get(version.pk, []), graph))
    # Those deleted last, for who may bring them back, on the first page.
    gone = prompt.versions.exclude(deleted_at=None).select_related("created_by").order_by("-deleted_at", "-number")
    deleted = list(gone[: DELETED + 1]) if frame["may_edit"] and not request.GET.get("cursor") else []
    context = {
        **frame,
        "versions": rows,
        "deleted": deleted[:DELETED],
        "more_deleted": len(deleted) > DELETED,
        "drafts": list(list_drafts(by).filter(prompt=prompt).order_by("branch")) if frame["may_edit"] else [],
        "branched": branched,
        "offers_promotion": frame["may_request"] and _may_ask(frame),
        "tags": _tags(prompt),
        "next": following,
        "first_page": not request.GET.get("cursor"),
        "label_form": label_form or LabelForm(initial={"version": frame["latest"] and frame["latest"].number}),
        "ways": snippets.of(prompt, frame["latest"], [label.name for label in frame["labels"]])
        if frame["latest"]
        else [],
    }
    return render(request, "prompts/detail.html", context, status=422 if label_form else 200)


def _may_ask(frame: dict[str, Any]) -> bool:
    """Can production be asked for the newest version: it is neither there nor asked for already."""
    latest = frame["latest"]
    return latest is not None and not any(
        [label.name == Stage.PRODUCTION and label.version_id == latest.pk for label in frame["labels"]]
        + [asked.slot == Stage.PRODUCTION and asked.version_number == latest.number for asked in frame["waiting"]]
    )


def _tags(prompt: Prompt) -> list[tuple[str, str]]:
    """Each tag as a filter of the list writes it, and its key."""
    return [(f"{tag.key}:{tag.value}" if tag.value else tag.key, tag.key) for tag in prompt.tags.all()[:200]]


@login_required
@require_safe
def prompt_settings(request: HttpRequest, team: str, name: str) -> HttpResponse:
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    require(by, Permission.ASSET_EDIT, prompt)
    return show_settings(request, prompt)


def show_settings(
    request: HttpRequest, prompt: Prompt, *, form: DescriptionForm | None = None, tag_form: TagForm | None = None
) -> HttpResponse:
    context = {
        **prompt_page(request, prompt, "settings"),
        "form": form or describe(prompt),
        "tag_form": tag_form or TagForm(),
        "tags": _tags(prompt),
    }
    return render(request, "prompts/settings.html", context, status=422 if form or tag_form else 200)


@login_required
@require_POST
def prompt_update(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Change name and description, both or neither."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    form = DescriptionForm(request.POST)
    if form.is_valid():
        wanted = form.cleaned_data
        try:
            with transaction.atomic():
                prompt = actions.update_prompt(prompt=prompt, description=wanted["description"], by=by)
                if wanted["name"]:
                    prompt = actions.rename_prompt(prompt=prompt, name=wanted["name"], by=by)
        except (Invalid, Conflict) as problem:
            add_problem(form, problem)
        else:
            messages.success(request, "Saved.")
            return redirect(prompt.get_absolute_url())
    return show_settings(request, get_prompt(by, f"{team}/{name}"), form=form)
