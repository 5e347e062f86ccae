"""Background work: approved requests that wait for a time or for an evaluation."""

from celery import shared_task

from home import approvals


@shared_task
def apply_due() -> None:
    """Carry out what is due. Twice is once."""
    approvals.apply_due()
