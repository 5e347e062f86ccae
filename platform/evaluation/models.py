"""Evaluations: one registered version asked every row of one dataset version, and what came of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor, lent, visible
from accounts.models import Team, User
from accounts.roles import Permission
from evaluation.leasing import Patient
from registry.models import Asset, Version


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def visible_to(self, actor: Actor) -> "EvaluationQuerySet":
        """Of the actor's teams; for one to whom single assets were lent, those where model and dataset both were."""
        mine = visible(actor, Permission.ASSET_VIEW, Evaluation, own=False)
        single = lent(actor, Permission.ASSET_VIEW, Asset)
        if single is None or not mine:  # an empty filter lets a site administrator see all
            return self.filter(mine)
        rows = Asset.objects.filter(single).order_by().values("pk")
        shared = Q(model_id__in=rows, dataset_id__in=rows)
        if actor.key and actor.key.team_id:
            shared &= Q(team_id=actor.key.team_id)
        return self.filter(mine | shared)

    def with_labels(self) -> "EvaluationQuerySet":
        """With everything that a list shows of each."""
        return self.select_related("team", "created_by", "version", "dataset_version", "model__team", "dataset__team")


class Evaluation(Patient):
    """A run over the rows of a dataset. The row is the truth: workers hold it by a lease and may die at any moment."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="evaluations")
    model = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="evaluations")
    dataset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    dataset_version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    message = models.TextField(blank=True)  # what it is at, or what went wrong
    total = models.PositiveIntegerField()  # examples to score
    done = models.PositiveIntegerField(default=0)  # rows of Example
    errors = models.PositiveIntegerField(default=0)  # of them, those that got no answer
    rows = models.PositiveIntegerField()  # of the dataset; more than `total` where a limit was set
    parameters = models.JSONField(default=dict)  # evaluation.parameters
    # {metric: {"value", "lower", "upper", "n"}}, as evaluation.metrics describes them
    results = models.JSONField(default=dict)

    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    scoring_at = models.DateTimeField(null=True, blank=True)  # the first example was sent

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="evaluation_by_team"),
            models.Index(fields=["model", "-id"], name="evaluation_by_model"),
            models.Index(fields=["dataset", "-id"], name="evaluation_by_dataset"),
            models.Index(fields=["version", "dataset_version", "-id"], name="evaluation_by_versions"),
            models.Index(fields=["lease_until"], name="evaluation_under_way", condition=Q(finished_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | (~Q(state__in=["queued", "running"]) & Q(finished_at__isnull=False, lease_owner="")),
                name="evaluation_has_an_end_and_no_lease_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(total__gte=1, done__lte=models.F("total"), errors__lte=models.F("done")),
                name="evaluation_counts_fit",
            ),
            models.CheckConstraint(
                condition=~Q(state="succeeded") | Q(done=models.F("total")), name="evaluation_succeeds_when_all_is_done"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.dataset_version}"

    def get_absolute_url(self) -> str:
        return f"/evaluations/{self.pk}"

    @property
    def holder(self) -> str:
        """Its name towards serving, which keeps the model up for it."""
        return f"evaluation:{self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def is_whole(self) -> bool:
        """Whether every row of the dataset was asked: only then is the result evidence."""
        return self.total == self.rows

    @property
    def percent(self) -> float:
        return 100 * self.done / self.total

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been going on."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where that can't be said yet."""
        if self.state != self.State.RUNNING or self.scoring_at is None or not self.done:
            return None
        passed = (timezone.now() - self.scoring_at).total_seconds()
        return max(0.0, passed / self.done * (self.total - self.done))


class Example(models.Model):
    """One row of the dataset, asked once: the unique index makes sure that it is scored once."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="examples")
    index = models.PositiveIntegerField()  # of the row in the dataset version, from 0
    input = models.TextField()
    expected = models.TextField()
    output = models.TextField(blank=True)
    correct = models.BooleanField()
    # {"exact_match": 0 or 1, "edits": characters, "reference": characters}
    scores = models.JSONField(default=dict)
    latency_ms = models.FloatField(null=True)  # from the request's first byte to the answer's last
    tokens = models.PositiveIntegerField(null=True)  # of the answer, as the engine counted them
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["evaluation", "index"], name="example_is_scored_once"),
        ]
        indexes = [models.Index(fields=["evaluation", "correct", "index"], name="example_failures_first")]

    def __str__(self) -> str:
        return f"Example {self.index} of evaluation {self.evaluation_id}"

    @property
    def number(self) -> int:
        """The row as people count, from 1."""
        return self.index + 1
