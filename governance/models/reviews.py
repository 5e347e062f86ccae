"""What people say of a request, and who speaks for whom."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Team, User
from governance.models.policies import PolicyVersion
from governance.models.requests import ApprovalRequest


class Review(models.Model):
    """One person's word on a request, bound to the digest, the policy version and the evidence that were shown."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        CHANGES = "changes"
        COMMENT = "comment"

    request = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # The colleague who is away and for whom the reviewer decides.
    on_behalf_of = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    comment = models.TextField(blank=True)
    mentions = ArrayField(models.BigIntegerField(), default=list)  # people named as @address in the comment
    roles = ArrayField(models.CharField(max_length=100), default=list)  # the reviewer's roles at that moment
    groups = ArrayField(models.CharField(max_length=100), default=list)  # and named groups
    digest = models.CharField(max_length=80)
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    evidence_digests = ArrayField(models.CharField(max_length=80), default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # A decision that its reviewer gave anew (the first went stale) or that an answer to 'changes' put aside.
    replaced_at = models.DateTimeField(null=True, blank=True)
    # When the ledger was told that this approval no longer counts, and why. Counting itself looks anew each time.
    stale_at = models.DateTimeField(null=True, blank=True)
    stale_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "reviewer"],
                condition=~models.Q(verdict="comment") & models.Q(replaced_at=None),
                name="one_decision_per_reviewer_and_request",
            ),
            models.CheckConstraint(
                condition=models.Q(on_behalf_of=None) | ~models.Q(on_behalf_of=models.F("reviewer")),
                name="nobody_stands_in_for_oneself",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.verdict}"


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def in_force(self) -> "DelegationQuerySet":
        """Those that hold now, by the database's clock."""
        return self.filter(starts_at__lte=Now(), ends_at__gt=Now(), ended_at=None)


class Delegation(models.Model):
    """While away, somebody else reviews for me: with my roles and groups, and bound by what binds me."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    delegator = models.ForeignKey(User, on_delete=models.CASCADE, related_name="delegations_given")
    delegate = models.ForeignKey(User, on_delete=models.CASCADE, related_name="delegations_received")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)  # ended before its time

    objects = DelegationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["delegate", "team", "ends_at"], name="delegation_by_delegate")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(delegator=models.F("delegate")), name="nobody_delegates_to_oneself"
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="delegation_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delegator} to {self.delegate}"
