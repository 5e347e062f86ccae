"""Tests of prompts: what each prompt must answer (a suite, in immutable revisions), and what came of running it."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor
from accounts.models import Team, User
from evaluation.leasing import Patient
from prompts.models import Prompt, PromptVersion
from registry.models import Version


class Suite(models.Model):
    """The tests of one prompt. What they are stands in its newest revision."""

    prompt = models.OneToOneField(Prompt, on_delete=models.PROTECT, related_name="suite")
    last_number = models.PositiveIntegerField(default=0)
    run_on_save = models.BooleanField(default=False)  # as in the newest revision

    def __str__(self) -> str:
        return f"Tests of {self.prompt}"

    def get_absolute_url(self) -> str:
        return f"{self.prompt.get_absolute_url()}/tests"


class SuiteRevision(models.Model):
    """One state of a suite; never changed. `content` is what prompt_tests.suites reads, the hand-written cases among it."""

    suite = models.ForeignKey(Suite, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    digest = models.CharField(max_length=80)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["suite", "number"], name="suite_revision_number_is_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.suite}, revision {self.number}"


class SuiteRunQuerySet(models.QuerySet["SuiteRun"]):
    def visible_to(self, actor: Actor) -> "SuiteRunQuerySet":
        """Those of the prompts that the actor sees."""
        return self.filter(prompt__in=Prompt.objects.visible_to(actor))

    def with_labels(self) -> "SuiteRunQuerySet":
        """With everything that a list shows of each."""
        return self.select_related(
            "team", "prompt__team", "version", "revision", "created_by", "dataset_version__asset__team"
        )


class SuiteRun(Patient):
    """A run of a suite over a version, or over a text that is none yet. The row is the truth: workers hold it by a lease."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"  # it ran to its end: `green` says how the tests went
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="test_runs")
    version = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="test_runs")
    content = models.JSONField(null=True)  # the fields of a version, where it is of none
    digest = models.CharField(max_length=80)  # of the version or of the content
    revision = models.ForeignKey(SuiteRevision, on_delete=models.PROTECT, related_name="+")
    dataset_version = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    # [{"name", "digest": of the bytes that answered when the run began}]: deployments, as the gateway's clients call them
    targets = models.JSONField(default=list)
    judges = models.JSONField(default=list)  # likewise, of the models that the assertions ask
    whole = models.BooleanField(default=True)  # with the suite's own models: only then is it evidence
    on_save = models.BooleanField(default=False)  # started by the making of the version

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    green = models.BooleanField(null=True)  # set when it has succeeded
    message = models.TextField(blank=True)
    rows = models.PositiveIntegerField(default=0)  # cases, those of the dataset included
    total = models.PositiveIntegerField()  # cases x models x repeats
    done = models.PositiveIntegerField(default=0)
    passed = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)  # of those that failed: no answer came
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=20, decimal_places=9, null=True)  # null: no price is known

    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)

    objects = SuiteRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["prompt", "-id"], name="suite_run_by_prompt"),
            models.Index(fields=["version", "-id"], name="suite_run_by_version"),
            models.Index(fields=["lease_until"], name="suite_run_under_way", condition=Q(finished_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | (~Q(state__in=["queued", "running"]) & Q(finished_at__isnull=False, lease_owner="")),
                name="suite_run_has_an_end_and_no_lease_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(done__lte=models.F("total"), passed__lte=models.F("done"), errors__lte=models.F("done")),
                name="suite_run_counts_fit",
            ),
            models.CheckConstraint(
                condition=Q(state="succeeded", done=models.F("total"), green__isnull=False)
                | (~Q(state="succeeded") & Q(green=None)),
                name="suite_run_is_green_or_red_when_all_is_done",
            ),
            models.CheckConstraint(
                condition=Q(version=None, content__isnull=False) | Q(version__isnull=False, content=None),
                name="suite_run_is_of_a_version_or_of_a_text",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}, test run {self.pk}"

    @property
    def subject(self) -> str:
        """What was tested: 'acme/greeting version 3', 'acme/greeting, a text without a version'."""
        what = f"version {self.version.number}" if self.version else "a text that is no version"
        return f"{self.prompt} {what}"

    def get_absolute_url(self) -> str:
        return f"/prompt-tests/{self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def failed(self) -> int:
        """Tests that failed, those without an answer included."""
        return self.done - self.passed

    @property
    def verdict(self) -> str:
        """green, red, or its state where it has neither."""
        if self.green is None:
            return str(self.state)
        return "green" if self.green else "red"

    @property
    def percent(self) -> float:
        return 100 * self.done / self.total if self.total else 0.0

    @property
    def cost_text(self) -> str:
        return "" if self.cost is None else f"{self.cost.normalize():f}"

    @property
    def seconds(self) -> float | None:
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where that can't be said yet."""
        if self.state != self.State.RUNNING or self.started_at is None or not self.done:
            return None
        passed = (timezone.now() - self.started_at).total_seconds()
        return max(0.0, passed / self.done * (self.total - self.done))

    @property
    def model_names(self) -> list[str]:
        return [str(model["name"]) for model in self.targets]


class CaseResult(models.Model):
    """One case, asked of one model once: the unique index makes sure that it is judged once."""

    run = models.ForeignKey(SuiteRun, on_delete=models.CASCADE, related_name="results")
    index = models.PositiveIntegerField()  # from 0, in the order of cases, models and repeats
    # The same case of the same model in another run has the same key: what outputs are compared by.
    key = models.CharField(max_length=64)
    label = models.CharField(max_length=200)  # 'refund in time' or 'row 12'
    row = models.PositiveIntegerField(null=True)  # of the dataset version, from 0; null for a case written by hand
    model = models.CharField(max_length=300)
    repeat = models.PositiveIntegerField(default=0)  # from 0
    variables = models.JSONField(default=dict)
    messages = models.JSONField(default=list)  # what was sent
    expected = models.TextField(blank=True)
    output = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)  # as OpenAI's API gives them
    passed = models.BooleanField()
    # [{"type", "title", "passed", "reason", "score"}]
    verdicts = models.JSONField(default=list)
    error = models.TextField(blank=True)
    latency_ms = models.FloatField(null=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=9, null=True)
    # Versions of other prompts that were part of it: [{"name", "version", "digest"}], with "key" and "team" of a name that moves.
    includes = models.JSONField(default=list)
    borrowed = models.JSONField(default=list)  # ids of other teams' prompts whose text is in the messages
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    withheld = False  # prompts.reads.withhold took the messages out

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="case_is_judged_once")]
        indexes = [
            models.Index(fields=["run", "passed", "index"], name="case_result_failures_first"),
            models.Index(fields=["run", "key"], name="case_result_by_key"),
        ]

    def __str__(self) -> str:
        return f"{self.label} of test run {self.run_id}"

    @property
    def cost_text(self) -> str:
        return "" if self.cost is None else f"{self.cost.normalize():f}"

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [verdict for verdict in self.verdicts if not verdict["passed"]]
