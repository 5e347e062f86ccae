"""Turns: a worker takes the lease, brings a run forward for a few seconds, and gives it back (as evaluation.runner does)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta

from django.db import Error as DatabaseFault
from django.utils import timezone

from accounts.access import require
from accounts.errors import Problem
from accounts.roles import Permission
from evaluation.asking import CONCURRENCY, Pool
from evaluation.client import Outcome
from evaluation.leasing import LeaseLost, new_owner
from prompt_tests import actions, suites
from prompt_tests.asking import Judged, Question, Tester, failed
from prompt_tests.leases import LEASES
from prompt_tests.models import SuiteRun
from prompt_tests.subjects import Subject
from prompt_tests.units import units
from serving.models import Deployment

log = logging.getLogger(__name__)
TURN_S = 4.0
LOOK_S = 1.0  # how often the lease is renewed, which is when a cancellation is noticed
BATCH = 16
PAUSE_WHILE_STARTING_S = 2.0
LONGEST_START = timedelta(minutes=15)
# After so many turns in a row that brought nothing, a test that the model stumbles over is kept as an error.
PATIENCE = 5
LONGEST_STALL = 90  # turns, about a quarter of an hour, that nobody was there to ask
WAITS = {Deployment.State.QUEUED, Deployment.State.STARTING, Deployment.State.UPDATING}


def take_turn(run_id: int) -> float | None:
    """Bring it forward. Returns after how many seconds the next turn shall be; None: there is none to come from here."""
    owner = new_owner()
    if not LEASES.take(run_id, owner):
        return None
    try:
        pause_s = _turn(run_id, owner)
    except LeaseLost:
        return None
    except Problem as problem:
        _fail(run_id, owner, problem.detail)
        return None
    except DatabaseFault:
        raise  # nothing can be written down; the lease runs out and another turn begins
    except Exception as error:
        log.exception("A turn of test run %d failed", run_id)
        _fail(run_id, owner, f"The run stopped: {type(error).__name__}: {error}")
        return None
    if pause_s is None:
        return None
    return pause_s if LEASES.release(run_id, owner) else None


def _turn(run_id: int, owner: str) -> float | None:
    run = actions.take_up(run_id=run_id, owner=owner)
    if run.done < run.total:
        served = actions.served_for(run)
        if waiting := [one for one in served.values() if not one.endpoint]:
            return _wait(run, waiting, owner)
        if run.waiting_since or run.message:
            LEASES.note(run_id, owner, waiting_since=None, message="")
        run, transient = _ask(run, served, owner)
        if run.stalls >= LONGEST_STALL:
            _fail(run_id, owner, f"The models stopped answering. {transient}".strip())
            return None
        if run.done < run.total:
            return _again(run, transient, owner)
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
    if timezone.now() - since > LONGEST_START:
        minutes = LONGEST_START.total_seconds() / 60
        _fail(run.pk, owner, f"{names} did not start within {minutes:.0f} minutes.")
        return None
    LEASES.note(run.pk, owner, waiting_since=since, message=f"Waiting for {names} to start.")
    return PAUSE_WHILE_STARTING_S


def _again(run: SuiteRun, transient: str, owner: str) -> float:
    if not transient:
        return 0.0
    # The model was there and stopped answering: let it come back, a little later each time.
    stalls = run.stalls + 1
    LEASES.note(run.pk, owner, stalls=stalls, message=f"Not all tests are answered; they are asked again. {transient}")
    return float(min(2**stalls, 10))


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
    patient, ends = run.stalls < PATIENCE, time.monotonic() + TURN_S
    subject, suite = Subject.of(run, by), suites.parse(run.revision.content)
    done = set(run.results.values_list("index", flat=True))
    waiting = units(run, suite, variables=subject.variables, done=done)
    transient, in_a_row, more = "", 0, True
    batch: list[Judged] = []
    kept_at = time.monotonic()
    with Pool[Question, Judged](Tester(served, by).work, failed) as pool:
        while True:
            more = more and time.monotonic() < ends and in_a_row < CONCURRENCY
            while more and pool.outstanding < 2 * CONCURRENCY:
                unit = next(waiting, None)
                if unit is None:
                    more = False
                else:
                    pool.put(subject.question(unit))
            judged = pool.get(LOOK_S / 4) if pool.outstanding else None
            if judged is not None and judged.may_pass:
                in_a_row += 1
                if patient or judged.outcome == Outcome.UNREACHABLE:
                    transient = judged.error
                else:
                    batch.append(judged)
            elif judged is not None:
                in_a_row = 0
                batch.append(judged)
            over = not pool.outstanding and not more
            if len(batch) >= BATCH or (batch and over) or time.monotonic() - kept_at > LOOK_S:
                LEASES.renew(run.pk, owner)
                if batch:
                    run = actions.store_results(run_id=run.pk, owner=owner, judged=batch)
                batch, kept_at = [], time.monotonic()
            if over:
                return run, transient
