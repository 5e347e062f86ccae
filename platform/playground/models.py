"""The playground: what is tried (sessions), what was run (runs of cells: a column's prompt and model on a row's values), and
what came of it and was thought of it."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor, visible
from accounts.models import ApiKey, Team, User
from accounts.roles import Permission
from evaluation.leasing import Leased
from registry.models import Version


class OfTeamQuerySet(models.QuerySet[Any]):
    """Rows with a `team`: those of the teams whose assets the actor sees."""

    def visible_to(self, actor: Actor) -> Any:
        return self.filter(visible(actor, Permission.ASSET_VIEW, self.model, own=False))


class PlaygroundSession(models.Model):
    """A workbench: columns, inputs and settings, as their author left them. The team reads it; others run a copy of their own.

    columns: playground.columns describes one. inputs: values by variable, one object each. options: see playground.options.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    columns = models.JSONField(default=list)
    inputs = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = OfTeamQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["team", "-updated_at", "-id"], name="playground_session_by_team"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/playground/{self.pk}"


class PlaygroundRun(Leased):
    """One go at a matrix. The row is the truth: workers hold it by a lease and may die at any moment."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        CANCELLED = "cancelled"

    ENDED: ClassVar[frozenset[str]] = frozenset({State.FINISHED, State.CANCELLED})

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(PlaygroundSession, null=True, on_delete=models.SET_NULL, related_name="runs")
    name = models.CharField(max_length=120)
    columns = models.JSONField()  # frozen: what each column is made of, content and digest included
    repeats = models.PositiveIntegerField(default=1)
    dataset_version = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    mapping = models.JSONField(default=dict)  # the dataset's field by variable
    expected_field = models.CharField(max_length=200, blank=True)
    rows = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    message = models.TextField(blank=True)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)

    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="+")
    by_key = models.BooleanField(default=False)  # a key that is gone takes what it may do along
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)

    objects = OfTeamQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["team", "-id"], name="playground_run_by_team"),
            models.Index(fields=["session", "-id"], name="playground_run_by_session"),
            models.Index(fields=["lease_until"], name="playground_run_under_way", condition=Q(finished_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | (~Q(state__in=["queued", "running"]) & Q(finished_at__isnull=False, lease_owner="")),
                name="playground_run_has_an_end_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(total__gte=1, done__lte=models.F("total"), errors__lte=models.F("done")),
                name="playground_run_counts_fit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, run {self.pk}"

    def get_absolute_url(self) -> str:
        return f"/playground/runs/{self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def percent(self) -> float:
        return 100 * self.done / self.total

    @property
    def seconds(self) -> float | None:
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where that can't be said yet."""
        if self.state != self.State.RUNNING or not self.done or self.seconds is None:
            return None
        return self.seconds / self.done * (self.total - self.done)


class PlaygroundRow(models.Model):
    """The values that one row of a run gives to the variables, and what is expected of the answer, if anything is."""

    run = models.ForeignKey(PlaygroundRun, on_delete=models.CASCADE, related_name="inputs")
    index = models.PositiveIntegerField()
    values = models.JSONField()
    expected = models.TextField(null=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="playground_row_is_there_once")]

    def __str__(self) -> str:
        return f"Row {self.index} of run {self.run_id}"

    @property
    def number(self) -> int:
        return self.index + 1


class Cell(models.Model):
    """One call of a model: a column on a row, the how-manieth time, and which turn of the conversation (0: the first)."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    run = models.ForeignKey(PlaygroundRun, on_delete=models.CASCADE, related_name="cells")
    column = models.PositiveSmallIntegerField()
    row = models.PositiveIntegerField()
    repeat = models.PositiveSmallIntegerField(default=0)
    turn = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    # Who asked for a later turn; the first ones are the run's.
    asked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    added = models.JSONField(default=list)  # messages that this turn adds: what a person said, what a tool answered
    messages = models.JSONField(default=list)  # what was sent
    borrowed = models.JSONField(default=list)  # ids of other teams' prompts whose text is in the messages
    digest = models.CharField(max_length=80, blank=True)  # of the rendered request
    output = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)
    finish_reason = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)  # what the answer lacks of the response format that was asked for
    fits = models.BooleanField(null=True)  # whether it is in that format; null: none was asked for
    matches = models.BooleanField(null=True)  # whether it is what was expected; null: nothing was
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    latency_ms = models.FloatField(null=True)  # from the request's first byte to the answer's last
    first_token_ms = models.FloatField(null=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    currency = models.CharField(max_length=3, blank=True)
    ended_at = models.DateTimeField(null=True)

    withheld = False  # prompts.reads.withhold took the messages out

    class Meta:
        ordering = ["row", "column", "repeat", "turn"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "row", "column", "repeat", "turn"], name="playground_cell_is_there_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["run", "row", "column"],
                name="playground_cell_to_do",
                condition=Q(state__in=["waiting", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"Cell {self.pk} of run {self.run_id}"

    def get_absolute_url(self) -> str:
        return f"/playground/cells/{self.pk}"

    @property
    def has_ended(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.RUNNING)

    @property
    def tokens_per_second(self) -> float | None:
        if not self.completion_tokens or self.latency_ms is None:
            return None
        writing = (self.latency_ms - (self.first_token_ms or 0)) / 1000
        return self.completion_tokens / writing if writing > 0 else None


class CellRating(models.Model):
    """What one person thought of an answer, and when."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="ratings")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    good = models.BooleanField()
    comment = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["cell", "by"], name="playground_rating_is_one_each")]

    def __str__(self) -> str:
        return f"{'good' if self.good else 'bad'}: cell {self.cell_id}"


class KeptExample(models.Model):
    """An answer that became a row of a dataset's new version."""

    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="kept")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    row = models.JSONField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"cell {self.cell_id} in {self.version}"
