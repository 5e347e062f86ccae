"""Logged models: a model as a run left it, before anybody registers it. Its files are artifacts of the registry."""

import secrets

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import Permission
from tracking.models.experiments import Experiment
from tracking.models.runs import Run


def new_model_id() -> str:
    return f"m-{secrets.token_hex(16)}"


class LoggedModelQuerySet(models.QuerySet["LoggedModel"]):
    def visible_to(self, actor: Actor) -> "LoggedModelQuerySet":
        return self.filter(visible(actor, Permission.ASSET_VIEW, LoggedModel, own=False))

    def alive(self) -> "LoggedModelQuerySet":
        return self.filter(deleted_at=None)


class LoggedModel(models.Model):
    """Pending until whoever logs it says that its files are all there, or that it failed."""

    class Status(models.TextChoices):
        PENDING = "pending"
        READY = "ready"
        FAILED = "failed"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="logged_models")
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="logged_models")
    model_id = models.CharField(max_length=34, unique=True, default=new_model_id)
    name = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    status_message = models.TextField(blank=True)
    model_type = models.CharField(max_length=500, blank=True)
    source_run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="logged_models")
    tags = models.JSONField(default=dict)
    params = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = LoggedModelQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["experiment", "-created_at", "-id"], name="logged_model_by_experiment"),
            models.Index(
                fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="logged_model_by_deletion"
            ),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="logged_model_by_tag"),
        ]

    def __str__(self) -> str:
        return self.name


class ModelMetric(models.Model):
    """A number measured on a logged model, on which dataset, by which run."""

    model = models.ForeignKey(LoggedModel, on_delete=models.CASCADE, related_name="metrics", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="model_metrics")
    key = models.CharField(max_length=250)
    step = models.BigIntegerField(default=0)
    timestamp = models.BigIntegerField()
    value = models.FloatField()
    dataset_name = models.CharField(max_length=500, blank=True)
    dataset_digest = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["key", "step", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "key", "run", "step", "timestamp", "value", "dataset_name", "dataset_digest"],
                name="model_metric_counts_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.value:g} at step {self.step}"
