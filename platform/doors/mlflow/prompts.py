"""MLflow's prompt registry. A prompt has no addresses of its own there: it is a registered model with the tag
mlflow.prompt.is_prompt, and its versions carry their texts in tags.

Where a name that a client sends is no model's, it is a prompt's (`or_prompt`); a name that is both is the model's, as long as the
client does not say by that tag that it means the prompt.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from accounts.access import can
from accounts.errors import Conflict, Invalid
from accounts.roles import Permission
from doors.mlflow import hot_prompts
from doors.mlflow.base import Answer, Call, Handler, MlflowError, gone_already, invalid, missing, wrong
from doors.mlflow.prompt_entities import RESERVED, fields_in, own_tags, prompts_json, versions_json
from doors.protected import asked
from governance.models import ApprovalRequest
from prompts import actions, uses
from prompts.checks import LATEST, check_content
from prompts.exchange.mlflow import IS_PROMPT
from prompts.models import MAIN, Prompt, PromptVersion
from prompts.parts import parts_of

PromptHandler: TypeAlias = Callable[[Call, Prompt], Answer]
# Which experiments used the prompt: clients keep that book by themselves, with each first load.
EXPERIMENTS = "_mlflow_experiment_ids"


class NoModel(MlflowError):
    """There is no model of this name; there may be a prompt."""

    def __init__(self, name: str) -> None:
        super().__init__("RESOURCE_DOES_NOT_EXIST", f"Registered Model with name={name} not found")
        self.name = name


def or_prompt(handle: PromptHandler | None) -> Callable[[Handler], Handler]:
    """A handler for models that leaves the call to another one where the name is a prompt's. None: it is no call for prompts."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def inner(call: Call, **parts: Any) -> Answer:
            try:
                return handler(call, **parts)
            except NoModel as error:
                prompt = visible(call, error.name) if error.name == call.text("name") else None
                if prompt is None:
                    raise
                hot_prompts.known.add(prompt.name)
                if handle is None:
                    raise invalid(f"'{error.name}' is a prompt, for which this is not done. {_NATIVE}") from None
                return translated(handle)(call, prompt)

        return inner

    return decorate


_NATIVE = "See the Prompts page, or /api/v1/prompts."


def translated(handle: PromptHandler) -> PromptHandler:
    """What clashes with the state of a prompt is a wrong parameter to MLflow."""

    @wraps(handle)
    def inner(call: Call, prompt: Prompt) -> Answer:
        try:
            return handle(call, prompt)
        except Conflict as error:
            if error.code == "name_taken":
                raise
            raise invalid(error.detail) from None

    return inner


def visible(call: Call, name: str) -> Prompt | None:
    return Prompt.objects.visible_to(call.by).select_related("team").filter(team=call.team, name=name).first()


def is_meant(tags: dict[str, str]) -> bool:
    return tags.get(IS_PROMPT, "").lower() == "true"


def create(call: Call, name: str, tags: dict[str, str]) -> Answer:
    """A new prompt with its tags."""
    with transaction.atomic():
        prompt = actions.create_prompt(team=call.team, name=name, description=call.text("description"), by=call.by)
        for key, value in tags.items():
            if key not in RESERVED:
                actions.set_tag(prompt=prompt, key=key, value=value, by=call.by)
    return get(call, Prompt.objects.select_related("team").get(pk=prompt.pk))


def get(call: Call, prompt: Prompt) -> Answer:
    return {"registered_model": prompts_json([prompt])[0]}


def update(call: Call, prompt: Prompt) -> Answer:
    return get(call, actions.update_prompt(prompt=prompt, description=call.text("description"), by=call.by))


def delete(call: Call, prompt: Prompt) -> Answer:
    actions.delete_prompt(prompt=prompt, reason="Deleted by an MLflow client.", by=call.by)
    return {}


def set_tag(call: Call, prompt: Prompt) -> Answer:
    key, value = call.text("key", required=True), call.text("value")
    if key == IS_PROMPT and value == "true":
        return {}
    _refuse_reserved(key)
    if key == EXPERIMENTS and not can(call.by, Permission.ASSET_EDIT, prompt):
        return {}  # who may only read does so without being told off for the client's bookkeeping
    actions.set_tag(prompt=prompt, key=key, value=value, by=call.by)
    return {}


def delete_tag(call: Call, prompt: Prompt) -> Answer:
    key = call.text("key", required=True)
    _refuse_reserved(key)
    if prompt.tags.filter(key=key).exists():
        with gone_already():
            actions.delete_tag(prompt=prompt, key=key, by=call.by)
    return {}


def get_latest_versions(call: Call, prompt: Prompt) -> Answer:
    found = latest(prompt)
    if found is None:
        return {}
    shown = versions_json([found], call.by)
    uses.note_by(call.by, found.pk, LATEST)
    return {"model_versions": shown}


def create_version(call: Call, prompt: Prompt) -> Answer:
    """The next version, out of the tags in which clients send it. Double braces are mustache; what goes beyond names in them, and
    what mustache can't read, is Jinja."""
    tags = call.pairs("tags")
    fields = fields_in(tags)
    fields["format"] = _readable(fields)
    with transaction.atomic():
        version = actions.create_version(prompt=prompt, message=call.text("description"), by=call.by, **fields)
        version.prompt = prompt
        for key, value in tags.items():
            if key not in RESERVED:
                actions.set_tag(version=version, key=key, value=value, by=call.by)
    return _version(call, version)


def _readable(fields: dict[str, Any]) -> str:
    """The format that reads the template: the likelier one, or else the other. What has control statements is Jinja to the client,
    and stays it where it is wrong."""
    likely = PromptVersion.Format(fields["format"])
    other = PromptVersion.Format.JINJA if likely == PromptVersion.Format.MUSTACHE else PromptVersion.Format.MUSTACHE
    if _reads(fields, likely) or any("{%" in part.text for part in parts_of(fields["template"])):
        return likely.value
    return other.value if _reads(fields, other) else likely.value


def _reads(fields: dict[str, Any], form: PromptVersion.Format) -> bool:
    try:
        check_content(type=fields["type"], template=fields["template"], format=form)
    except Invalid as error:
        return error.code != "template_error"
    return True


def get_version(call: Call, prompt: Prompt) -> Answer:
    version = find_version(call, prompt)
    shown = _version(call, version)
    uses.note_by(call.by, version.pk)
    return shown


def update_version(call: Call, prompt: Prompt) -> Answer:
    version = find_version(call, prompt)
    if call.text("description") != version.message:
        raise invalid("A version of a prompt never changes, its message neither. Register a new version.")
    return _version(call, version)


def delete_version(call: Call, prompt: Prompt) -> Answer:
    actions.delete_version(version=find_version(call, prompt), reason="Deleted by an MLflow client.", by=call.by)
    return {}


def set_version_tag(call: Call, prompt: Prompt) -> Answer:
    version, key, value = find_version(call, prompt), call.text("key", required=True), call.text("value")
    if key in RESERVED:
        if (key, value) in own_tags(version, call.by):
            return {}
        _refuse_reserved(key)
    actions.set_tag(version=version, key=key, value=value, by=call.by)
    return {}


def delete_version_tag(call: Call, prompt: Prompt) -> Answer:
    version, key = find_version(call, prompt), call.text("key", required=True)
    if key in RESERVED and key in dict(own_tags(version, call.by)):
        _refuse_reserved(key)
    if version.tags.filter(key=key).exists():
        with gone_already():
            actions.delete_tag(version=version, key=key, by=call.by)
    return {}


def get_by_alias(call: Call, prompt: Prompt) -> Answer:
    alias = call.text("alias", required=True).lower()
    version = latest(prompt) if alias == LATEST else _versions(prompt).filter(labels__name=alias).first()
    if version is None:
        raise invalid(f"Registered model alias {alias} not found.")
    version.prompt = prompt
    shown = _version(call, version)
    uses.note_by(call.by, version.pk, alias)
    return shown


def set_alias(call: Call, prompt: Prompt, alias: str) -> Answer:
    done = actions.move_or_ask(prompt=prompt, label=alias, version=find_version(call, prompt), by=call.by)
    if isinstance(done, ApprovalRequest):
        raise MlflowError("PERMISSION_DENIED", asked(done))
    return {}


def delete_alias(call: Call, prompt: Prompt) -> Answer:
    alias = call.text("alias", required=True).lower()
    if prompt.labels.filter(name=alias).exists():
        with gone_already():
            actions.remove_label(prompt=prompt, label=alias, by=call.by)
    return {}


def find_version(call: Call, prompt: Prompt) -> PromptVersion:
    text = call.text("version", required=True)
    if not text.isdecimal() or len(text) > 20:
        raise wrong("version", text, "a whole number")
    number = int(text)
    version = _versions(prompt).filter(number=number).first() if number < 2**31 else None
    if version is None:
        raise missing(f"Model Version (name={prompt.name}, version={number}) not found")
    version.prompt = prompt
    return version


def latest(prompt: Prompt) -> PromptVersion | None:
    version = _versions(prompt).filter(branch=MAIN).order_by("-number").first()
    if version is not None:
        version.prompt = prompt
    return version


def _versions(prompt: Prompt) -> QuerySet[PromptVersion]:
    return PromptVersion.objects.select_related("created_by").filter(prompt=prompt, deleted_at=None)


def _version(call: Call, version: PromptVersion) -> Answer:
    return {"model_version": versions_json([version], call.by)[0]}


def _refuse_reserved(key: str) -> None:
    if key in RESERVED:
        raise invalid(
            f"'{key}' is a part of what a version of a prompt says, and a version never changes: what was approved stays what it is. "
            "Register a new version."
        )
