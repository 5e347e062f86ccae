"""API keys."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models.people import Team, User


class ApiKey(models.Model):
    """A key of one person or service account, for one team or (team empty) for all that its owner reaches."""

    key_id = models.CharField(max_length=24, unique=True)
    secret_sha256 = models.BinaryField(max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    # Who made it and so saw it: for a service account's key an administrator of the team, who is not somebody else to it.
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    scopes = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Addresses in CIDR form that it works from; none: from everywhere.
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.CharField(max_length=45, blank=True)
    # The key that took this one's place: made anew rather than changed, so that who saw which secret stays on record.
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"

    def state(self, now: datetime | None = None) -> str:
        """active, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= (now or timezone.now()):
            return "expired"
        return "active"


class KeyAddress(models.Model):
    """An address that a key was used from, or refused from for being outside of its networks. The first use from a new one is
    an event; a refusal is one once a minute. The gateway, which has no ledger, only writes the row (`recorded` false)."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="addresses")
    address = models.CharField(max_length=45)
    refused = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)  # of the first use, or of the last refusal written down
    recorded = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["key", "address", "refused"], name="key_address_is_noted_once"),
        ]
        indexes = [models.Index(fields=["id"], name="key_address_to_record", condition=models.Q(recorded=False))]

    def __str__(self) -> str:
        return f"{self.key} from {self.address}"
