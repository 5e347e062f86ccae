"""Asking a worker to go on with a run. Should the message get lost, beat sends another."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def run_after_commit(run_id: int) -> None:
    transaction.on_commit(lambda: run_soon(run_id))


def run_soon(run_id: int) -> None:
    """Queue a turn. Whether it arrives doesn't matter: a run that nobody is at is found within seconds."""
    try:
        current_app.send_task("playground.tasks.run", [run_id], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The broker did not take a turn of playground run %d (%s); the next look does.", run_id, error)
