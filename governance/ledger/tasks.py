"""Background work on the ledger, every few seconds by beat."""

from celery import shared_task

from governance.ledger.search import builder


@shared_task
def index_events() -> None:
    """Write the postings of what has been committed since. Safe to run twice, and at the same time."""
    builder.build()
