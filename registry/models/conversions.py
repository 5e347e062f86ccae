"""Conversions of checkpoints to safetensors: asked for by a person, done by a worker."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from registry.models.versions import Version


class Conversion(models.Model):
    """One conversion of one version. It ends with a new version, or with the reason why there is none."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    source = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="conversions")
    result = models.ForeignKey(Version, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    detail = models.TextField(blank=True)  # what is being done, or why it failed
    done_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    sandbox = models.JSONField(default=dict)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now, editable=False)
    # Moves while the worker lives; one that stands still is taken up again.
    beat_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_conversion_of_a_version_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"conversion of {self.source_id}: {self.state}"
