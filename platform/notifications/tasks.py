"""Background work, every second or two by beat and at once after an event. Each may run twice, and at the same time."""

from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from notifications import deliveries, housekeeping, mailer, tail


@shared_task
def follow() -> None:
    """Take in what the ledger has got."""
    tail.follow()


@shared_task
def deliver() -> None:
    """Send the webhook messages that are due."""
    deliveries.deliver()


@shared_task
def send_mail() -> None:
    """Send the e-mails that are due."""
    mailer.send_waiting()


@shared_task
def forget_erased() -> None:
    """Delete notices that quote what was erased from the ledger."""
    housekeeping.forget_erased()


@shared_task
def sweep() -> None:
    """Delete what is older than it is kept, and encrypt secrets anew when the key has changed."""
    housekeeping.sweep()
    if housekeeping.erased_lately():
        housekeeping.forget_erased()
    housekeeping.encrypt_anew()


@worker_shutting_down.connect
def stop(**_: Any) -> None:
    """A worker that is told to stop takes no more messages."""
    deliveries.stopping.set()
