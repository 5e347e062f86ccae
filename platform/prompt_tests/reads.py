"""Finding tests and their runs as an actor sees them, and what their pages show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts.access import Actor, can
from accounts.errors import Invalid, NotFound
from accounts.roles import Permission
from prompt_tests.models import CaseResult, SuiteRevision, SuiteRun, SuiteRunQuerySet
from prompts.differences import Piece, words
from prompts.extras import Chip
from prompts.models import Prompt, PromptVersion
from registry import gates

SHOW = ("all", "failed", "passed", "errors", "newly_red", "newly_green", "changed")
_TONES = {"green": "good", "red": "bad", "running": "busy", "queued": "quiet", "failed": "warn", "cancelled": "quiet"}


def newest_revision(prompt: Prompt) -> SuiteRevision | None:
    found = SuiteRevision.objects.filter(suite__prompt=prompt).select_related("created_by", "suite").first()
    if found is not None:
        found.suite.prompt = prompt
    return found


def list_runs(by: Actor, prompt: Prompt, *, version: int | None = None) -> SuiteRunQuerySet:
    """Newest first."""
    rows = SuiteRun.objects.filter(prompt=prompt).with_labels()
    return rows.filter(version__number=version) if version is not None else rows


def get_run(by: Actor, run_id: int) -> SuiteRun:
    found = None
    if run_id <= 2**63 - 1:
        found = SuiteRun.objects.visible_to(by).with_labels().filter(pk=run_id).first()
    if found is None:
        raise NotFound(f"There is no test run {run_id} that you can see.")
    if found.version is not None:
        found.version.prompt = found.prompt
    found.revision.suite.prompt = found.prompt
    return found


def may_read_rows(by: Actor, run: SuiteRun) -> bool:
    """Whether what the dataset's rows say may be shown: results quote them. Somebody may see the prompt alone."""
    if run.dataset_version is None:
        return True
    asset = run.dataset_version.asset
    return can(by, Permission.ASSET_VIEW, asset) and gates.may_read(by, asset)


def results_of(by: Actor, run: SuiteRun, *, show: str = "all", against: SuiteRun | None = None) -> QuerySet[Any]:
    """Results to be ordered by the caller. With `against`, each says whether the same test passed there (`was`) and its output."""
    if show not in SHOW:
        raise Invalid("show", f"Use one of {', '.join(SHOW)}.")
    rows: QuerySet[Any] = CaseResult.objects.filter(run=run)
    if not may_read_rows(by, run):
        rows = rows.filter(row=None)
    if against is not None:
        there = CaseResult.objects.filter(run=against, key=OuterRef("key")).order_by("index")
        rows = rows.annotate(was=Subquery(there.values("passed")[:1]), was_output=Subquery(there.values("output")[:1]))
        # Newly red, then newly green, then what else failed.
        rank = Case(
            When(passed=False, was=True, then=Value(0)),
            When(passed=True, was=False, then=Value(1)),
            When(passed=False, then=Value(2)),
            default=Value(3),
            output_field=IntegerField(),
        )
        rows = rows.annotate(rank=rank)
    elif show in ("newly_red", "newly_green", "changed"):
        raise Invalid("against", "Name the run to compare with.")
    chosen: Mapping[str, Q] = {
        "failed": Q(passed=False),
        "passed": Q(passed=True),
        "errors": ~Q(error=""),
        "newly_red": Q(rank=0),
        "newly_green": Q(rank=1),
        "changed": ~Q(was_output=None) & ~Q(was_output=F("output")),
    }
    return rows.filter(chosen[show]) if show in chosen else rows


@dataclass(frozen=True)
class Compared:
    """How a run did beside another one, over the tests that both asked."""

    run: SuiteRun
    both: int
    newly_red: int
    newly_green: int
    changed: int


def compared(by: Actor, run: SuiteRun, against: SuiteRun) -> Compared:
    rows = results_of(by, run, against=against)
    both = rows.exclude(was=None)
    return Compared(
        against,
        both.count(),
        rows.filter(rank=0).count(),
        rows.filter(rank=1).count(),
        both.exclude(was_output=F("output")).count(),
    )


def comparable(run: SuiteRun, *, limit: int = 30) -> list[SuiteRun]:
    """Other runs of the prompt that came to their end, newest first."""
    rows = SuiteRun.objects.filter(prompt_id=run.prompt_id, state=SuiteRun.State.SUCCEEDED).exclude(pk=run.pk)
    return list(rows.with_labels()[:limit])


def output_difference(result: CaseResult) -> list[Piece]:
    """What differs, by word, from the output of the run that it is compared with."""
    before = getattr(result, "was_output", None)
    return [] if before is None or before == result.output else words(before, result.output)


def newest_by_version(versions: Sequence[PromptVersion]) -> dict[int, SuiteRun]:
    """The newest run of each version, by the version's id; one query."""
    rows = SuiteRun.objects.filter(version__in=versions).order_by("version_id", "-id").distinct("version_id")
    return {run.version_id: run for run in rows if run.version_id is not None}


def chips(by: Actor, versions: Sequence[PromptVersion]) -> dict[int, list[Chip]]:
    """Green or red, beside a version in lists."""
    return {pk: [_chip(run)] for pk, run in newest_by_version(versions).items()}


def _chip(run: SuiteRun) -> Chip:
    text = {
        "green": f"Tests green {run.passed}/{run.total}",
        "red": f"Tests red {run.passed}/{run.total}",
        "running": f"Testing {run.done}/{run.total}",
        "queued": "Tests queued",
        "failed": "Tests did not run",
        "cancelled": "Tests cancelled",
    }[run.verdict]
    return Chip(text, _TONES[run.verdict], run.get_absolute_url(), run.message[:200] or "The newest test run")
