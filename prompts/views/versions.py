"""Pages: one version, and filling in its variables."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import actor_of
from accounts.errors import Conflict, Forbidden, Invalid
from governance.approved import approvals_of
from prompts import rendering
from prompts.extras import chips_of
from prompts.forms import LabelForm, TagForm, Value, values_of, values_posted
from prompts.models import PromptVersion
from prompts.reads import get_prompt, get_version
from prompts.views.frame import prompt_page


@login_required
@require_safe
def version_detail(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    return show_version(request, version)


@login_required
@require_POST
def version_render(request: HttpRequest, team: str, name: str, number: int) -> HttpResponse:
    """Fill in the variables: only the result for htmx, the whole page without."""
    by = actor_of(request)
    version = get_version(by, get_prompt(by, f"{team}/{name}"), number)
    values = values_posted(version, request.POST)
    result: dict[str, Any] = {}
    try:
        given = {value.name: value.value for value in values if value.given}
        text = rendering.render_version(version, given, by=by).rendered
    except (Invalid, Conflict, Forbidden) as problem:
        result["errors"] = [
            f"{field.removeprefix('variables.')}: {text}" if field.startswith("variables.") else text
            for field, texts in problem.errors.items()
            for text in texts
        ] or [problem.detail]
    else:
        result["messages"] = [{"role": "", "content": text}] if isinstance(text, str) else text
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "prompts/rendered.html", {"result": result})
    return show_version(request, version, values=values, result=result)


def show_version(
    request: HttpRequest,
    version: PromptVersion,
    *,
    values: list[Value] | None = None,
    result: dict[str, Any] | None = None,
    tag_form: TagForm | None = None,
) -> HttpResponse:
    """A version's page. `values`: what the box that renders was given, and what came of it; `tag_form`: with what is wrong with it."""
    by, prompt = actor_of(request), version.prompt
    frame = prompt_page(request, prompt, "versions")
    on_it = [label for label in frame["labels"] if label.version_id == version.pk]
    context = {
        **frame,
        "version": version,
        "version_labels": on_it,
        "in_production": any(label.name == "production" for label in on_it),
        "approved": approvals_of(kind="prompt", asset_id=prompt.pk, digest=version.digest),
        "chips": chips_of(by, [version]).get(version.pk, []),
        "version_tags": list(version.tags.all()[:200]),
        "tag_form": tag_form or TagForm(),
        "values": values_of(version) if values is None else values,
        "result": result,
        "label_form": LabelForm(initial={"version": version.number}),
    }
    return render(request, "prompts/version.html", context, status=422 if tag_form else 200)
