"""Bytes, stored once by content, and the paths under which versions hold them."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from registry.models.versions import Version


class Blob(models.Model):
    """Stored bytes by their sha256 (hex). The row is written after the bytes are safely on disk."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"), name="blob_key_is_a_sha256")
        ]

    def __str__(self) -> str:
        return self.sha256


class File(models.Model):
    """A path in a version: relative, '/'-separated, without '..'."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=500)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="files")
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="file_path_is_unique_in_version")]

    def __str__(self) -> str:
        return self.path
