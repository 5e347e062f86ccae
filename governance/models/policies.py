"""What a move to a stage demands."""

from django.db import models
from django.utils import timezone

from accounts.models import Team, User


class Policy(models.Model):
    """The rule for one stage of a team's assets of one kind, whose names match a pattern (`*` and `?` as in file names).

    For policies the pattern names the kind of asset that the governed policy is for; for roles, the role; neither has a stage.
    """

    class Kind(models.TextChoices):
        MODEL = "model", "Models"
        DATASET = "dataset", "Datasets"
        PROMPT = "prompt", "Prompts"
        DEPLOYMENT = "deployment", "Deployments"
        POLICY = "policy", "Policies"
        ROLE = "role", "Roles"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="policies")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    pattern = models.CharField(max_length=120, default="*")
    stage = models.CharField(max_length=40, blank=True)
    current = models.ForeignKey("governance.PolicyVersion", null=True, on_delete=models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["stage", "kind", "pattern"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "kind", "pattern", "stage"],
                condition=models.Q(removed_at=None),
                name="one_policy_per_kind_pattern_and_stage",
            )
        ]

    def __str__(self) -> str:
        return f"{self.team}: {self.kind} {self.pattern}" + (f" to {self.stage}" if self.stage else "")


class PolicyVersion(models.Model):
    """The rules as they stood from one moment on; never changed. `checks`, `reviews` and `terms` as governance.rules parses them."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    checks = models.JSONField(default=list)
    reviews = models.JSONField(default=dict)
    # How long a request stays open and an approval is good for, when it is escalated and to whom.
    terms = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["policy", "number"], name="policy_version_number_is_unique")]

    def __str__(self) -> str:
        return f"{self.policy}, version {self.number}"

    @property
    def label(self) -> str:
        return f"Version {self.number}"
