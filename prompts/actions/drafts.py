"""Drafts: what one person is writing. They are nobody else's and no version yet, so the ledger says nothing of them."""

import json
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.bodies import check_values
from accounts.errors import Conflict, Invalid, TooLarge
from accounts.roles import Permission
from prompts.actions.common import person
from prompts.checks import MAX_BYTES, MAX_MESSAGES
from prompts.models import MAIN, Prompt, PromptBranch, PromptDraft, PromptVersion

# Fields of a version as they stand in the editor. JSON is text here, since it may be half written; `values` are those to try with.
TEXTS = ("type", "format", "inputs", "tools", "response_format", "model", "parameters", "message")
FIELDS = frozenset([*TEXTS, "template", "values"])
MAX_CONTENT = 4 * MAX_BYTES


def check_draft(content: Any) -> dict[str, Any]:
    """Raise unless this can be kept as a draft: as large as a version may be, its template finished or not."""
    if not isinstance(content, dict):
        raise Invalid("content", "A draft is an object with the fields of a version.")
    if unknown := sorted(set(content) - FIELDS):
        raise Invalid(f"content.{unknown[0]}", f"A draft has these fields: {', '.join(sorted(FIELDS))}.")
    if name := next((name for name in TEXTS if not isinstance(content.get(name, ""), str)), None):
        raise Invalid(f"content.{name}", "In a draft this is text, as it stands in the editor.")
    if not isinstance(content.get("values", {}), dict):
        raise Invalid("content.values", "Values to try are an object: a text for each variable.")
    _check_template(content.get("template", ""))
    check_values(content)
    if (size := len(json.dumps(content, ensure_ascii=False).encode())) > MAX_CONTENT:
        raise TooLarge(
            f"A draft is at most {MAX_CONTENT:,} bytes; this one has {size:,}.",
            errors={"content": [f"At most {MAX_CONTENT:,} bytes, here {size:,}."]},
        )
    return content


def _check_template(template: Any) -> None:
    if isinstance(template, str):
        return
    if not isinstance(template, list) or not all(isinstance(message, dict) for message in template):
        raise Invalid("content.template", "A template is a text or a list of messages.")
    if len(template) > MAX_MESSAGES:
        raise Invalid("content.template", f"At most {MAX_MESSAGES} messages, here {len(template)}.")


def _check_branch(prompt: Prompt, branch: str) -> None:
    if branch != MAIN and not prompt.branches.filter(name=branch, state=PromptBranch.State.OPEN).exists():
        raise Invalid("branch", f"{prompt} has no open branch '{branch}'.")


@transaction.atomic
def save_draft(
    *, prompt: Prompt, content: Any, revision: int, branch: str = MAIN, base: PromptVersion | None = None, by: Actor
) -> PromptDraft:
    """Keep what the actor is writing. `revision` is that of the draft as it was read, 0 for the first save: Conflict when it
    has been saved (or discarded) elsewhere since, so that two tabs can't overwrite each other unseen."""
    require(by, Permission.ASSET_EDIT, prompt)
    content = check_draft(content)
    draft = PromptDraft.objects.select_for_update().filter(prompt=prompt, author=person(by), branch=branch).first()
    if draft is None:
        _check_branch(prompt, branch)
        if revision:
            raise Conflict("This draft was discarded, or saved as a version, in another place.", code="draft_gone")
        return _first(prompt, branch, content, base, by)
    if draft.revision != revision:
        # The same again, since the answer was lost on its way: saved once, said twice.
        if draft.revision == revision + 1 and draft.content == content:
            return draft
        raise _elsewhere()
    draft.content, draft.base, draft.revision, draft.saved_at = content, base, revision + 1, timezone.now()
    draft.save(update_fields=["content", "base", "revision", "saved_at"])
    return draft


def _first(prompt: Prompt, branch: str, content: Any, base: PromptVersion | None, by: Actor) -> PromptDraft:
    try:
        with transaction.atomic():
            return PromptDraft.objects.create(
                prompt=prompt, author=person(by), branch=branch, content=content, base=base
            )
    except IntegrityError:
        raise _elsewhere() from None


def _elsewhere() -> Conflict:
    return Conflict("This draft was saved in another tab or on another machine since.", code="draft_conflict")


@transaction.atomic
def discard_draft(*, prompt: Prompt, branch: str = MAIN, by: Actor) -> bool:
    """Throw away what the actor was writing; False when there was nothing."""
    require(by, Permission.ASSET_EDIT, prompt)
    gone, _ = PromptDraft.objects.filter(prompt=prompt, author=person(by), branch=branch).delete()
    return gone > 0
