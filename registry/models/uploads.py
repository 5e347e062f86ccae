"""Uploads in parts, and what re-hashing found. Neither is governed: bytes count from when a version or an artifact holds them."""

import secrets

from django.db import models
from django.utils import timezone

from accounts.models import Team, User
from registry.models.files import Blob


def upload_id() -> str:
    """Nobody guesses it: 192 bits."""
    return secrets.token_urlsafe(24)


class Upload(models.Model):
    """Bytes on their way in, numbered parts in any order; complete, they are the team's until it expires."""

    class State(models.TextChoices):
        OPEN = "open"
        COMPLETE = "complete"

    id = models.CharField(max_length=40, primary_key=True, default=upload_id)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    size = models.BigIntegerField()
    part_size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)  # what the client announced
    handle = models.CharField(max_length=2000, blank=True)  # the store's name of it, while it is open
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    blob = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="uploads")
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="upload_by_expiry"),
            models.Index(fields=["created_by", "state"], name="upload_by_person"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="open", blob=None) | models.Q(state="complete", blob__isnull=False),
                name="upload_has_bytes_exactly_when_complete",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_complete(self) -> bool:
        return self.state == self.State.COMPLETE

    @property
    def part_count(self) -> int:
        return -(-self.size // self.part_size)

    def part(self, number: int) -> tuple[int, int]:
        """Where this part begins, and its bytes. Numbers begin at 1."""
        offset = (number - 1) * self.part_size
        return offset, min(self.part_size, self.size - offset)


class UploadPart(models.Model):
    """A part that arrived whole. Where parts go to a bucket by themselves, the bucket knows which there are."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    size = models.BigIntegerField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="upload_part_is_unique")]

    def __str__(self) -> str:
        return f"{self.upload_id} part {self.number}"


class BlobCheck(models.Model):
    """When stored bytes were last read and hashed again, and whether they still are what their name says."""

    class State(models.TextChoices):
        WHOLE = "whole"
        DAMAGED = "damaged"
        MISSING = "missing"

    blob = models.OneToOneField(Blob, primary_key=True, on_delete=models.CASCADE, related_name="check_result")
    state = models.CharField(max_length=10, choices=State.choices)
    detail = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["checked_at"], name="blob_check_by_time"),
            models.Index(fields=["blob"], condition=~models.Q(state="whole"), name="blob_check_that_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.blob_id}: {self.state}"
