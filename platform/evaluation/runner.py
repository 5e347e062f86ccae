"""Turns of an evaluation (evaluation.turns)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.utils import timezone

from evaluation import actions, turns
from evaluation.client import Answer, Asker
from evaluation.leases import LEASES
from evaluation.leasing import LeaseLost
from evaluation.models import Evaluation
from evaluation.parameters import Parameters
from evaluation.rows import Question, questions
from serving.calls import Door, door
from serving.models import Deployment

log = logging.getLogger(__name__)

PAUSE_WHILE_STARTING_S = 1.0
# The first failed start may be an accident (a node that went away); the second one is the model's own.
FAILED_STARTS = 2
FEWEST_ERRORS, MOST_ERRORS = 10, 0.2


def take_turn(evaluation_id: int) -> float | None:
    """Bring it forward. Returns after how many seconds the next turn shall be; None: there is none to come from here."""
    return turns.take(LEASES, evaluation_id, _turn, fail=_fail, what="evaluation")


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
        if evaluation.stalls >= turns.LONGEST_STALL:
            _fail(evaluation_id, owner, f"The model stopped answering. {transient}".strip())
            return None
        if evaluation.done < evaluation.total:
            message = "The model does not answer all examples; they are asked again."
            return turns.again(LEASES, evaluation, owner, transient, message=message)
    actions.finish_evaluation(evaluation_id=evaluation_id, owner=owner)
    return None


def _wait(evaluation: Evaluation, deployment: Deployment, owner: str) -> float | None:
    since = evaluation.waiting_since or timezone.now()
    if deployment.state == Deployment.State.FAILED and deployment.failures >= FAILED_STARTS:
        _fail(evaluation.pk, owner, f"The model did not start. {deployment.message}")
        return None
    if timezone.now() - since > turns.LONGEST_START:
        minutes = turns.LONGEST_START.total_seconds() / 60
        _fail(
            evaluation.pk, owner, f"The model did not start within {minutes:.0f} minutes. {deployment.message}".strip()
        )
        return None
    message = "Starting the model."
    if deployment.message and deployment.message.rstrip(".") != message.rstrip("."):
        message = f"{message} {deployment.message}"
    LEASES.note(evaluation.pk, owner, waiting_since=since, message=message)
    return PAUSE_WHILE_STARTING_S


def _fail(evaluation_id: int, owner: str, message: str) -> None:
    try:
        actions.fail_evaluation(evaluation_id=evaluation_id, owner=owner, message=message)
    except LeaseLost:
        log.info("Evaluation %d ended meanwhile; not noted: %s", evaluation_id, message)


def _ask(evaluation: Evaluation, way: Door, owner: str) -> tuple[Evaluation, str]:
    """Ask what has not been asked, for one turn. Returns the evaluation as it stands, and an error that may pass, if any."""

    def keep(answers: list[Answer]) -> None:
        nonlocal evaluation
        LEASES.renew(evaluation.pk, owner)
        if answers:
            evaluation = actions.store_answers(evaluation_id=evaluation.pk, owner=owner, answers=answers)

    asker = Asker(way, str(evaluation.model), Parameters.stored(evaluation.parameters))
    transient = turns.ask(asker, unasked(evaluation), stalls=evaluation.stalls, keep=keep)
    return evaluation, transient


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
