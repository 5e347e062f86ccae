"""Prompts: read, written, labelled and deleted by Langfuse's SDKs, under the same rules as everywhere."""

from typing import Any

from django.db import transaction

from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.models import Team
from doors.langfuse import references, shapes
from doors.langfuse.base import Answer, Call, endpoint
from doors.langfuse.lists import Wanted, listed
from doors.prompt_config import fields_of
from doors.protected import asked
from governance.models import ApprovalRequest
from prompts import actions, uses
from prompts.checks import LATEST
from prompts.exchange.langfuse import without_marks
from prompts.models import MAIN, Prompt, PromptVersion

DEFAULT_LABEL = "production"
MAX_LABELS = 50
_RESERVED = f"The label '{LATEST}' is always on the newest version and can't be set."


@endpoint
def listing(call: Call) -> Answer:
    """The prompts by name, a page at a time."""
    return listed(call, Wanted.of(call)), 200


@endpoint
def get(call: Call, name: str) -> Answer:
    """One version: by number or label; without either the one in production."""
    return _shown(call, name), 200


@endpoint
def get_by_query(call: Call) -> Answer:
    """The same as SDKs of the second generation ask for it."""
    name = call.query("name")
    if not name:
        raise Invalid("name", "Name the prompt: ?name=…")
    return _shown(call, name), 200


def _shown(call: Call, name: str) -> dict[str, Any]:
    number, label = call.number("version"), call.query("label")
    if number and label:
        raise Invalid("label", "Ask for a version or for a label, not for both.")
    prompt = find(call, name)
    label = "" if number else label or DEFAULT_LABEL
    version = version_of(prompt, number=number, label=label)
    template, graph = None, None
    if call.flag("resolve", True):
        template, graph = references.resolved(version, by=call.by)
    else:
        template = references.raw(version)
    uses.note_by(call.by, version.pk, label)
    return shapes.prompt_json(version, name=name, template=template, graph=graph)


@endpoint
def create(call: Call) -> Answer:
    """A new version; of a name that is not there yet, the prompt with it. Where a label is protected, the version is made all the
    same, its approval is asked for, and the error says so."""
    name, labels, words = call.text("name"), _labels(call.texts("labels")), call.texts("tags")
    template, fields = _content(call)
    team, bare = call.place(name)
    message = call.text("commitMessage")
    with transaction.atomic():
        prompt = _visible(call, team, bare) or _made(call, team, bare)
        version = actions.create_version(
            prompt=prompt,
            format=PromptVersion.Format.MUSTACHE,
            template=template,
            message=message,
            by=call.by,
            **fields,
        )
        version.prompt = prompt
        if words is not None:
            actions.set_words(prompt=prompt, words=[word for word in dict.fromkeys(words) if word], by=call.by)
        waiting = _label(call, version, labels)
    _say_waiting(waiting, f"Version {version.number} of '{name}' was created. ")
    return shapes.prompt_json(version, name=name, template=references.raw(version)), 201


@endpoint
def update(call: Call, name: str, number: int) -> Answer:
    """Labels for a version, beside those that it has."""
    labels = _labels(call.texts("newLabels"))
    version = version_of(find(call, name), number=number)
    with transaction.atomic():
        waiting = _label(call, version, labels)
    _say_waiting(waiting, "")
    return shapes.prompt_json(version, name=name, template=references.raw(version)), 200


@endpoint
def delete(call: Call, name: str) -> Answer:
    """A version, the one at a label, or the whole prompt."""
    number, label = call.number("version"), call.query("label")
    prompt = find(call, name)
    if not number and not label:
        actions.delete_prompt(prompt=prompt, reason="Deleted by a Langfuse client.", by=call.by)
        return None, 204
    version = version_of(prompt, number=number, label=label)
    if label and number and version.pk != version_of(prompt, label=label).pk:
        raise NotFound(f"Version {number} of '{name}' does not have the label '{label}'.")
    actions.delete_version(version=version, reason="Deleted by a Langfuse client.", by=call.by)
    return None, 204


def find(call: Call, name: str) -> Prompt:
    team, bare = call.place(name)
    prompt = _visible(call, team, bare)
    if prompt is None:
        raise NotFound(f"Prompt not found: '{name[:300]}'. There is none of this name in {team} that you can see.")
    return prompt


def _visible(call: Call, team: Team, name: str) -> Prompt | None:
    return Prompt.objects.visible_to(call.by).select_related("team").filter(team=team, name=name).first()


def _made(call: Call, team: Team, name: str) -> Prompt:
    """The new prompt. Where somebody else made it at this moment, theirs: the version goes on top, as a moment later."""
    try:
        return actions.create_prompt(team=team, name=name, by=call.by)
    except Conflict:
        there = _visible(call, team, name)
        if there is None:
            raise
        return there


def version_of(prompt: Prompt, *, number: int | None = None, label: str = "") -> PromptVersion:
    rows = prompt.versions.select_related("created_by").filter(deleted_at=None)
    if number:
        found = rows.filter(number=number).first() if number < 2**31 else None
        what = f"version {number}"
    else:
        at = rows.filter(branch=MAIN).order_by("-number") if label == LATEST else rows.filter(labels__name=label)
        found = at.first()
        what = f"the label '{label[:100]}'"
    if found is None:
        raise NotFound(
            f"Prompt not found: {prompt} has no version with {what}."
            if label
            else f"Prompt not found: {prompt} has no {what}."
        )
    found.prompt = prompt
    return found


def _content(call: Call) -> tuple[Any, dict[str, Any]]:
    """The template and the version's other fields."""
    template = call.body.get("prompt")
    kind = call.text("type") or PromptVersion.Type.TEXT.value
    if kind not in set(PromptVersion.Type):
        raise Invalid("type", "Use text or chat.")
    if not isinstance(template, str if kind == PromptVersion.Type.TEXT else list):
        raise Invalid("prompt", "The prompt of the type text is a text; that of the type chat is a list of messages.")
    template = references.incoming(without_marks(template))
    return template, {"type": kind, **fields_of(call.body.get("config"))}


def _labels(given: list[str] | None) -> list[str]:
    """Labels to be set, each once."""
    if len(given or []) > MAX_LABELS:
        raise Invalid("labels", f"At most {MAX_LABELS} labels at once.")
    if LATEST in (given or []):
        raise Invalid("labels", _RESERVED)
    return list(dict.fromkeys(given or []))


def _label(call: Call, version: PromptVersion, labels: list[str]) -> list[ApprovalRequest]:
    """Let the labels point at the version; what has to be approved first is asked for and given back."""
    found = [actions.move_or_ask(prompt=version.prompt, label=label, version=version, by=call.by) for label in labels]
    return [done for done in found if isinstance(done, ApprovalRequest)]


def _say_waiting(waiting: list[ApprovalRequest], before: str) -> None:
    if waiting:
        raise Forbidden(before + " ".join(asked(request) for request in waiting), code="approval_required")
