"""Runs: work done elsewhere (a training script, a notebook, the demo) that reports here what it does and what came of it."""

import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import Permission
from tracking.models.experiments import Experiment

LOST_AFTER = timedelta(minutes=10)


def new_uuid() -> str:
    """32 hexadecimal digits: the name by which clients know a run."""
    return secrets.token_hex(16)


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, actor: Actor) -> "RunQuerySet":
        return self.filter(visible(actor, Permission.ASSET_VIEW, Run, own=False))

    def alive(self) -> "RunQuerySet":
        return self.filter(deleted_at=None)


class Run(models.Model):
    """One piece of work. Whoever does it reports state, parameters, metrics, files; parameters are written once."""

    class Kind(models.TextChoices):
        TRAINING = "training"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="runs")
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs")
    uuid = models.CharField(max_length=32, unique=True, default=new_uuid)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.TRAINING)
    name = models.CharField(max_length=250)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    # A script of a client that promises no sign of life: silence is no failure, and it may go on after its end.
    open_ended = models.BooleanField(default=False)
    step = models.PositiveBigIntegerField(default=0)
    total_steps = models.PositiveBigIntegerField(default=0)  # 0: not known beforehand
    message = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    tags = models.JSONField(default=dict)  # key to text
    user_name = models.CharField(max_length=255, blank=True)  # who the client says it is; created_by is who it was
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(
        default=timezone.now
    )  # started_at, or until then created_at: lists are ordered by it
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)  # can be restored until it is purged

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="run_by_team"),
            models.Index(fields=["experiment", "-began_at", "-id"], name="run_by_experiment"),
            models.Index(
                fields=["heartbeat_at"], condition=models.Q(state="running", open_ended=False), name="run_by_heartbeat"
            ),
            models.Index(fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="run_by_deletion"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="run_by_tag"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(finished_at=None, state__in=["queued", "running"])
                | (~models.Q(state__in=["queued", "running"]) & models.Q(finished_at__isnull=False)),
                name="run_has_an_end_exactly_when_ended",
            ),
            models.CheckConstraint(condition=models.Q(uuid__regex=r"^[0-9a-f]{32}$"), name="run_uuid_is_32_hex"),
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


class Metric(models.Model):
    """One reported number: what (loss, accuracy), at which step, when (milliseconds since 1970). May be NaN or infinite."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics", db_index=False)
    key = models.CharField(max_length=250)
    step = models.BigIntegerField(default=0)
    timestamp = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        ordering = ["key", "step", "id"]
        constraints = [
            # A report that is sent again, since its answer got lost, counts once.
            models.UniqueConstraint(fields=["run", "key", "step", "timestamp", "value"], name="metric_counts_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.value:g} at step {self.step}"


class LatestMetric(models.Model):
    """The last point of each metric, kept beside the history so that lists and searches never read it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="latest_metrics", db_index=False)
    key = models.CharField(max_length=250)
    step = models.BigIntegerField(default=0)
    timestamp = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="one_latest_value_per_metric")]

    def __str__(self) -> str:
        return f"{self.key} {self.value:g}"

    @property
    def reported_at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp / 1000, tz=timezone.get_default_timezone())


class RunInput(models.Model):
    """A dataset that a run read, as its client describes it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs", db_index=False)
    name = models.CharField(max_length=500)
    digest = models.CharField(max_length=100)
    source_type = models.CharField(max_length=100, blank=True)
    source = models.TextField(blank=True)
    schema = models.TextField(blank=True)
    profile = models.TextField(blank=True)
    tags = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "name", "digest"], name="run_input_is_unique")]

    def __str__(self) -> str:
        return f"{self.name} {self.digest}"


class RunOutput(models.Model):
    """A logged model that a run made, and at which step; or (`is_input`) one that it read."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="outputs", db_index=False)
    model = models.ForeignKey("LoggedModel", on_delete=models.CASCADE, related_name="outputs_of")
    step = models.BigIntegerField(default=0)
    is_input = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "model", "is_input"], name="run_output_is_unique")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.model_id}"
