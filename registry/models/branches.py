"""Branches: lines of versions beside `main`; and what git calls the bytes of small files."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from registry.models.assets import Asset
from registry.models.files import Blob
from registry.models.versions import Version


class Branch(models.Model):
    """A line of versions that began at `start` (null: at nothing). `main` has no row: it is always there."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="branches")
    name = models.CharField(max_length=96)
    start = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    # Versions of a deleted branch of the same name don't come back with it.
    above = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["asset", "name"], name="branch_name_is_unique_in_asset"),
            models.CheckConstraint(condition=~models.Q(name="main"), name="main_has_no_branch_row"),
        ]

    def __str__(self) -> str:
        return self.name


class GitOid(models.Model):
    """The SHA-1 under which git would keep these bytes: what Hub clients compare small files by. Worked out when first asked for."""

    blob = models.OneToOneField(Blob, on_delete=models.CASCADE, primary_key=True, related_name="git_oid")
    oid = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.oid
