"""Turns: a worker takes the lease, brings an evaluation forward for a few seconds, and gives it back.

Turns are short so that a long evaluation doesn't keep a worker from deployments and other evaluations. Nothing is kept
in memory between them, so that it makes no difference whether the next one is another worker's, after a crash or not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from django.db import Error as DatabaseFault
from django.utils import timezone

from accounts.errors import Problem
from evaluation import actions
from evaluation.asking import CONCURRENCY
from evaluation.client import Answer, Asker, Outcome
from evaluation.leases import LEASES
from evaluation.leasing import LeaseLost, new_owner
from evaluation.models import Evaluation
from evaluation.parameters import Parameters
from evaluation.rows import Question, questions
from serving.calls import Door, door
from serving.models import Deployment

log = logging.getLogger(__name__)

TURN_S = 4.0
LOOK_S = 1.0  # how often the lease is renewed, which is when a cancellation is noticed
BATCH = 16
PAUSE_WHILE_STARTING_S = 1.0
LONGEST_START = timedelta(minutes=15)
# The first failed start may be an accident (a node that went away); the second one is the model's own.
FAILED_STARTS = 2
# After so many turns in a row without an answer, a question that the model stumbles over is kept as an error.
PATIENCE = 5
LONGEST_STALL = 90  # turns, about a quarter of an hour, that nobody was there to ask
FEWEST_ERRORS, MOST_ERRORS = 10, 0.2


def take_turn(evaluation_id: int) -> float | None:
    """Bring it forward. Returns after how many seconds the next turn shall be; None: there is none to come from here."""
    owner = new_owner()
    if not LEASES.take(evaluation_id, owner):
        return None
    try:
        pause_s = _turn(evaluation_id, owner)
    except LeaseLost:
        return None
    except Problem as problem:
        # A row of the dataset can't be asked, or what is evaluated is gone: no later turn would fare better.
        _fail(evaluation_id, owner, problem.detail)
        return None
    except DatabaseFault:
        raise  # nothing can be written down; the lease runs out and another turn begins
    except Exception as error:
        log.exception("A turn of evaluation %d failed", evaluation_id)
        _fail(evaluation_id, owner, f"The evaluation stopped: {type(error).__name__}: {error}")
        return None
    if pause_s is None:
        return None
    return pause_s if LEASES.release(evaluation_id, owner) else None


def _turn(evaluation_id: int, owner: str) -> float | None:
    evaluation, deployment = actions.hold_model(evaluation_id=evaluation_id, owner=owner)
    if evaluation.done < evaluation.total:
        if not deployment.endpoint:
            return _wait(evaluation, deployment, owner)
        fields = {"waiting_since": None, "message": "", "scoring_at": evaluation.scoring_at or timezone.now()}
        LEASES.note(evaluation_id, owner, **fields)
        evaluation, transient = _ask(evaluation, door(deployment, actions.actor_for(evaluation)), owner)
        if verdict := too_many_errors(evaluation):
            _fail(evaluation_id, owner, verdict)
            return None
        if evaluation.stalls >= LONGEST_STALL:
            _fail(evaluation_id, owner, f"The model stopped answering. {transient}".strip())
            return None
        if evaluation.done < evaluation.total:
            return _again(evaluation, transient, owner)
    actions.finish_evaluation(evaluation_id=evaluation_id, owner=owner)
    return None


def _wait(evaluation: Evaluation, deployment: Deployment, owner: str) -> float | None:
    since = evaluation.waiting_since or timezone.now()
    if deployment.state == Deployment.State.FAILED and deployment.failures >= FAILED_STARTS:
        _fail(evaluation.pk, owner, f"The model did not start. {deployment.message}")
        return None
    if timezone.now() - since > LONGEST_START:
        minutes = LONGEST_START.total_seconds() / 60
        _fail(
            evaluation.pk, owner, f"The model did not start within {minutes:.0f} minutes. {deployment.message}".strip()
        )
        return None
    message = "Starting the model."
    if deployment.message and deployment.message.rstrip(".") != message.rstrip("."):
        message = f"{message} {deployment.message}"
    LEASES.note(evaluation.pk, owner, waiting_since=since, message=message)
    return PAUSE_WHILE_STARTING_S


def _again(evaluation: Evaluation, transient: str, owner: str) -> float:
    if not transient:
        return 0.0
    # The model was there and stopped answering: let it come back, a little later each time.
    stalls = evaluation.stalls + 1
    message = f"The model does not answer all examples; they are asked again. {transient}"
    LEASES.note(evaluation.pk, owner, stalls=stalls, message=message)
    return float(min(2**stalls, 10))


def _fail(evaluation_id: int, owner: str, message: str) -> None:
    try:
        actions.fail_evaluation(evaluation_id=evaluation_id, owner=owner, message=message)
    except LeaseLost:
        log.info("Evaluation %d ended meanwhile; not noted: %s", evaluation_id, message)


def _ask(evaluation: Evaluation, way: Door, owner: str) -> tuple[Evaluation, str]:
    """Ask what has not been asked, for one turn. Returns the evaluation as it stands, and an error that may pass, if any."""
    patient = evaluation.stalls < PATIENCE
    ends = time.monotonic() + TURN_S
    waiting = unasked(evaluation)
    transient, in_a_row, more = "", 0, True
    batch: list[Answer] = []
    kept_at = time.monotonic()
    with Asker(way, str(evaluation.model), Parameters.stored(evaluation.parameters)) as asker:
        while True:
            more = more and time.monotonic() < ends and in_a_row < CONCURRENCY
            while more and asker.outstanding < 2 * CONCURRENCY:
                question = next(waiting, None)
                if question is None:
                    more = False
                else:
                    asker.put(question)
            answer = asker.get(LOOK_S / 4) if asker.outstanding else None
            if answer is not None and answer.may_pass:
                in_a_row += 1
                if patient or answer.outcome == Outcome.UNREACHABLE:
                    transient = answer.error
                else:
                    batch.append(answer)
            elif answer is not None:
                in_a_row = 0
                batch.append(answer)
            over = not asker.outstanding and not more
            if len(batch) >= BATCH or (batch and over) or time.monotonic() - kept_at > LOOK_S:
                evaluation = _keep(evaluation, batch, owner)
                batch, kept_at = [], time.monotonic()
            if over:
                return evaluation, transient


def _keep(evaluation: Evaluation, batch: list[Answer], owner: str) -> Evaluation:
    LEASES.renew(evaluation.pk, owner)
    if not batch:
        return evaluation
    return actions.store_answers(evaluation_id=evaluation.pk, owner=owner, answers=batch)


def unasked(evaluation: Evaluation) -> Iterator[Question]:
    """The questions that have no example yet, in order; the rows before the first of them are not read."""
    there = set(evaluation.examples.values_list("index", flat=True)) if evaluation.done else set()
    start = next((index for index in range(evaluation.total) if index not in there), evaluation.total)
    for question in questions(
        evaluation.dataset_version,
        Parameters.stored(evaluation.parameters),
        start=start,
        stop=evaluation.total,
    ):
        if question.index not in there:
            yield question


def too_many_errors(evaluation: Evaluation) -> str:
    """Why it makes no sense to go on; '' while it does. Few may fail: each counts as a wrong answer."""
    at_the_end = evaluation.done == evaluation.total
    if evaluation.errors <= MOST_ERRORS * evaluation.done or (evaluation.errors < FEWEST_ERRORS and not at_the_end):
        return ""
    first = evaluation.examples.exclude(error="").order_by("index").first()
    return (
        f"{evaluation.errors} of {evaluation.done} examples got no answer, more than {MOST_ERRORS:.0%}. "
        f"The first of them, example {first.number if first else '?'}: {first.error if first else ''}"
    )
