"""How far the weights moved between two versions: measured once per pair of digests, whoever asks."""

from django.db import models
from django.utils import timezone

from accounts.models import User


class WeightComparison(models.Model):
    """The row is the truth: a task that finds its lease gone stops, and another goes on from the beginning. Derived: it may be
    deleted at any time and is made again when it is asked for."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    before_digest = models.CharField(max_length=80)
    after_digest = models.CharField(max_length=80)
    # Where the task finds files of these digests.
    before_version_id = models.BigIntegerField()
    after_version_id = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    lease = models.CharField(max_length=32, blank=True)  # of the worker that is at it
    leased_until = models.DateTimeField(null=True)
    done_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    summary = models.JSONField(default=dict)
    tensors = models.BinaryField(
        default=bytes
    )  # zlib over JSON: [[name, relative distance, cosine, largest change], …]
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["before_digest", "after_digest"], name="weight_comparison_is_unique")
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                condition=models.Q(state__in=["queued", "running"]),
                name="weight_comparison_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.before_digest} to {self.after_digest}"

    @property
    def has_ended(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)
