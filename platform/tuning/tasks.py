"""Background work."""

from celery import shared_task

from tuning import actions


@shared_task
def close_lost() -> None:
    """Runs that went silent have failed."""
    actions.close_lost()
