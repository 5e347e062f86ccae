"""Deployments: what shall run (the row is the truth), and what was last seen of it on Ray Serve."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import Team, User
from accounts.roles import ROLE_META, Permission
from governance.stages import Stage
from registry.models import Version


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def visible_to(self, actor: Actor, permission: Permission = Permission.DEPLOYMENT_VIEW) -> "DeploymentQuerySet":
        return self.filter(visible(actor, permission, Deployment))

    def for_people(self) -> "DeploymentQuerySet":
        """Without those that the platform holds up for its own evaluations."""
        return self.filter(purpose=Deployment.Purpose.SERVING)

    def with_revision(self) -> "DeploymentQuerySet":
        return self.select_related(
            "team",
            "updated_by",
            "created_by",
            "revision__version__asset__team",
            "revision__created_by",
            "active__version__asset__team",
        )


class Deployment(models.Model):
    """A served model of a team, addressed team/name; the gateway's clients ask for it by that name.

    People change `desired`, `replicas` and `revision`; the reconciler alone writes what it observes.
    """

    class Purpose(models.TextChoices):
        SERVING = "serving"
        EVALUATION = "evaluation"

    class Desired(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"

    class State(models.TextChoices):
        QUEUED = "queued"
        STARTING = "starting"
        RUNNING = "running"
        UPDATING = "updating"
        STOPPING = "stopping"
        STOPPED = "stopped"
        FAILED = "failed"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="deployments")
    name = models.CharField(max_length=96)
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.SERVING)
    stage = models.CharField(max_length=40, blank=True)
    desired = models.CharField(max_length=8, choices=Desired.choices, default=Desired.RUNNING)
    replicas = models.PositiveIntegerField(default=1)
    # What a million tokens cost, for those who count; both or neither. serving.prices reckons with them.
    input_price = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    output_price = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    price_currency = models.CharField(max_length=3, blank=True)  # ISO 4217
    # The newest revision: the one that shall run.
    revision = models.ForeignKey("serving.Revision", null=True, on_delete=models.SET_NULL, related_name="+")
    # Counts the changes that people made; what was observed of an older generation is not written over a newer one.
    generation = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)

    # Observed.
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    state_changed_at = models.DateTimeField(default=timezone.now)
    message = models.TextField(blank=True)  # one sentence for a person
    detail = models.TextField(blank=True)  # all that Ray said, when something failed
    # The revision that answers now; an older one goes on while its successor starts.
    active = models.ForeignKey("serving.Revision", null=True, on_delete=models.SET_NULL, related_name="+")
    # Base URL on Ray Serve, filled exactly while requests can be answered.
    endpoint = models.CharField(max_length=300, blank=True)
    # [{"id", "revision", "state", "node", "node_id", "pid", "started_at", "log"}], those of a failed start too
    observed_replicas = models.JSONField(default=list)
    failures = models.PositiveIntegerField(default=0)  # failed starts of the newest revision in a row
    retry_at = models.DateTimeField(null=True, blank=True)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        permissions = ROLE_META
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="deployment_name_is_unique_in_team"),
            models.CheckConstraint(condition=Q(replicas__gte=1), name="deployment_has_at_least_one_replica"),
            models.CheckConstraint(
                condition=Q(purpose="evaluation", stage="")
                | (Q(purpose="serving") & Q(stage__in=[s.value for s in Stage])),
                name="deployments_for_people_have_a_stage",
            ),
            models.CheckConstraint(
                condition=Q(input_price=None, output_price=None, price_currency="")
                | (Q(input_price__gte=0, output_price__gte=0) & ~Q(price_currency="")),
                name="deployment_has_both_prices_and_a_currency_or_none",
            ),
            models.CheckConstraint(
                condition=Q(endpoint="") | Q(state__in=["running", "updating"]),
                name="only_what_runs_has_an_endpoint",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "purpose", "-id"], name="deployment_by_team"),
            # Grants on a prefix of names find their rows by it (accounts.prefixes).
            models.Index(
                fields=["team", "name"], name="deployment_by_prefix", opclasses=["int8_ops", "varchar_pattern_ops"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team.name}/{self.name}"

    def get_absolute_url(self) -> str:
        return f"/deployments/{self.team.name}/{self.name}"

    @property
    def wants_to_run(self) -> bool:
        return self.desired == self.Desired.RUNNING

    @property
    def settled(self) -> bool:
        """Whether nothing is under way: pages of settled deployments poll less often."""
        return self.state in {self.State.RUNNING, self.State.STOPPED} and not self.retry_at

    @property
    def ready_replicas(self) -> int:
        """How many replicas of the revision that answers were seen running."""
        number = self.active.number if self.active else 0
        return sum(1 for r in self.observed_replicas if r["state"] == "running" and r["revision"] == number)


class Revision(models.Model):
    """Exactly these bytes with exactly this engine configuration; never changed. Traffic goes to one at a time."""

    class Engine(models.TextChoices):
        TRANSFORMERS = "transformers"
        VLLM = "vllm"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=80)
    engine = models.CharField(max_length=20, choices=Engine.choices, default=Engine.TRANSFORMERS)
    engine_options = models.JSONField(default=dict)
    num_gpus = models.FloatField(default=0)
    traffic_percent = models.PositiveIntegerField(default=100)
    # governance.ApprovalRequest that allowed these bytes in this stage; null where the stage is free.
    approval_id = models.BigIntegerField(null=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "number"], name="revision_number_is_unique"),
            models.CheckConstraint(condition=Q(num_gpus__gte=0), name="revision_asks_for_no_negative_gpus"),
            models.CheckConstraint(condition=Q(traffic_percent__lte=100), name="revision_traffic_is_a_percentage"),
        ]

    def __str__(self) -> str:
        return f"{self.deployment}, revision {self.number}"

    @property
    def application(self) -> str:
        """The name of its Ray Serve application, and of the path that it is served under."""
        return f"deployment-{self.deployment_id}-{self.number}"

    @property
    def endpoint(self) -> str:
        return f"{settings.RAY_SERVE_URL}/{self.application}"

    @property
    def cpus(self) -> float:
        """Ray's CPU share of one replica. A light replica takes a fraction, so that several share a small machine."""
        return float(self.engine_options.get("num_cpus") or (1.0 if self.engine == self.Engine.VLLM else 0.25))

    def described(self) -> dict[str, Any]:
        """What the ledger writes down about it."""
        return {
            "revision": self.number,
            "version": self.version.number,
            "digest": self.digest,
            "engine": self.engine,
            "engine_options": self.engine_options,
            "num_gpus": self.num_gpus,
            "approval": self.approval_id,
        }


class Hold(models.Model):
    """Somebody (`holder`, such as 'evaluation:12') needs this deployment up until they let go of it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="holds")
    holder = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.holder
