"""Turns of a run (evaluation.turns).

Cells run here rather than in the browser: the permission is asked of the same function as everywhere, at the moment of each
call; tokens and cost are counted where nobody can leave them out; and a run goes on when the page is closed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from accounts.access import Actor, can
from accounts.errors import Forbidden, Problem, Unavailable
from accounts.models import ApiKey
from accounts.roles import Permission
from evaluation import turns
from evaluation.leasing import LeaseLost
from playground import live, rendering
from playground.actions import worker
from playground.client import CONCURRENCY, Answer, Asker, Job
from playground.leases import LEASES
from playground.models import Cell, PlaygroundRow, PlaygroundRun
from serving.calls import door
from serving.models import Deployment

log = logging.getLogger(__name__)

TURN_S = 20.0  # after it, what waits is left for the next turn: other runs are waiting too
LOOK_S = 1.0  # how often the lease is renewed, which is when a cancellation is noticed
ATTEMPTS = 2
BATCH = 50


def take_turn(run_id: int) -> bool:
    """Bring it forward. Returns whether another turn shall be queued."""
    return turns.take(LEASES, run_id, _turn, fail=_stop, what="run") is not None


def _turn(run_id: int, owner: str) -> float | None:
    run = worker.begin(run_id=run_id, owner=owner)
    if run.by_key and (run.key is None or run.key.state() != "active"):
        _stop(run_id, owner, "The API key that this run was started with is not valid any more.")
        return None
    turn = _Turn(run, owner)
    turn.work()
    return None if not turn.more and worker.finish(run_id=run_id, owner=owner) else 0.0


def _stop(run_id: int, owner: str, message: str) -> None:
    try:
        worker.give_up(run_id=run_id, owner=owner, message=message)
    except LeaseLost:
        log.info("Playground run %d ended meanwhile; not noted: %s", run_id, message)


class _Turn:
    """One turn's doings. `more` afterwards: whether cells still wait."""

    def __init__(self, run: PlaygroundRun, owner: str) -> None:
        self.run, self.owner, self.more = run, owner, False
        self._jobs: dict[int, tuple[Job, int]] = {}  # under way, with how often each was tried
        self._actors: dict[int, Actor] = {}
        self._models: dict[tuple[str, int], Deployment | Problem] = {}
        self._sources: dict[tuple[int, int], rendering.Source] = {}
        self._priced: dict[str, Deployment] = {}
        self._rows: dict[int, dict[str, Any]] = {}

    def work(self) -> None:
        ends = time.monotonic() + TURN_S
        waiting = self._waiting()
        batch: list[Answer] = []
        kept_at = time.monotonic()
        feeding = True
        with Asker(live.show) as asker:
            while True:
                while feeding and asker.outstanding < CONCURRENCY:
                    if time.monotonic() > ends:
                        feeding, self.more = False, True
                        break
                    cell = next(waiting, None)
                    if cell is None:
                        feeding = False
                        break
                    job = self._prepared(cell)
                    if isinstance(job, Answer):
                        batch.append(job)
                        if len(batch) >= BATCH:
                            break
                    else:
                        self._jobs[cell.pk] = (job, 1)
                        asker.put(job)
                answer = asker.get(LOOK_S / 4) if asker.outstanding else None
                if answer is not None and not self._tried_again(answer, asker):
                    batch.append(answer)
                over = not asker.outstanding and not feeding
                if batch or over or time.monotonic() - kept_at > LOOK_S:
                    self._keep(batch)
                    batch, kept_at = [], time.monotonic()
                if over:
                    return

    def _waiting(self) -> Iterator[Cell]:
        after: set[int] = set()
        while True:
            rows = self.run.cells.filter(state=Cell.State.WAITING).exclude(pk__in=after).select_related("asked_by")
            found = list(rows.order_by("row", "repeat", "column", "turn")[:BATCH])
            if not found:
                return
            for cell in found:
                after.add(cell.pk)
                yield cell

    def _prepared(self, cell: Cell) -> Job | Answer:
        """The call to make, or why there is none."""
        column = self.run.columns[cell.column]
        by = self._actor(cell)
        try:
            deployment = self._deployment(column["model"], by)
            asked = self._asked(cell, column, by)
            rendering.check_length(asked.messages)
            body = rendering.body_of(column, asked.messages)
            digest = rendering.digest_of(body)
        except Problem as problem:
            return Answer(cell.pk, error=problem.detail, error_code=problem.code)
        worker.note_sent(run_id=self.run.pk, owner=self.owner, cell=cell, asked=asked, digest=digest)
        return Job(cell.pk, door(deployment, by), body)

    def _asked(self, cell: Cell, column: dict[str, Any], by: Actor) -> rendering.Asked:
        if cell.turn == 0:
            key = (cell.column, id(by))
            if key not in self._sources:
                self._sources[key] = rendering.source_of(column, self.run.team, by=by)
            return rendering.first_turn(self._sources[key], column, self._values(cell.row), by=by)
        before = self.run.cells.get(row=cell.row, column=cell.column, repeat=cell.repeat, turn=cell.turn - 1)
        rendering.check_borrowed(before, by=by)
        said: dict[str, Any] = {"role": "assistant", "content": before.output}
        if before.tool_calls:
            said["tool_calls"] = [
                {**call, "id": call["id"] or f"call_{place}"} for place, call in enumerate(before.tool_calls)
            ]
        return rendering.Asked([*before.messages, said, *cell.added], before.borrowed)

    def _values(self, row: int) -> dict[str, Any]:
        if row not in self._rows:
            values = PlaygroundRow.objects.filter(run=self.run, index=row).values_list("values", flat=True).first()
            self._rows = {row: values or {}}  # cells come row by row
        return self._rows[row]

    def _actor(self, cell: Cell) -> Actor:
        """Whoever asked: of the first turns who started the run, with the key that was used."""
        if cell.asked_by is not None:
            return self._actors.setdefault(cell.asked_by.pk, Actor(cell.asked_by, via="task"))
        if 0 not in self._actors:
            key: ApiKey | None = self.run.key
            self._actors[0] = Actor(self.run.created_by, key=key, via="task")
        return self._actors[0]

    def _deployment(self, model: str, by: Actor) -> Deployment:
        """What answers for this model, for this actor; asked once a turn."""
        key = (model, id(by))
        if key not in self._models:
            self._models[key] = _found(model, by)
        found = self._models[key]
        if isinstance(found, Problem):
            raise found
        self._priced[model] = found
        return found

    def _tried_again(self, answer: Answer, asker: Asker) -> bool:
        job, tried = self._jobs.pop(answer.cell_id)
        if not (answer.error and answer.may_pass and tried < ATTEMPTS):
            return False
        LEASES.renew(self.run.pk, self.owner)
        self._jobs[answer.cell_id] = (job, tried + 1)
        asker.put(job)
        return True

    def _keep(self, batch: list[Answer]) -> None:
        LEASES.renew(self.run.pk, self.owner)
        if batch:
            worker.store_answers(run_id=self.run.pk, owner=self.owner, found=batch, priced=self._priced)


def _found(model: str, by: Actor) -> Deployment | Problem:
    team, _, name = model.partition("/")
    rows = Deployment.objects.visible_to(by).for_people().select_related("team")
    deployment = rows.filter(team__name=team, name=name).first()
    if deployment is None:
        return Forbidden(f"There is no model '{model}' that you can see: it was deleted, or your role there has ended.")
    if not can(by, Permission.MODEL_INVOKE, deployment):
        return Forbidden(
            f"This needs the permission {Permission.MODEL_INVOKE.value} on {model}. Ask an administrator of {team} for it.",
            permission=Permission.MODEL_INVOKE.value,
        )
    if deployment.endpoint:
        return deployment
    if deployment.wants_to_run and deployment.state != Deployment.State.FAILED:
        return Unavailable(f"{model} is {deployment.state}. Try again when it runs.", code="model_starting")
    remedy = deployment.message or "See its page"
    if deployment.state == Deployment.State.FAILED:
        return Unavailable(f"{model} failed to start. {remedy}", code="model_failed")
    return Unavailable(f"{model} is stopped. Somebody who may deploy starts it on its page.", code="model_stopped")
