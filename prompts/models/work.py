"""What is under way: branches, and drafts that are saved while somebody types."""

from urllib.parse import urlencode

from django.db import models
from django.utils import timezone

from accounts.models import User
from prompts.models.prompts import MAIN, Prompt, PromptVersion


class PromptBranch(models.Model):
    """A line of versions beside 'main'. Its head is the version that the next one on it follows."""

    class State(models.TextChoices):
        OPEN = "open"
        MERGED = "merged"
        CLOSED = "closed"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="branches")
    name = models.CharField(max_length=96)
    start = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="+")
    head = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompt_branch_is_unique")]

    def __str__(self) -> str:
        return f"{self.prompt} branch {self.name}"


class PromptDraft(models.Model):
    """What one person is writing on one branch, not a version yet; nobody else sees it. `content` has the fields of a version."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    branch = models.CharField(max_length=96, default=MAIN)
    base = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="+")
    content = models.JSONField()
    revision = models.PositiveIntegerField(
        default=1
    )  # counts up with each save: two tabs can't overwrite each other unseen
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "author", "branch"], name="one_draft_each")]

    def __str__(self) -> str:
        return f"{self.prompt} draft of {self.author_id}"

    def get_absolute_url(self) -> str:
        """The editor, which opens with it."""
        branch = "" if self.branch == MAIN else f"?{urlencode({'branch': self.branch})}"
        return f"{self.prompt.get_absolute_url()}/versions/new{branch}"
