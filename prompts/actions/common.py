"""What the actions share: locking, who did it, and how the ledger names things."""

from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, NotFound, Unauthenticated
from accounts.models import User
from governance.ledger.actions import Target
from prompts.models import Prompt, PromptVersion


def person(by: Actor) -> User:
    if by.user is None:
        raise Unauthenticated("Sign in or send a key.")
    return by.user


def lock_prompt(prompt: Prompt) -> Prompt:
    """The prompt, its row locked until the transaction ends: versions are numbered and labels moved one at a time."""
    return Prompt.objects.select_for_update(of=("self",)).select_related("team").get(pk=prompt.pk)


def refuse_archived(prompt: Prompt) -> None:
    """What is archived stays as it is until somebody restores it. The prompt is locked."""
    if prompt.deleted_at is not None:
        raise NotFound(f"{prompt} was deleted.")
    if prompt.archived_at is not None:
        raise Conflict(f"{prompt} is archived. Restore it first.", link=prompt.get_absolute_url(), code="archived")


def touch(prompt: Prompt, by: Actor) -> None:
    """The prompt was changed now, by this person."""
    prompt.updated_at, prompt.updated_by = timezone.now(), person(by)
    prompt.save(update_fields=["updated_at", "updated_by", "last_number"])


def prompt_target(prompt: Prompt) -> Target:
    return Target("prompt", prompt.pk, str(prompt))


def version_target(version: PromptVersion) -> Target:
    return Target("prompt_version", version.pk, str(version), version.digest)
