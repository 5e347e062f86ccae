"""Asking a worker to go on with a run of tests."""

from django.db import transaction

from evaluation import wake

TASK = "prompt_tests.tasks.run"


def run_after_commit(run_id: int) -> None:
    transaction.on_commit(lambda: run_soon(run_id))


def run_soon(run_id: int, *, countdown_s: float = 0) -> None:
    wake.send(TASK, run_id, countdown_s=countdown_s)
