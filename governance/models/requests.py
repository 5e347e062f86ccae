"""Requests to move something to a protected stage, the reviews of them, and the signed statements that come of it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import Team, User
from governance.models.policies import PolicyVersion


class ApprovalRequest(models.Model):
    """'Let alias X of asset Y point at exactly these bytes.' Targets are text; the digest is what an approval binds to."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        APPLIED = "applied"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"
        SUPERSEDED = "superseded"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="approval_requests")
    kind = models.CharField(max_length=20)  # model, dataset, prompt
    asset_id = models.BigIntegerField()
    asset_label = models.CharField(max_length=200)  # team/name
    version_id = models.BigIntegerField()
    version_number = models.PositiveIntegerField()
    digest = models.CharField(max_length=80)
    slot = models.CharField(max_length=96)  # the alias or label that would move
    stage = models.CharField(max_length=40)
    # What the slot pointed at when this was asked; empty when nothing.
    previous_version_id = models.BigIntegerField(null=True)
    previous_number = models.PositiveIntegerField(null=True)
    previous_digest = models.CharField(max_length=80, blank=True)
    # Null: the built-in policy of a protected stage that nobody wrote a policy for.
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    author_ids = ArrayField(models.BigIntegerField(), default=list)  # who made the version
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "state", "-id"], name="request_by_team"),
            models.Index(fields=["kind", "asset_id", "stage", "digest"], name="request_by_asset"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "asset_id", "slot", "digest"],
                condition=models.Q(state="open"),
                name="one_open_request_per_move",
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", closed_at=None)
                | (~models.Q(state="open") & models.Q(closed_at__isnull=False)),
                name="request_is_closed_exactly_when_not_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset_label} version {self.version_number} to {self.slot}"


class Review(models.Model):
    """One person's word on a request, bound to the digest, the policy version and the evidence that were shown."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        COMMENT = "comment"

    request = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    comment = models.TextField(blank=True)
    roles = ArrayField(models.CharField(max_length=20), default=list)  # the reviewer's roles at that moment
    digest = models.CharField(max_length=80)
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    evidence_digests = ArrayField(models.CharField(max_length=80), default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "reviewer"],
                condition=~models.Q(verdict="comment"),
                name="one_decision_per_reviewer_and_request",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.verdict}"


class Attestation(models.Model):
    """The signed statement of an applied approval: an in-toto statement in a DSSE envelope."""

    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="attestation")
    subject_digest = models.CharField(max_length=80)
    envelope = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"Attestation of request {self.request_id}"
