"""What a column is: a prompt's version, a draft or unsaved content (of a prompt, or of none); the model it is sent to;
parameters beside the prompt's own.

As people give it: {"label", "prompt": "team/name", "version": number, label, 'latest' or 'draft', "content": a version's fields
in the version's place, "model", "parameters"}. Frozen into a run: what it was made of then, content and digest included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.access import Actor
from accounts.errors import Invalid, NotFound, Problem
from accounts.models import Team
from accounts.numbers import whole
from playground.rendering import known_inputs
from prompt_tests import asking
from prompts import reads
from prompts.checks import check_content
from prompts.drafts import get_draft
from prompts.models import Prompt, PromptVersion
from prompts.writing import Written
from serving.models import Deployment

MAX_COLUMNS = 8
FIELDS = ("type", "format", "template", "inputs", "tools", "response_format", "model", "parameters")
_GIVEN = {"label", "prompt", "version", "content", "model", "parameters"}
# What of a prompt's parameters a model is told; others (a configuration for the application, say) are not its business.
SENT = frozenset(asking.SENT)


def freeze(team: Team, given: Sequence[Any], *, by: Actor) -> list[dict[str, Any]]:
    """Look everything up as the actor sees it, and check it; Invalid names the field: 'columns[0].model'."""
    if not isinstance(given, list | tuple) or not given:
        raise Invalid("columns", "Give at least one column: a prompt or content, and a model.")
    if len(given) > MAX_COLUMNS:
        raise Invalid("columns", f"At most {MAX_COLUMNS} columns, here {len(given)}.")
    found = []
    for index, column in enumerate(given):
        where = f"columns[{index}]"
        try:
            found.append(_frozen(team, column, index, by))
        except Problem as problem:
            if not problem.errors and isinstance(problem, NotFound):
                problem = Invalid(f"{where}.prompt", problem.detail)
            elif not isinstance(problem, Invalid):
                raise
            problem.errors = {
                field if field.startswith("columns") else f"{where}.{field}": texts
                for field, texts in problem.errors.items()
            }
            raise problem from None
    return found


def _frozen(team: Team, given: Any, index: int, by: Actor) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise Invalid("", 'A column is an object: {"prompt": "team/name", "model": "team/name"}.')
    if unknown := sorted(set(given) - _GIVEN):
        raise Invalid("", f"Unknown: {', '.join(unknown)}. Use {', '.join(sorted(_GIVEN))}.")
    column: dict[str, Any] = {"prompt": "", "prompt_id": None, "version": None, "version_id": None}
    prompt, content = given.get("prompt") or "", given.get("content")
    if not prompt and not content:
        raise Invalid("prompt", "Give a prompt, or content in its place.")
    if not isinstance(prompt, str):
        raise Invalid("prompt", "Name a prompt: 'team/name'.")
    if content and given.get("version"):
        raise Invalid("version", "Content is no version: give one of the two.")
    if content:
        owner = reads.get_prompt(by, _in_team(team, prompt, by)) if prompt else None
        column |= _of_content(team, content, owner, by)
        if owner is not None:  # a text of this prompt that is no version yet
            column |= {"prompt": str(owner), "prompt_id": owner.pk}
    else:
        column |= _of_prompt(team, prompt, given.get("version"), by)
    own = column["content"]
    model = str(given.get("model") or own.get("model") or "").strip()
    column["model"] = _model(team, model, by)
    column["parameters"] = _parameters(own.get("parameters") or {}, given.get("parameters"))
    column["label"] = str(given.get("label") or "").strip()[:80] or _label(column, index)
    return column


def _of_content(team: Team, content: Any, prompt: Prompt | None, by: Actor) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise Invalid("content", 'Content has a version\'s fields: {"type": "text", "template": "…"}.')
    if unknown := sorted(set(content) - set(FIELDS)):
        raise Invalid("content", f"Unknown: {', '.join(unknown)}. Use {', '.join(FIELDS)}.")
    fields = {"type": "text", **content}
    fields.setdefault("template", "")
    try:
        checked = check_content(**fields, team=team, prompt=prompt, by=by)
    except Invalid as problem:
        problem.errors = {f"content.{field}": texts for field, texts in problem.errors.items()}
        raise
    return {
        "content": checked.fields,
        "variables": [one.name for one in known_inputs(checked)],
        "digest": checked.digest,
    }


def _in_team(team: Team, address: str, by: Actor) -> str:
    """The prompt's whole address; Invalid for one of another team."""
    if address.partition("/")[0] != team.name:
        there = Prompt.objects.visible_to(by).filter(team=team, name=address).exists()
        if not there:
            raise Invalid(
                "prompt",
                f"Choose a prompt of {team.name}, as {team.name}/name: everybody there sees what it says here.",
            )
        address = f"{team.name}/{address}"
    return address


def _of_prompt(team: Team, address: str, version: Any, by: Actor) -> dict[str, Any]:
    """A version by number or label; 'draft': what the actor is writing on main."""
    address = _in_team(team, address, by)
    wanted = str(version or "latest").strip()
    if wanted == "draft":
        prompt = reads.get_prompt(by, address)
        fields = draft_of(prompt, by=by).fields()
        return {**_of_content(team, fields, prompt, by), "prompt": str(prompt), "prompt_id": prompt.pk}
    number = whole(wanted)
    try:
        row = (
            reads.get_version(by, reads.get_prompt(by, address), number)
            if number is not None
            else reads.resolve_label(by, address, wanted)
        )
    except NotFound as problem:
        raise Invalid(
            "version" if "version" in problem.detail or "label" in problem.detail else "prompt", problem.detail
        ) from None
    return {
        "prompt": str(row.prompt), "prompt_id": row.prompt_id, "version": row.number, "version_id": row.pk,
        "digest": row.digest, "content": {name: getattr(row, name) for name in FIELDS}, "variables": [one.name for one in known_inputs(row)],
    }  # fmt: skip


def draft_of(prompt: Prompt, *, by: Actor) -> Written:
    """What the actor is writing on main; Invalid where that is nothing."""
    draft = get_draft(by, prompt)
    if draft is None:
        raise Invalid("version", f"You have no draft of {prompt}.")
    newest = prompt.versions.filter(deleted_at=None).first()
    kind = newest.type if newest else str(draft.content.get("type") or PromptVersion.Type.TEXT)
    return Written.of_draft(draft.content, kind, draft.branch)


def _model(team: Team, name: str, by: Actor) -> str:
    if not name:
        raise Invalid("model", "Choose a model: a deployment that the gateway serves, as team/name.")
    whole_name = name if "/" in name else f"{team.name}/{name}"
    owner, _, short = whole_name.partition("/")
    rows = Deployment.objects.visible_to(by).for_people()
    if "\0" in name or not rows.filter(team__name=owner, name=short).exists():
        raise Invalid(
            "model", f"There is no model '{name[:200]}' that you can see. Models are deployments, as team/name."
        )
    return whole_name


def _parameters(own: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The prompt's own, as far as a model is told of them, and the column's over them."""
    if given is None or given == "":
        given = {}
    if not isinstance(given, Mapping):
        raise Invalid("parameters", 'Parameters are a JSON object, such as {"temperature": 0}.')
    if unknown := sorted(set(given) - SENT):
        raise Invalid("parameters", f"Unknown: {', '.join(unknown)[:300]}. Use {', '.join(sorted(SENT))}.")
    found = {name: value for name, value in {**own, **given}.items() if name in SENT and value is not None}
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1), ("max_tokens", 1, 1_000_000)):
        value = found.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high
        ):
            raise Invalid("parameters", f"{name} is a number from {low} to {high:,}.")
    return found


def _label(column: Mapping[str, Any], index: int) -> str:
    if column["version"]:
        return f"{column['prompt'].partition('/')[2]} version {column['version']}"
    return f"{column['prompt'].partition('/')[2]} draft" if column["prompt"] else f"Column {index + 1}"


def version_of(column: Mapping[str, Any]) -> PromptVersion | None:
    """The prompt version that a frozen column was made of, deleted since or not."""
    if column.get("version_id") is None:
        return None
    return PromptVersion.objects.select_related("prompt__team").filter(pk=column["version_id"]).first()


def as_text(value: Any, where: str = "rows") -> str:
    """JSON of a value; Invalid where it is none."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Invalid(
            "rows", f"{where}: values are JSON: text, numbers, true, false, null, lists and objects."
        ) from None


def check_storable(value: Any, where: str) -> None:
    """PostgreSQL keeps neither NUL nor half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid("rows", f"{where}: this holds half of a character (a lone surrogate).") from None
    if "\\u0000" in text:
        raise Invalid("rows", f"{where}: take out the NUL character.")
