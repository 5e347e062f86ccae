"""Experiments: the folders in which a team's runs lie."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import Permission


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    def visible_to(self, actor: Actor) -> "ExperimentQuerySet":
        return self.filter(visible(actor, Permission.ASSET_VIEW, Experiment, own=False))


class Experiment(models.Model):
    """A named folder of runs. Each team has one 'Default' from the beginning (migration 0002): runs without another go there."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="experiments")
    name = models.CharField(max_length=500)
    is_default = models.BooleanField(default=False)
    tags = models.JSONField(default=dict)  # key to text; the one named in NOTE is its description
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)  # with its runs; can be restored, keeps its name

    objects = ExperimentQuerySet.as_manager()
    NOTE = "mlflow.note.content"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="experiment_name_is_unique_in_team"),
            models.UniqueConstraint(
                fields=["team"], condition=models.Q(is_default=True), name="one_default_experiment_per_team"
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(deleted_at=None), name="the_default_experiment_stays"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-id"], name="experiment_by_team"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="experiment_by_tag"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def description(self) -> str:
        return str(self.tags.get(self.NOTE, ""))

    def get_absolute_url(self) -> str:
        return f"/experiments/{self.pk}"
