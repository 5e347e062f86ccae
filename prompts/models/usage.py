"""Who fetches which version."""

from django.db import models

from accounts.models import User
from prompts.models.prompts import PromptVersion


class PromptUse(models.Model):
    """How often one consumer fetched one version on one day (UTC). Written in batches, a few seconds after the fetch."""

    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="uses")
    consumer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(max_length=24, blank=True)  # the API key's public part; empty for a session
    label = models.CharField(max_length=96, blank=True)  # the label it asked for; empty for a number
    day = models.DateField()
    fetches = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "day", "consumer", "key_id", "label"], name="prompt_use_is_counted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version_id} on {self.day}"
