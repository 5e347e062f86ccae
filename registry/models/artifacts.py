"""Files outside versions: what runs and logged models leave behind. The registry keeps the bytes; tracking says whose they are."""

from django.db import models
from django.utils import timezone

from accounts.models import Team, User
from registry.models.files import Blob


class Artifact(models.Model):
    """A path of an owner (a run, a logged model) and its bytes. Registering a version of them copies no byte."""

    class OwnerKind(models.TextChoices):
        RUN = "run"
        LOGGED_MODEL = "logged_model"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    owner_kind = models.CharField(max_length=16, choices=OwnerKind.choices)
    owner_id = models.BigIntegerField()  # of a row in an app above: no foreign key upwards
    path = models.CharField(max_length=500)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="artifacts")
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["owner_kind", "owner_id", "path"], name="artifact_path_is_unique")
        ]

    def __str__(self) -> str:
        return self.path
