"""Runs: started and cancelled by people, or by the saving of a version."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, NotFound, Problem
from accounts.roles import Permission
from evaluation import leasing, wake
from governance.ledger.actions import Action, record
from prompt_tests import subjects, suites
from prompt_tests.actions.common import LONGEST_MESSAGE, about, dataset_of, end_run, person, target_of
from prompt_tests.models import Suite, SuiteRevision, SuiteRun
from prompt_tests.suites import SuiteContent
from prompt_tests.units import filled, rows_of
from prompts.checks import Content
from prompts.models import Prompt, PromptVersion
from registry import datasets
from registry.models import Version
from serving.reads import get_deployment

State = SuiteRun.State


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
    dataset_version = dataset_of(prompt, suite, by) if suite.rows else None
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
        lease_until=timezone.now() + leasing.TURN,
        created_by=person(by),
    )
    record(
        Action.TEST_RUN_STARTED,
        by=by,
        team=prompt.team.name,
        target=target_of(run),
        also=about(run),
        after={"tests": total, "models": run.model_names, "suite_revision": revision.number, "digest": run.digest},
    )
    wake.after_commit("prompt_tests.tasks.run", run.pk)
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
            total=0, on_save=True, state=State.FAILED, message=problem.detail[:LONGEST_MESSAGE], finished_at=now, created_by=by.user,
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
    end_run(locked, State.CANCELLED, message="", by=by, action=Action.TEST_RUN_CANCELLED)
    return locked


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
