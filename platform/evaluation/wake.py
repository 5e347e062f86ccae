"""Asking a worker to go on with a job. Should the message get lost, beat sends another."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def after_commit(task: str, pk: int) -> None:
    transaction.on_commit(lambda: soon(task, pk))


def soon(task: str, pk: int, *, countdown_s: float = 0) -> None:
    """Queue a turn. Whether it arrives doesn't matter: a job that nobody is at is found within seconds."""
    try:
        current_app.send_task(task, [pk], countdown=countdown_s, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take a turn of %s %d (%s); the next look does.", task, pk, error)
