"""Asking a worker to look now instead of at its next turn. Should the message get lost, beat finds the work within seconds."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def after_commit(task: str, pk: int) -> None:
    """Have `task` called with a row's key once the present transaction is committed."""
    transaction.on_commit(lambda: soon(task, pk))


def soon(task: str, pk: int) -> None:
    try:
        current_app.send_task(task, [pk], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take %s (%s); the next turn does the work.", task, error)
