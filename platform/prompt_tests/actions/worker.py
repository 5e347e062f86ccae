"""What tasks write, while they hold the lease."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from governance.ledger.actions import Action, record
from prompt_tests import evidence, suites
from prompt_tests.actions.common import LONGEST_MESSAGE, about, actor_for, end_run, target_of
from prompt_tests.asking import Judged
from prompt_tests.leases import LEASES
from prompt_tests.models import CaseResult, SuiteRun
from serving.models import Deployment
from serving.reads import get_deployment

State = SuiteRun.State


def take_up(*, run_id: int, owner: str) -> SuiteRun:
    """The run, for a turn; the first one says that it began."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        if run.state == State.QUEUED:
            run.state, run.started_at = State.RUNNING, timezone.now()
            run.save(update_fields=["state", "started_at"])
            record(
                Action.TEST_RUN_TAKEN_UP,
                by=actor_for(run),
                team=run.team.name,
                target=target_of(run),
                also=about(run),
                before={"state": State.QUEUED.value},
                after={"state": State.RUNNING.value},
            )
        return run


def served_for(run: SuiteRun) -> dict[str, Deployment]:
    """The deployments of a run and of its judges, by name, as they are now. Raises NotFound for one that is gone."""
    by = actor_for(run)
    names = sorted({str(one["name"]) for one in [*run.targets, *run.judges]})
    return {name: get_deployment(by, *name.split("/", 1)) for name in names}


def store_results(*, run_id: int, owner: str, judged: Sequence[Judged]) -> SuiteRun:
    """Keep results with one INSERT; the counts move in the same transaction. One that is there already stays as it is."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        asked = [one.question.unit.index for one in judged]
        there = set(run.results.filter(index__in=asked).values_list("index", flat=True))
        fresh = {one.question.unit.index: one for one in judged if one.question.unit.index not in there}
        CaseResult.objects.bulk_create([_result(run, one) for one in fresh.values()], ignore_conflicts=True)
        run.done += len(fresh)
        run.passed += sum(one.passed for one in fresh.values())
        run.errors += sum(bool(one.error) for one in fresh.values())
        run.prompt_tokens += sum(one.prompt_tokens or 0 for one in fresh.values())
        run.completion_tokens += sum(one.completion_tokens or 0 for one in fresh.values())
        costs = [one.answer.cost for one in fresh.values() if one.answer.cost is not None]
        if costs and len({str(target.get("currency", "")) for target in run.targets}) == 1:
            run.cost = sum(costs, run.cost or Decimal(0))
        if fresh:
            run.stalls = 0
        run.save(update_fields=["done", "passed", "errors", "prompt_tokens", "completion_tokens", "cost", "stalls"])
        return run


def finish_run(*, run_id: int, owner: str) -> SuiteRun:
    """Green or red; what came of it is kept as evidence about the version's digest, and the run ends: one transaction."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        suite = suites.parse(run.revision.content)
        run.green = run.passed >= suite.threshold * run.total - 1e-9
        if run.whole:
            evidence.deposit_run(run, suite, by=actor_for(run), also=[target_of(run), *about(run)])
        end_run(run, State.SUCCEEDED, message="", by=actor_for(run), action=Action.TEST_RUN_FINISHED)
        return run


def fail_run(*, run_id: int, owner: str, message: str) -> SuiteRun:
    """End it with what went wrong. Results that came stay to look at; it is neither green nor red, and no evidence."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        end_run(
            run, State.FAILED, message=message[:LONGEST_MESSAGE], by=actor_for(run), action=Action.TEST_RUN_FINISHED
        )
        return run


def _result(run: SuiteRun, judged: Judged) -> CaseResult:
    unit, answer, question = judged.question.unit, judged.answer, judged.question
    return CaseResult(
        run=run,
        index=unit.index,
        key=unit.key,
        label=unit.label[:200],
        row=unit.row,
        model=unit.model,
        repeat=unit.repeat,
        variables=unit.variables | unit.placeholders,
        messages=question.messages,
        expected=unit.expected,
        output=answer.output,
        tool_calls=answer.tool_calls,
        passed=judged.passed,
        verdicts=[one.as_json() for one in judged.verdicts],
        error=judged.error[:LONGEST_MESSAGE],
        latency_ms=None if judged.error else answer.latency_ms,
        prompt_tokens=judged.prompt_tokens,
        completion_tokens=judged.completion_tokens,
        cost=answer.cost,
        includes=question.includes,
        borrowed=question.borrowed,
    )
