"""Background work: turns of runs, and finding those that nobody is at."""

from celery import shared_task

from playground import leases, runner, wake


@shared_task
def run(run_id: int) -> None:
    """One turn of a run; it queues the next itself. Safe to run twice, and at the same time."""
    if runner.take_turn(run_id):
        wake.run_soon(run_id)


@shared_task
def resume() -> None:
    """Go on with runs whose worker died."""
    for run_id in leases.abandoned():
        wake.run_soon(run_id)
