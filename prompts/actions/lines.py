"""The head of a branch, kept in step with its versions. Called with the prompt locked."""

from django.utils import timezone

from accounts.errors import Conflict, Invalid
from prompts.models import MAIN, Prompt, PromptBranch, PromptVersion


def open_branch(prompt: Prompt, name: str) -> PromptBranch | None:
    """The branch that a version is to be written on; None for 'main'. Raises where there is none, or it is not open."""
    if name == MAIN:
        return None
    branch = PromptBranch.objects.select_related("head").filter(prompt=prompt, name=name).first()
    if branch is None:
        raise Invalid("branch", f"{prompt} has no branch '{name[:96]}'. Make it first.")
    if branch.state != PromptBranch.State.OPEN:
        raise Conflict(
            f"The branch '{name}' of {prompt} is {branch.state}. Make another one from where you are.",
            code="branch_closed",
        )
    return branch


def advance(branch: PromptBranch, version: PromptVersion) -> None:
    """The version is the newest on its branch."""
    branch.head, branch.updated_at = version, timezone.now()
    branch.save(update_fields=["head", "updated_at"])


def step_back(version: PromptVersion) -> None:
    """The version was deleted: branches that stood at it stand at what it grew from."""
    for branch in PromptBranch.objects.filter(prompt_id=version.prompt_id, head=version):
        before: PromptVersion | None = version
        while before is not None and before.deleted_at is not None:
            before = before.parent
        if before is not None:
            branch.head = before
            branch.save(update_fields=["head"])
