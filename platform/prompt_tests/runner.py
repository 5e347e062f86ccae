"""Turns of a test run (evaluation.turns)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from django.utils import timezone

from accounts.access import require
from accounts.roles import Permission
from evaluation import turns
from evaluation.asking import Pool
from evaluation.leasing import LeaseLost
from prompt_tests import actions, suites
from prompt_tests.asking import Judged, Question, Tester, failed
from prompt_tests.leases import LEASES
from prompt_tests.models import SuiteRun
from prompt_tests.subjects import Subject
from prompt_tests.units import units
from serving.models import Deployment

log = logging.getLogger(__name__)
PAUSE_WHILE_STARTING_S = 2.0
WAITS = {Deployment.State.QUEUED, Deployment.State.STARTING, Deployment.State.UPDATING}


def take_turn(run_id: int) -> float | None:
    """Bring it forward. Returns after how many seconds the next turn shall be; None: there is none to come from here."""
    return turns.take(LEASES, run_id, _turn, fail=_fail, what="run")


def _turn(run_id: int, owner: str) -> float | None:
    run = actions.take_up(run_id=run_id, owner=owner)
    if run.done < run.total:
        served = actions.served_for(run)
        if waiting := [one for one in served.values() if not one.endpoint]:
            return _wait(run, waiting, owner)
        if run.waiting_since or run.message:
            LEASES.note(run_id, owner, waiting_since=None, message="")
        run, transient = _ask(run, served, owner)
        if run.stalls >= turns.LONGEST_STALL:
            _fail(run_id, owner, f"The models stopped answering. {transient}".strip())
            return None
        if run.done < run.total:
            message = "Not all tests are answered; they are asked again."
            return turns.again(LEASES, run, owner, transient, message=message)
    actions.finish_run(run_id=run_id, owner=owner)
    return None


def _wait(run: SuiteRun, waiting: list[Deployment], owner: str) -> float | None:
    """Deployments that come up are waited for; those that nobody starts are not."""
    for deployment in waiting:
        require(actions.actor_for(run), Permission.MODEL_INVOKE, deployment)
        if not deployment.wants_to_run or deployment.state not in WAITS:
            _fail(
                run.pk, owner, f"{deployment} is {deployment.state} and answers nothing. {deployment.message}".strip()
            )
            return None
    since = run.waiting_since or timezone.now()
    names = ", ".join(str(one) for one in waiting)
    if timezone.now() - since > turns.LONGEST_START:
        minutes = turns.LONGEST_START.total_seconds() / 60
        _fail(run.pk, owner, f"{names} did not start within {minutes:.0f} minutes.")
        return None
    LEASES.note(run.pk, owner, waiting_since=since, message=f"Waiting for {names} to start.")
    return PAUSE_WHILE_STARTING_S


def _fail(run_id: int, owner: str, message: str) -> None:
    try:
        actions.fail_run(run_id=run_id, owner=owner, message=message)
    except LeaseLost:
        log.info("Test run %d ended meanwhile; not noted: %s", run_id, message)


def _ask(run: SuiteRun, served: Mapping[str, Deployment], owner: str) -> tuple[SuiteRun, str]:
    """Ask what has not been asked, for one turn. Returns the run as it stands, and an error that may pass, if any."""
    by = actions.actor_for(run)
    for deployment in served.values():
        require(by, Permission.MODEL_INVOKE, deployment)
    subject, suite = Subject.of(run, by), suites.parse(run.revision.content)
    done = set(run.results.values_list("index", flat=True))
    questions = (subject.question(unit) for unit in units(run, suite, variables=subject.variables, done=done))

    def keep(judged: list[Judged]) -> None:
        nonlocal run
        LEASES.renew(run.pk, owner)
        if judged:
            run = actions.store_results(run_id=run.pk, owner=owner, judged=judged)

    pool = Pool[Question, Judged](Tester(served, by).work, failed)
    transient = turns.ask(pool, questions, stalls=run.stalls, keep=keep)
    return run, transient
