"""Background work: turns of test runs, and finding those that nobody is at."""

from celery import shared_task

from evaluation import wake
from prompt_tests import runner
from prompt_tests.leases import LEASES


@shared_task
def run(run_id: int) -> None:
    """One turn of a run; it queues the next itself. Safe to run twice, and at the same time."""
    pause_s = runner.take_turn(run_id)
    if pause_s is not None:
        wake.soon("prompt_tests.tasks.run", run_id, countdown_s=pause_s)


@shared_task
def resume() -> None:
    """Go on with runs whose worker died."""
    for run_id in LEASES.abandoned():
        wake.soon("prompt_tests.tasks.run", run_id)
