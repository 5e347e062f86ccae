"""Changes to tests of prompts: suites written and runs started by people, carried on and finished by tasks."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from accounts.models import User
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from prompt_tests import evidence, leases, subjects, suites, wake
from prompt_tests.asking import Judged
from prompt_tests.models import CaseResult, Suite, SuiteRevision, SuiteRun
from prompt_tests.suites import SuiteContent
from prompt_tests.units import filled, rows_of
from prompts.checks import Content
from prompts.models import Prompt, PromptVersion
from registry import datasets, gates
from registry.models import Asset, Version
from registry.reads import get_asset, get_version
from serving.models import Deployment
from serving.reads import get_deployment

State = SuiteRun.State
# Errors that a run on save was refused with are kept, and only so much of each.
_LONGEST = 2_000


def _person(by: Actor) -> User:
    if by.user is None:
        raise Forbidden("Sign in to work with tests.")
    return by.user


@transaction.atomic
def save_suite(*, prompt: Prompt, content: Any, expected: int | None = None, by: Actor) -> SuiteRevision:
    """Keep the tests of a prompt as a new revision. `expected`: the number of the revision that it was made from, so that two
    people don't overwrite each other unseen (0: there was none). Nothing happens when nothing changed."""
    require(by, Permission.ASSET_EDIT, prompt)
    found = content if isinstance(content, SuiteContent) else suites.parse(content)
    if found.rows is not None:
        _dataset_of(prompt, found, by)
    suite, _ = Suite.objects.get_or_create(prompt=prompt)
    suite = Suite.objects.select_for_update().get(pk=suite.pk)
    suite.prompt = prompt
    if expected is not None and expected != suite.last_number:
        raise Conflict(
            f"The tests of {prompt} are at revision {suite.last_number} by now, and this was made from {expected}: load them anew.",
            code="suite_changed",
        )
    before = suite.revisions.first()
    said = found.as_json()
    if before is not None and before.content == said:
        before.suite = suite
        return before
    suite.last_number += 1
    suite.run_on_save = found.run_on_save
    suite.save(update_fields=["last_number", "run_on_save"])
    revision = SuiteRevision.objects.create(
        suite=suite, number=suite.last_number, content=said, digest=found.digest, created_by=_person(by)
    )
    record(
        Action.TEST_SUITE_CHANGED,
        by=by,
        team=prompt.team.name,
        target=_suite_target(revision),
        also=[_prompt_target(prompt)],
        before=before.content if before else None,
        after=said,
    )
    if before is None or before.digest != revision.digest:
        evidence.deposit_suite(revision, by=by)
    return revision


@transaction.atomic
def add_case(
    *,
    prompt: Prompt,
    variables: Mapping[str, Any],
    expected: str = "",
    assertions: Sequence[Mapping[str, Any]] = (),
    name: str = "",
    by: Actor,
) -> SuiteRevision:
    """One more case written by hand, in a new revision; the suite begins with it where there is none. Without assertions, and
    where the suite asserts nothing of every case, the output is what is expected."""
    require(by, Permission.ASSET_EDIT, prompt)
    revision = SuiteRevision.objects.select_for_update(of=("self",)).filter(suite__prompt=prompt).first()
    content: dict[str, Any] = dict(revision.content) if revision else SuiteContent().as_json()
    given = [dict(one) for one in assertions]
    if not given and not content["assertions"]:
        given = [{"type": "equals"}]
    case = {"name": name, "variables": dict(variables), "expected": expected, "assertions": given}
    return save_suite(
        prompt=prompt,
        content={**content, "cases": [*content["cases"], case]},
        expected=revision.number if revision else 0,
        by=by,
    )


@transaction.atomic
def create_run(
    *,
    prompt: Prompt,
    version: PromptVersion | None = None,
    content: Content | None = None,
    models: Sequence[str] = (),
    on_save: bool = False,
    by: Actor,
) -> SuiteRun:
    """Queue a run of the suite's newest revision over a version, or over content that is none. `models` instead of the suite's own
    (then the result is no evidence)."""
    require(by, Permission.EVALUATION_RUN, prompt)
    subject = version or content
    if subject is None:
        raise Invalid("version", "Give a version's number, or content.")
    revision = SuiteRevision.objects.filter(suite__prompt=prompt).select_related("suite").first()
    if revision is None:
        raise Conflict(f"{prompt} has no tests yet: write a case first.", code="no_tests")
    suite = suites.parse(revision.content)
    own = version.model if version else str(content.fields["model"]) if content else ""
    targets = [_target(prompt, name, by, field="models") for name in _names(prompt, suite, models, own)]
    judges = [_target(prompt, name, by, field="assertions") for name in suite.judges]
    dataset_version = _dataset_of(prompt, suite, by) if suite.rows else None
    rows = len(suite.cases) + _row_count(prompt, suite, dataset_version, subjects.Subject(subject, by).variables)
    total = rows * len(targets) * suite.repeats
    if total > suites.MAX_TESTS:
        raise Invalid(
            "rows.limit", f"{total:,} tests; a run takes at most {suites.MAX_TESTS:,}. Take fewer rows or repeats."
        )
    run = SuiteRun.objects.create(
        team=prompt.team,
        prompt=prompt,
        version=version,
        content=content.fields if content else None,
        digest=subject.digest,
        revision=revision,
        dataset_version=dataset_version,
        targets=targets,
        judges=judges,
        whole=not models,
        on_save=on_save,
        rows=rows,
        total=total,
        lease_until=timezone.now() + leases.TURN,
        created_by=_person(by),
    )
    record(
        Action.TEST_RUN_STARTED,
        by=by,
        team=prompt.team.name,
        target=target_of(run),
        also=about(run),
        after={"tests": total, "models": run.model_names, "suite_revision": revision.number, "digest": run.digest},
    )
    wake.run_after_commit(run.pk)
    return run


def run_on_save(version: PromptVersion, by: Actor) -> None:
    """Called when a version was made, in its transaction. Where a run can't start, one that failed says why: a save goes through."""
    suite = Suite.objects.filter(prompt_id=version.prompt_id, run_on_save=True).first()
    if suite is None or by.user is None:
        return
    try:
        with transaction.atomic():
            create_run(prompt=version.prompt, version=version, on_save=True, by=by)
    except Problem as problem:
        revision = suite.revisions.first()
        if revision is None:
            return
        now = timezone.now()
        run = SuiteRun.objects.create(
            team=version.prompt.team, prompt=version.prompt, version=version, digest=version.digest, revision=revision,
            total=0, on_save=True, state=State.FAILED, message=problem.detail[:_LONGEST], finished_at=now, created_by=by.user,
        )  # fmt: skip
        record(
            Action.TEST_RUN_FINISHED,
            by=by,
            team=run.team.name,
            target=target_of(run),
            also=about(run),
            after={"state": run.state},
            reason=run.message,
        )


@transaction.atomic
def cancel_run(*, run: SuiteRun, by: Actor) -> SuiteRun:
    """End it now: a worker that is at it finds its lease gone within a second or two and drops what it has in hand."""
    require(by, Permission.EVALUATION_RUN, run.prompt)
    locked = SuiteRun.objects.select_for_update(of=("self",)).with_labels().filter(pk=run.pk).first()
    if locked is None:
        raise NotFound("There is no such run.")
    if locked.has_ended:
        raise Conflict(f"This run is {locked.state} already.")
    _end(locked, State.CANCELLED, message="", by=by, action=Action.TEST_RUN_CANCELLED)
    return locked


def take_up(*, run_id: int, owner: str) -> SuiteRun:
    """The run, for a turn; the first one says that it began."""
    with transaction.atomic():
        run = leases.locked(run_id, owner)
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
        run = leases.locked(run_id, owner)
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
        run = leases.locked(run_id, owner)
        suite = suites.parse(run.revision.content)
        run.green = run.passed >= suite.threshold * run.total - 1e-9
        if run.whole:
            evidence.deposit_run(run, suite, by=actor_for(run), also=[target_of(run), *about(run)])
        _end(run, State.SUCCEEDED, message="", by=actor_for(run), action=Action.TEST_RUN_FINISHED)
        return run


def fail_run(*, run_id: int, owner: str, message: str) -> SuiteRun:
    """End it with what went wrong. Results that came stay to look at; it is neither green nor red, and no evidence."""
    with transaction.atomic():
        run = leases.locked(run_id, owner)
        _end(run, State.FAILED, message=message[:_LONGEST], by=actor_for(run), action=Action.TEST_RUN_FINISHED)
        return run


def _end(run: SuiteRun, state: str, *, message: str, by: Actor, action: Action) -> None:
    before = {"state": run.state}
    run.state, run.message, run.finished_at, run.lease_owner = state, message, timezone.now(), ""
    run.save(update_fields=["state", "message", "finished_at", "lease_owner", "green"])
    after: dict[str, Any] = {"state": state, "done": run.done, "total": run.total, "passed": run.passed}
    if run.green is not None:
        after["green"] = run.green
    record(
        action,
        by=by,
        team=run.team.name,
        target=target_of(run),
        also=about(run),
        before=before,
        after=after,
        reason=message,
    )


def actor_for(run: SuiteRun) -> Actor:
    """Tasks act for whoever started the run."""
    return Actor(run.created_by, via="task")


def target_of(run: SuiteRun) -> Target:
    return Target("test_run", run.pk, str(run), run.digest)


def _prompt_target(prompt: Prompt) -> Target:
    return Target("prompt", prompt.pk, str(prompt))


def _suite_target(revision: SuiteRevision) -> Target:
    return Target("test_suite", revision.suite_id, str(revision), revision.digest)


def about(run: SuiteRun) -> list[Target]:
    """What a run belongs to the life of."""
    found = [_prompt_target(run.prompt)]
    if run.version is not None:
        found.append(Target("prompt_version", run.version.pk, run.subject, run.version.digest))
    return found


def _names(prompt: Prompt, suite: SuiteContent, models: Sequence[str], own: str) -> list[str]:
    if len(models) > suites.MAX_MODELS:
        raise Invalid("models", f"At most {suites.MAX_MODELS} models.")
    names = list(dict.fromkeys(models)) or list(suite.models) or ([own] if own else [])
    if not names:
        raise Invalid(
            "models", "Which model? Neither the tests nor the version name one: name a deployment as team/name."
        )
    # A version may name a deployment of its own team as the gateway's clients do.
    return [name if "/" in name else f"{prompt.team.name}/{name}" for name in names]


def _target(prompt: Prompt, name: str, by: Actor, *, field: str) -> dict[str, Any]:
    """A deployment that the actor may call, with the bytes that answer now. Raises Invalid or Forbidden."""
    team, _, rest = name.partition("/")
    try:
        deployment = get_deployment(by, team, rest)
    except NotFound as missing:
        raise Invalid(field, f"{missing.detail} Tests ask what is deployed here.") from None
    require(by, Permission.MODEL_INVOKE, deployment)
    active = deployment.active or deployment.revision
    target: dict[str, Any] = {"name": str(deployment), "digest": active.digest if active else ""}
    return target | ({"currency": deployment.price_currency} if deployment.price_currency else {})


def _dataset_of(prompt: Prompt, suite: SuiteContent, by: Actor) -> Version:
    """The version whose rows are cases: the pinned one, or the newest registered."""
    assert suite.rows is not None
    try:
        dataset = get_asset(by, Asset.Kind.DATASET, suite.rows.dataset)
        if dataset.team_id != prompt.team_id:
            raise Invalid(
                "rows.dataset",
                f"{dataset} belongs to another team. Results show its rows to everybody who sees {prompt}: copy it to that team.",
            )
        gates.check_read(by, dataset)
        if suite.rows.version is not None:
            found: Version | None = get_version(by, dataset, suite.rows.version)
        else:
            found = dataset.versions.registered().order_by("-number").first()
    except NotFound as missing:
        raise Invalid("rows.dataset", missing.detail) from None
    if found is None or not found.is_registered:
        raise Invalid("rows.dataset", f"{dataset} has no registered version yet.")
    found.asset = dataset
    return found


def _row_count(prompt: Prompt, suite: SuiteContent, version: Version | None, variables: Sequence[str]) -> int:
    if suite.rows is None or version is None:
        return 0
    available = datasets.count(version)
    if not available:
        raise Invalid("rows.dataset", f"{version} has no rows in .jsonl, .csv or .parquet files.")
    if not suite.rows.limit and available > suites.MAX_ROWS:
        raise Invalid(
            "rows.limit", f"{version} has {available:,} rows; tests take at most {suites.MAX_ROWS:,}. Set a limit."
        )
    for where, values in rows_of(version, 0, 1):
        filled(suite.rows, values, variables, where)  # a column that is missing is told now
    return min(available, suite.rows.limit or available)


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
        error=judged.error[:_LONGEST],
        latency_ms=None if judged.error else answer.latency_ms,
        prompt_tokens=judged.prompt_tokens,
        completion_tokens=judged.completion_tokens,
        cost=answer.cost,
        includes=question.includes,
    )
