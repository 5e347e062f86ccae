"""What tasks write, while they hold the lease."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.access import Actor
from governance.ledger.actions import Action, record
from playground import answers
from playground.actions.common import run_target
from playground.actions.runs import about
from playground.client import Answer
from playground.leases import LEASES
from playground.models import Cell, PlaygroundRow, PlaygroundRun
from playground.rendering import Asked
from serving.models import Deployment
from serving.prices import cost_of


def begin(*, run_id: int, owner: str) -> PlaygroundRun:
    """Take it up. What another worker had in hand when it died waits again."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        run.cells.filter(state=Cell.State.RUNNING).update(state=Cell.State.WAITING)
        run.state, run.started_at = PlaygroundRun.State.RUNNING, run.started_at or timezone.now()
        run.save(update_fields=["state", "started_at"])
        return run


def note_sent(*, run_id: int, owner: str, cell: Cell, asked: Asked, digest: str) -> None:
    """What this cell asks, before it is asked."""
    with transaction.atomic():
        LEASES.locked(run_id, owner)
        cell.state, cell.messages, cell.digest = Cell.State.RUNNING, asked.messages, digest
        cell.borrowed = asked.borrowed
        cell.save(update_fields=["state", "messages", "borrowed", "digest"])


def store_answers(
    *, run_id: int, owner: str, found: Sequence[Answer], priced: Mapping[str, Deployment]
) -> PlaygroundRun:
    """Keep answers; the counts move in the same transaction. One that is there already stays. `priced`: deployments by model."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        by_cell = {answer.cell_id: answer for answer in found}
        cells = list(run.cells.filter(pk__in=by_cell, state__in=[Cell.State.WAITING, Cell.State.RUNNING]))
        expected = dict(
            PlaygroundRow.objects.filter(run=run, index__in={cell.row for cell in cells}).values_list(
                "index", "expected"
            )
        )
        for cell in cells:
            column = run.columns[cell.column]
            _fill(cell, by_cell[cell.pk], column, expected.get(cell.row), priced.get(column["model"]))
            cell.save()
        run.done += len(cells)
        run.errors += sum(cell.state == Cell.State.FAILED for cell in cells)
        run.save(update_fields=["done", "errors"])
        return run


def _fill(
    cell: Cell, answer: Answer, column: Mapping[str, Any], expected: str | None, deployment: Deployment | None
) -> None:
    cell.state = Cell.State.FAILED if answer.error else Cell.State.DONE
    cell.output, cell.tool_calls, cell.finish_reason = answer.output, answer.tool_calls, answer.finish_reason
    cell.error, cell.error_code = answer.error, answer.error_code
    cell.latency_ms = None if answer.error else answer.latency_ms
    cell.first_token_ms = None if answer.error else answer.first_token_ms
    cell.prompt_tokens, cell.completion_tokens = answer.prompt_tokens, answer.completion_tokens
    cell.cost = cost_of(deployment, answer.prompt_tokens, answer.completion_tokens)
    cell.currency = deployment.price_currency if deployment and cell.cost is not None else ""
    cell.ended_at = timezone.now()
    if answer.error:
        return
    if not cell.tool_calls:
        problem = answers.schema_problem(column["content"].get("response_format"), answer.output)
        cell.fits, cell.problem = None if problem is None else not problem, problem or ""
        cell.matches = answers.matches(answer.output, expected) if cell.turn == 0 else None


def finish(*, run_id: int, owner: str) -> bool:
    """End it, with what it took; False where cells have come to wait meanwhile."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        if run.cells.filter(state__in=[Cell.State.WAITING, Cell.State.RUNNING]).exists():
            return False
        return _end(run, "")


def give_up(*, run_id: int, owner: str, message: str) -> None:
    """End it with a reason: what waits is not asked."""
    with transaction.atomic():
        run = LEASES.locked(run_id, owner)
        waiting = run.cells.filter(state__in=[Cell.State.WAITING, Cell.State.RUNNING])
        count = waiting.update(
            state=Cell.State.FAILED, error=message[:1_000], error_code="stopped", ended_at=timezone.now()
        )
        run.done += count
        run.errors += count
        _end(run, message)


def _end(run: PlaygroundRun, message: str) -> bool:
    run.state, run.finished_at = PlaygroundRun.State.FINISHED, timezone.now()
    run.lease_owner, run.message = "", message[:1_000]
    run.save(update_fields=["state", "finished_at", "lease_owner", "message", "done", "errors"])
    sums = run.cells.aggregate(Sum("prompt_tokens"), Sum("completion_tokens"))
    costs = {
        currency: str(amount.normalize())
        for currency, amount in run.cells.exclude(cost=None).values_list("currency").annotate(Sum("cost")).order_by()
    }
    record(
        Action.PLAYGROUND_FINISHED, by=Actor(run.created_by, via="task"), team=run.team.name, target=run_target(run),
        also=about(run), before={"state": PlaygroundRun.State.RUNNING.value},
        after={
            "state": run.state.value, "cells": run.total, "errors": run.errors,
            "prompt_tokens": sums["prompt_tokens__sum"] or 0, "completion_tokens": sums["completion_tokens__sum"] or 0,
            "cost": costs,
        },
        reason=message,
    )  # fmt: skip
    return True
