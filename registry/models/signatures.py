"""Signatures of versions in the OpenSSF model-signing format, and the keys that made them."""

from django.db import models
from django.utils import timezone

from registry.models.versions import Version


class ModelSigningKey(models.Model):
    """An elliptic-curve key (P-256). Public ones stay for ever; the private one is encrypted, and gone once it is retired."""

    fingerprint = models.CharField(max_length=64, unique=True)  # SHA-256 of the PEM, as signatures name their key
    public_pem = models.TextField()
    private_sealed = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(retired_at=None), name="one_model_signing_key_is_in_use"
            ),
            models.CheckConstraint(
                condition=(models.Q(retired_at=None) & ~models.Q(private_sealed=""))
                | models.Q(retired_at__isnull=False, private_sealed=""),
                name="a_retired_signing_key_signs_no_more",
            ),
        ]

    def __str__(self) -> str:
        return self.fingerprint[:12]


class VersionSignature(models.Model):
    """The bundle (model.sig) of one version. A new key signs new versions; what is signed stays as it is."""

    version = models.OneToOneField(Version, on_delete=models.CASCADE, related_name="signature")
    key = models.ForeignKey(ModelSigningKey, on_delete=models.PROTECT, related_name="+")
    bundle = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"signature of {self.version_id}"
