"""Reading drafts: one's own, and of prompts that one still sees."""

from django.db.models import QuerySet

from accounts.access import Actor
from prompts.models import MAIN, Prompt, PromptDraft


def list_drafts(by: Actor) -> QuerySet[PromptDraft]:
    """The actor's drafts, without their content."""
    rows = PromptDraft.objects.select_related("prompt__team", "base").defer("content")
    return rows.filter(author_id=by.id, prompt__in=Prompt.objects.visible_to(by))


def get_draft(by: Actor, prompt: Prompt, branch: str = MAIN) -> PromptDraft | None:
    """The actor's draft of a prompt that they see already."""
    return PromptDraft.objects.select_related("base", "prompt__team").filter(
        author_id=by.id, prompt=prompt, branch=branch
    ).first()  # fmt: skip
