"""What the scan said of bytes, kept by content: the same bytes are not scanned twice, however many versions hold them."""

from django.db import models
from django.utils import timezone

from registry.models.files import Blob


class BlobScan(models.Model):
    """One verdict about bytes as a file of one form (registry.scanners.forms): as rows they are read otherwise than as code."""

    class Verdict(models.TextChoices):
        CLEAN = "clean"
        NOTES = "notes"
        UNSAFE = "unsafe"
        ERROR = "error"  # the scan itself failed; it is tried again

    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, related_name="scans")
    form = models.CharField(max_length=16)
    scanner = models.CharField(max_length=100)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    findings = models.JSONField(default=list)  # [{"level", "kind", "text", "remedy"?, "line"?, "excerpt"?}]
    sandbox = models.JSONField(default=dict)  # what the kernel held the scan to, in words
    scanned_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blob", "form"], name="blob_is_scanned_once_in_each_form")]

    def __str__(self) -> str:
        return f"{self.blob_id[:12]} as {self.form}: {self.verdict}"
