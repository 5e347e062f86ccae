"""Background work: what time or another process did, written into the ledger."""

from celery import shared_task

from accounts import keys
from accounts.actions.grants import end_expired


@shared_task
def record_key_uses() -> None:
    """The events of key uses that the gateway noted. Safe to run twice, and at the same time."""
    keys.record_noted_uses()


@shared_task
def end_expired_grants() -> None:
    """Clear away grants whose time is over, with an event each. Safe to run twice, and at the same time."""
    end_expired()
