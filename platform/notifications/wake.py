"""Asking a worker to look now instead of at its next turn. Should the message get lost, beat sends another within seconds."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def after_commit(task: str) -> None:
    transaction.on_commit(lambda: soon(task))


def soon(task: str) -> None:
    try:
        current_app.send_task(task, retry=False, expires=10)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take %s (%s); the next turn does the work.", task, error)
