"""What people do with one cell: think something of it, ask again, go on talking."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid, NotFound
from accounts.roles import Permission
from evaluation import leasing, wake
from governance.ledger.actions import Action, record
from playground.actions.common import require_play, run_target
from playground.actions.runs import MAX_CELLS, about
from playground.models import Cell, CellRating, PlaygroundRun
from playground.rendering import check_borrowed
from prompts.checks import check_note

MAX_TURNS = 50
MAX_SAID = 100_000
_EMPTY: dict[str, Any] = {
    "state": Cell.State.WAITING, "output": "", "tool_calls": [], "finish_reason": "", "problem": "", "fits": None,
    "matches": None, "error": "", "error_code": "", "latency_ms": None, "first_token_ms": None, "prompt_tokens": None,
    "completion_tokens": None, "cost": None, "currency": "", "ended_at": None,
}  # fmt: skip


@transaction.atomic
def rate_cell(*, cell: Cell, good: bool | None, comment: str = "", by: Actor) -> CellRating | None:
    """One's own word on an answer, in place of the one before; None takes it back."""
    require(by, Permission.ASSET_EDIT, cell.run)
    if good is None:
        CellRating.objects.filter(cell=cell, by=by.user).delete()
        return None
    if cell.state != Cell.State.DONE:
        raise Conflict("There is no answer to rate yet.")
    rating, _ = CellRating.objects.update_or_create(
        cell=cell,
        by=by.user,
        defaults={"good": good, "comment": check_note("comment", comment), "at": timezone.now()},
    )
    return rating


@transaction.atomic
def retry_cell(*, cell: Cell, by: Actor) -> Cell:
    """Ask again, as whoever wants to know now. Only the last turn of a conversation, and not while it is under way."""
    user = require_play(by, cell.run)
    run = _lock(cell.run_id)
    found = run.cells.select_for_update().get(pk=cell.pk)
    if not found.has_ended:
        raise Conflict("This cell is being asked already.")
    if run.cells.filter(**_place(found), turn__gt=found.turn).exists():
        raise Conflict("The conversation went on after this answer: ask again at its end.")
    _again(run, Q(pk=found.pk), asked_by=user.pk)
    _reopen(run, by)
    found.refresh_from_db()
    return found


@transaction.atomic
def retry_failed(*, run: PlaygroundRun, by: Actor) -> PlaygroundRun:
    """Ask all cells again that got no answer, those of a cancelled run too."""
    user = require_play(by, run)
    locked = _lock(run.pk)
    if not locked.has_ended:
        raise Conflict("This run is under way.")
    failed = Q(state__in=[Cell.State.FAILED, Cell.State.CANCELLED])
    if not locked.cells.filter(failed).exists():
        raise Conflict("Every cell has its answer.")
    _again(locked, failed, asked_by=user.pk)
    _reopen(locked, by)
    return locked


@transaction.atomic
def continue_cell(*, cell: Cell, said: str = "", results: Mapping[str, str] | None = None, by: Actor) -> Cell:
    """The conversation's next turn: what a person says, and what the tools that the answer called are said to have answered
    (`results` by the call's id, one for each call)."""
    user = require_play(by, cell.run)
    run = _lock(cell.run_id)
    found = run.cells.get(pk=cell.pk)
    if found.state != Cell.State.DONE:
        raise Conflict("There is no answer yet to go on from.")
    check_borrowed(found, by=by)
    if run.cells.filter(**_place(found), turn__gt=found.turn).exists():
        raise Conflict("The conversation went on already. Go on at its end.")
    if found.turn + 1 >= MAX_TURNS or run.total >= 2 * MAX_CELLS:
        raise Invalid("said", f"A conversation has at most {MAX_TURNS} turns here. Start another run.")
    added = _tool_messages(found, results or {})
    said = said.strip()
    for field, text in [("said", said), *((f"results.{m['tool_call_id']}", m["content"]) for m in added)]:
        if len(text) > MAX_SAID or "\0" in text:
            raise Invalid(field, f"At most {MAX_SAID:,} characters of text.")
    if said:
        added.append({"role": "user", "content": said})
    if not added:
        raise Invalid("said", "Say something.")
    following = Cell.objects.create(
        run=run, **_place(found), turn=found.turn + 1, added=added, asked_by=user, state=Cell.State.WAITING
    )
    run.total += 1
    run.save(update_fields=["total"])
    _reopen(run, by)
    return following


def _tool_messages(cell: Cell, results: Mapping[str, str]) -> list[dict[str, Any]]:
    known = {call["id"] or f"call_{place}" for place, call in enumerate(cell.tool_calls)}
    if unknown := sorted(set(results) - known):
        raise Invalid("results", f"The answer made no call '{unknown[0][:80]}'.")
    messages = []
    for place, call in enumerate(cell.tool_calls):
        name = call["id"] or f"call_{place}"
        if name not in results or not results[name].strip():
            raise Invalid(f"results.{name}", f"Say what {call['function']['name']} answers: the model waits for it.")
        messages.append({"role": "tool", "tool_call_id": name, "content": results[name]})
    return messages


def _place(cell: Cell) -> dict[str, int]:
    return {"row": cell.row, "column": cell.column, "repeat": cell.repeat}


def _lock(run_id: int) -> PlaygroundRun:
    rows = PlaygroundRun.objects.select_for_update(of=("self",)).select_related("team", "dataset_version__asset__team")
    found: PlaygroundRun | None = rows.filter(pk=run_id).first()
    if found is None:
        raise NotFound("There is no such run.")
    return found


def _again(run: PlaygroundRun, which: Q, *, asked_by: int) -> None:
    rows = run.cells.filter(which)
    states = list(rows.values_list("state", flat=True))
    # Cells that a cancellation ended before they were asked were never counted as done.
    run.done -= sum(state in (Cell.State.DONE, Cell.State.FAILED) for state in states)
    run.errors -= sum(state == Cell.State.FAILED for state in states)
    run.save(update_fields=["done", "errors"])
    rows.update(**_EMPTY, asked_by=asked_by)
    CellRating.objects.filter(cell__run=run, cell__state=Cell.State.WAITING).delete()


def _reopen(run: PlaygroundRun, by: Actor) -> None:
    """Let workers at it again."""
    if run.has_ended:
        before = {"state": run.state}
        run.state, run.finished_at, run.message = PlaygroundRun.State.QUEUED, None, ""
        run.lease_until = timezone.now() + leasing.TURN
        run.save(update_fields=["state", "finished_at", "message", "lease_until"])
        record(
            Action.PLAYGROUND_REOPENED, by=by, team=run.team.name, target=run_target(run), also=about(run),
            before=before, after={"state": run.state, "waiting": run.total - run.done},
        )  # fmt: skip
    wake.after_commit("playground.tasks.run", run.pk)
