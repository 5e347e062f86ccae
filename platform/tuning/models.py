"""Training runs: work done elsewhere (the demo's training, a customer's script) that reports its progress here."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import Permission

LOST_AFTER = timedelta(minutes=10)


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def visible_to(self, actor: Actor) -> "TrainingRunQuerySet":
        return self.filter(visible(actor, Permission.ASSET_VIEW, TrainingRun, own=False))


class TrainingRun(models.Model):
    """A job that is done outside and watched here. Whoever runs it reports state, step and metrics."""

    class Kind(models.TextChoices):
        TRAINING = "training"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="training_runs")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.TRAINING)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    step = models.PositiveBigIntegerField(default=0)
    total_steps = models.PositiveBigIntegerField(default=0)  # 0: not known beforehand
    message = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)  # the last report of any kind

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="run_by_team"),
            models.Index(fields=["heartbeat_at"], name="run_by_heartbeat", condition=models.Q(state="running")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "running"], finished_at=None)
                | (~models.Q(state__in=["queued", "running"]) & models.Q(finished_at__isnull=False)),
                name="run_has_an_end_exactly_when_ended",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/runs/{self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def percent(self) -> float:
        """How far it is, 0 to 100."""
        return min(100.0, 100 * self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been running."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where that can't be said."""
        if self.state != self.State.RUNNING or self.started_at is None or not self.step or not self.total_steps:
            return None
        # To the last report, not to now: a run that reports rarely must not seem to slow down in between.
        pace = (self.heartbeat_at - self.started_at).total_seconds() / self.step
        return max(0.0, pace * (self.total_steps - self.step))


class RunMetric(models.Model):
    """One reported number: what (loss, accuracy), at which step."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="metrics")
    key = models.CharField(max_length=80)
    step = models.PositiveBigIntegerField()
    value = models.FloatField()
    reported_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["key", "step"]
        constraints = [models.UniqueConstraint(fields=["run", "key", "step"], name="one_value_per_metric_and_step")]

    def __str__(self) -> str:
        return f"{self.key} {self.value:g} at step {self.step}"
