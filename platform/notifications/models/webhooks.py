"""Webhooks: where a team wants its events, what is to be sent there, and what came of each attempt."""

import base64
import secrets
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Team, User


def new_message_id() -> str:
    """The `webhook-id` of a message: the same at each attempt, so that a receiver knows what it has had."""
    return "msg_" + base64.b32encode(secrets.token_bytes(15)).decode().lower()


class Endpoint(models.Model):
    """An address of another system that is told of a team's events."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    # '*', 'request.*' or 'request.opened'.
    events = ArrayField(models.CharField(max_length=60), default=list)
    enabled = models.BooleanField(default=True)
    # Why it is not enabled, when it was not a person who said so.
    disabled_reason = models.CharField(max_length=300, blank=True)
    # Made by a client of another product, it is told in that product's words: '' (ours) or 'mlflow'.
    wording = models.CharField(max_length=10, blank=True)
    # What that client calls it and says of it, and the events in its own names.
    foreign = models.JSONField(default=dict, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)
    # Encrypted (notifications.vault). While both are there, messages carry a signature by each.
    secret = models.TextField()
    previous_secret = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)  # by the clock that dates the events
    removed_at = models.DateTimeField(null=True)
    # The first failure since the last success; null while all is well.
    failing_since = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    # When its address was first found to be one that we don't connect to; null since it is fine again.
    refused_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="endpoint_by_team", condition=models.Q(removed_at=None)),
        ]

    def __str__(self) -> str:
        return self.description or urlsplit(self.url).netloc

    @property
    def state(self) -> str:
        """active, failing or disabled."""
        if not self.enabled:
            return "disabled"
        return "failing" if self.failing_since else "active"


class Delivery(models.Model):
    """One message to one endpoint. It names the event and doesn't copy it: what is erased from the ledger is not sent on."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=40, unique=True, default=new_message_id)
    event_id = models.BigIntegerField(null=True)  # of the ledger; null: a test
    type = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveIntegerField(default=0)  # since it was queued or last sent again by hand
    # When it is due. Whoever takes it moves this to the end of its lease, so that a dead worker's deliveries come back.
    next_at = models.DateTimeField(default=timezone.now)
    claim = models.CharField(max_length=24, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at", "id"], name="delivery_due", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
            models.Index(fields=["endpoint", "state", "-id"], name="delivery_by_state"),
            models.Index(fields=["created_at"], name="delivery_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event_id"],
                condition=models.Q(event_id__isnull=False),
                name="one_delivery_per_event_and_endpoint",
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", ended_at=None)
                | (~models.Q(state="waiting") & models.Q(ended_at__isnull=False)),
                name="delivery_has_ended_exactly_when_not_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class Attempt(models.Model):
    """One try to deliver: what was sent, and what came back."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    address = models.CharField(max_length=64, blank=True)  # that was connected to
    request_headers = models.JSONField(default=dict)
    status = models.PositiveIntegerField(null=True)  # of the answer; null when there was none
    response = models.TextField(blank=True)  # the first KiB
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status or self.error}"
