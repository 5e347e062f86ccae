"""Requests to change something that a policy protects, and the signed statements that come of them."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import Team, User
from governance.models.policies import PolicyVersion


class ApprovalRequest(models.Model):
    """'Let alias X of asset Y point at exactly these bytes', or 'make exactly this change to a deployment, policy or role'.

    Targets are text; the digest (of the version, or of `change`) is what an approval binds to.
    """

    class Kind(models.TextChoices):
        MODEL = "model"
        DATASET = "dataset"
        PROMPT = "prompt"
        DEPLOYMENT = "deployment"
        POLICY = "policy"
        ROLE = "role"

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        APPLIED = "applied"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"
        SUPERSEDED = "superseded"

    class Afterwards(models.TextChoices):
        """What became of a glass that was broken."""

        PENDING = "pending"
        CONFIRMED = "confirmed"
        ROLLED_BACK = "rolled_back"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="approval_requests")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    asset_id = models.BigIntegerField()  # 0: what is to be made does not exist yet
    asset_label = models.CharField(max_length=300)  # team/name
    # Of models, datasets and prompts only.
    version_id = models.BigIntegerField(null=True)
    version_number = models.PositiveIntegerField(null=True)
    digest = models.CharField(max_length=80)
    slot = models.CharField(
        max_length=96
    )  # the alias or label that would move; else what would change ('rules', 'reviewer')
    stage = models.CharField(max_length=40, blank=True)
    # Of deployments, policies and roles: what is asked for, and what there was when it was asked.
    change: Any = models.JSONField(null=True)
    previous: Any = models.JSONField(null=True)
    # What the slot pointed at when this was asked; empty when nothing.
    previous_version_id = models.BigIntegerField(null=True)
    previous_number = models.PositiveIntegerField(null=True)
    previous_digest = models.CharField(max_length=80, blank=True)
    # Null: the built-in policy of a protected stage that nobody wrote a policy for.
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    author_ids = ArrayField(models.BigIntegerField(), default=list)  # who made the version, or gains by the change
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Open requests end by themselves.
    expires_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    # Whose word it waits for now, as the policy names them: 'role:reviewer', 'group:legal', and once escalated
    # 'escalated:role:admin'. Kept by governance.actions.requests, so that an inbox is one query.
    waits_for = ArrayField(models.CharField(max_length=110), default=list, blank=True)
    # Once approved, applied at this time, or when this evaluation ends green; else at once.
    apply_at = models.DateTimeField(null=True, blank=True)
    apply_after_evaluation = models.BigIntegerField(null=True, blank=True)
    # Shelf life of an applied approval: until when it is good, or since when and why it is not.
    valid_until = models.DateTimeField(null=True, blank=True)
    lapsed_at = models.DateTimeField(null=True, blank=True)
    lapse_reason = models.CharField(max_length=300, blank=True)
    renews = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="renewals")
    # The glass was broken: applied without reviews, which come afterwards.
    glass_broken = models.BooleanField(default=False)
    afterwards = models.CharField(max_length=12, choices=Afterwards.choices, blank=True)
    afterwards_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "state", "-id"], name="request_by_team"),
            models.Index(fields=["kind", "asset_id", "stage", "digest"], name="request_by_asset"),
            models.Index(fields=["state", "expires_at"], name="request_by_expiry"),
            models.Index(
                fields=["valid_until"],
                name="request_by_shelf_life",
                condition=models.Q(state="applied", lapsed_at=None),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "asset_id", "asset_label", "slot", "digest"],
                condition=models.Q(state__in=["open", "approved"]),
                name="one_open_request_per_move",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "approved"], closed_at=None)
                | (~models.Q(state__in=["open", "approved"]) & models.Q(closed_at__isnull=False)),
                name="request_is_closed_exactly_when_it_has_ended",
            ),
            models.CheckConstraint(
                condition=models.Q(change=None, version_id__isnull=False)
                | models.Q(change__isnull=False, version_id=None),
                name="request_is_about_a_version_or_a_change",
            ),
            models.CheckConstraint(
                condition=models.Q(glass_broken=False, afterwards="")
                | (models.Q(glass_broken=True) & ~models.Q(afterwards="")),
                name="request_has_an_aftermath_exactly_when_the_glass_was_broken",
            ),
        ]

    def __str__(self) -> str:
        if self.version_number is not None:
            return f"{self.asset_label} version {self.version_number} to {self.slot}"
        return f"{self.kind} {self.asset_label}: {self.slot}"


class Attestation(models.Model):
    """The signed statement of an applied approval: an in-toto statement in a DSSE envelope."""

    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="attestation")
    subject_digest = models.CharField(max_length=80)
    envelope = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"Attestation of request {self.request_id}"
