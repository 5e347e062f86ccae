"""Asking the reconciler to look now instead of at its next turn."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def reconcile_after_commit() -> None:
    """Once this transaction has committed. Whether it arrives doesn't matter: beat reconciles every few seconds anyway."""
    transaction.on_commit(_send)


def _send() -> None:
    try:
        current_app.send_task("serving.tasks.reconcile", retry=False, expires=10)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take a reconcile task (%s); the next turn does the work.", error)
