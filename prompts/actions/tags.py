"""Tags of prompts and of their versions. They change at any time and say nothing that governance looks at."""

import hashlib
from collections.abc import Collection

from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Invalid, NotFound
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from prompts import search
from prompts.actions.common import lock_prompt, prompt_target, touch, version_target
from prompts.models import Prompt, PromptTag, PromptVersion, PromptVersionTag

MAX_KEY, MAX_VALUE, MAX_TAGS = 250, 100_000, 1_000
_TOLD = 1_000  # characters of a value that an event repeats


@transaction.atomic
def set_tag(
    *, prompt: Prompt | None = None, version: PromptVersion | None = None, key: str, value: str = "", by: Actor
) -> PromptTag | PromptVersionTag:
    """Give a tag of a prompt or of a version (name one of them) this value; without one it is a plain word. Twice is once."""
    check_tag(key, value)
    tag, thing = _found(prompt, version, key, by)
    if tag is None:
        if thing.tags.count() >= MAX_TAGS:
            raise Invalid("key", f"At most {MAX_TAGS} tags. Take one away first.")
        tag = thing.tags.create(key=key, value=value)
        _tell(thing, key, None, value, by)
    elif tag.value != value:
        before, tag.value = tag.value, value
        tag.save(update_fields=["value"])
        _tell(thing, key, before, value, by)
    return tag


@transaction.atomic
def delete_tag(*, prompt: Prompt | None = None, version: PromptVersion | None = None, key: str, by: Actor) -> None:
    """Take a tag away; NotFound where there is none of this key."""
    tag, thing = _found(prompt, version, key, by)
    if tag is None:
        raise NotFound(f"{thing} has no tag '{key[:MAX_KEY]}'.")
    before = tag.value
    tag.delete()
    _tell(thing, key, before, None, by)


@transaction.atomic
def set_words(*, prompt: Prompt, words: Collection[str], by: Actor) -> None:
    """Let the prompt's plain words be exactly these; tags that have a value stay as they are."""
    require(by, Permission.ASSET_EDIT, prompt)
    prompt = lock_prompt(prompt)
    there = dict(prompt.tags.values_list("key", "value"))
    for word in sorted(set(words) - set(there)):
        set_tag(prompt=prompt, key=word, by=by)
    for word in sorted(key for key, value in there.items() if not value and key not in words):
        delete_tag(prompt=prompt, key=word, by=by)


def check_tag(key: str, value: str = "") -> None:
    """Raise Invalid for what can't be a tag."""
    if not key or key != key.strip() or len(key) > MAX_KEY or "\0" in key:
        raise Invalid("key", f"Use 1 to {MAX_KEY} characters, without a space at either end.")
    if len(value) > MAX_VALUE or "\0" in value:
        raise Invalid("value", f"Use at most {MAX_VALUE} characters of text.")


def _found(
    prompt: Prompt | None, version: PromptVersion | None, key: str, by: Actor
) -> tuple[PromptTag | PromptVersionTag | None, Prompt | PromptVersion]:
    if version is not None:
        require(by, Permission.ASSET_EDIT, version.prompt)
        version.prompt = lock_prompt(version.prompt)
        if not version.prompt.versions.filter(pk=version.pk, deleted_at=None).exists():
            raise NotFound(f"{version} was deleted.")
        return version.tags.filter(key=key).first(), version
    if prompt is None:
        raise TypeError("Name a prompt or a version.")
    require(by, Permission.ASSET_EDIT, prompt)
    prompt = lock_prompt(prompt)
    return prompt.tags.filter(key=key).first(), prompt


def _tell(thing: Prompt | PromptVersion, key: str, before: str | None, after: str | None, by: Actor) -> None:
    whole = isinstance(thing, Prompt)
    prompt = thing if isinstance(thing, Prompt) else thing.prompt
    touch(prompt, by)
    if whole:
        search.refresh(prompt)
    if after is None:
        action = Action.PROMPT_TAG_REMOVED if whole else Action.PROMPT_VERSION_TAG_REMOVED
    else:
        action = Action.PROMPT_TAG_SET if whole else Action.PROMPT_VERSION_TAG_SET
    record(
        action,
        by=by,
        team=prompt.team.name,
        target=prompt_target(thing) if isinstance(thing, Prompt) else version_target(thing),
        also=[] if whole else [prompt_target(prompt)],
        before=None if before is None else {"key": key, "value": _told(before)},
        after=None if after is None else {"key": key, "value": _told(after)},
    )


def _told(value: str) -> str:
    """A value as an event repeats it: a long one by its beginning, length and hash."""
    if len(value) <= _TOLD:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return f"{value[:200]}… ({len(value)} characters, sha256 {digest})"
