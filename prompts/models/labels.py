"""Labels: movable names of prompt versions, and the history of where they pointed."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from prompts.models.prompts import Prompt, PromptVersion


class Label(models.Model):
    """Where a name points now. One named after a protected stage moves only with an approval."""

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="labels")
    name = models.CharField(max_length=96)
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="labels")
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="label_name_is_unique_in_prompt")]

    def __str__(self) -> str:
        return self.name


class LabelMove(models.Model):
    """One move, kept for ever: from, to (null: removed), who, why, and the approval that allowed it."""

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="label_moves")
    name = models.CharField(max_length=96)
    before = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="+")
    request_id = models.BigIntegerField(null=True)  # governance.ApprovalRequest
    reason = models.TextField(blank=True)
    moved_at = models.DateTimeField(default=timezone.now, editable=False)
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["prompt", "name", "-id"], name="label_move_by_name")]

    def __str__(self) -> str:
        return f"{self.name} of prompt {self.prompt_id}"
