"""Background work: every few seconds by beat, and at once after a change."""

from celery import shared_task

from serving import reconciler


@shared_task
def reconcile() -> None:
    """Bring Ray Serve to what is wanted. Safe to run twice, and at the same time."""
    reconciler.reconcile()
