"""Background work: turns of runs, and finding those that nobody is at."""

from celery import shared_task

from evaluation import wake
from playground import runner
from playground.leases import LEASES


@shared_task
def run(run_id: int) -> None:
    """One turn of a run; it queues the next itself. Safe to run twice, and at the same time."""
    if runner.take_turn(run_id):
        wake.soon("playground.tasks.run", run_id)


@shared_task
def resume() -> None:
    """Go on with runs whose worker died."""
    for run_id in LEASES.abandoned():
        wake.soon("playground.tasks.run", run_id)
