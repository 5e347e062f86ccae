"""Aliases: movable names of versions, and the history of where they pointed."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from registry.models.assets import Asset
from registry.models.versions import Version


class Alias(models.Model):
    """Where a name points now. One named after a protected stage moves only with an approval."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="aliases")
    name = models.CharField(max_length=96)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="aliases")
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["name"], name="alias_by_name")]  # "what is in production"
        constraints = [models.UniqueConstraint(fields=["asset", "name"], name="alias_name_is_unique_in_asset")]

    def __str__(self) -> str:
        return self.name


class AliasMove(models.Model):
    """One move, kept for ever: from, to (null: removed), who, why, and the approval that allowed it."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="alias_moves")
    name = models.CharField(max_length=96)
    before = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    request_id = models.BigIntegerField(null=True)  # governance.ApprovalRequest
    reason = models.TextField(blank=True)
    moved_at = models.DateTimeField(default=timezone.now, editable=False)
    moved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["asset", "name", "-id"], name="alias_move_by_name")]

    def __str__(self) -> str:
        return f"{self.name} of {self.asset_id}"
