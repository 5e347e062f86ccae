"""Background work: turns of evaluations, and finding those that nobody is at."""

from celery import shared_task

from evaluation import runner, wake
from evaluation.leases import LEASES


@shared_task
def run(evaluation_id: int) -> None:
    """One turn of an evaluation; it queues the next itself. Safe to run twice, and at the same time."""
    pause_s = runner.take_turn(evaluation_id)
    if pause_s is not None:
        wake.soon("evaluation.tasks.run", evaluation_id, countdown_s=pause_s)


@shared_task
def resume() -> None:
    """Go on with evaluations whose worker died."""
    for evaluation_id in LEASES.abandoned():
        wake.soon("evaluation.tasks.run", evaluation_id)
