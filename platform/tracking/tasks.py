"""Background work."""

from celery import shared_task

from tracking import actions


@shared_task
def close_lost() -> None:
    """Runs that went silent have failed."""
    actions.close_lost()


@shared_task
def purge() -> None:
    """What was deleted thirty days ago goes, with its files."""
    actions.purge_deleted()
