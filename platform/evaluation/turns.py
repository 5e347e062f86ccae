"""Turns: a worker takes a job's lease, brings the job forward for a few seconds, and gives it back. For evaluations, tests of
prompts and the playground.

Turns are short so that a long job doesn't keep a worker from deployments and other jobs. Nothing is kept in memory between them, so
that it makes no difference whether the next one is another worker's, after a crash or not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from django.db import Error as DatabaseFault

from accounts.errors import Problem
from evaluation.asking import CONCURRENCY, Pool
from evaluation.client import Outcome
from evaluation.leasing import LeaseLost, Leases, Patient, new_owner

log = logging.getLogger(__name__)

TURN_S = 4.0
LOOK_S = 1.0  # how often the lease is renewed, which is when a cancellation is noticed
BATCH = 16
# After so many turns in a row that brought nothing, a question that the model stumbles over is kept as an error.
PATIENCE = 5
LONGEST_STALL = 90  # turns, about a quarter of an hour, that nobody was there to ask
LONGEST_START = timedelta(minutes=15)


class Answered(Protocol):
    """What came of a question. `error`: why there is no answer; it `may_pass`."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def error(self) -> str: ...
    @property
    def may_pass(self) -> bool: ...


Q = TypeVar("Q")
A = TypeVar("A", bound=Answered)


def take(
    leases: Leases[Any],
    pk: int,
    turn: Callable[[int, str], float | None],
    *,
    fail: Callable[[int, str, str], None],
    what: str,
) -> float | None:
    """Bring a job forward. Returns after how many seconds the next turn shall be; None: there is none to come from here.

    turn: does the work, given the job's id and the lease's owner, and returns the same. fail: ends the job with a message.
    what: 'evaluation', for instance."""
    owner = new_owner()
    if not leases.take(pk, owner):
        return None
    try:
        pause_s = turn(pk, owner)
    except LeaseLost:
        return None
    except Problem as problem:
        # Something can't be asked, or what it is about is gone: no later turn would fare better.
        fail(pk, owner, problem.detail)
        return None
    except DatabaseFault:
        raise  # nothing can be written down; the lease runs out and another turn begins
    except Exception as error:
        log.exception("A turn of %s %d failed", what, pk)
        fail(pk, owner, f"The {what} stopped: {type(error).__name__}: {error}")
        return None
    if pause_s is None:
        return None
    return pause_s if leases.release(pk, owner) else None


def ask(pool: Pool[Q, A], questions: Iterator[Q], *, stalls: int, keep: Callable[[list[A]], None]) -> str:
    """Ask for one turn, and return an error that may pass, if there was one: what it befell is to be asked again.

    keep: takes the answers as they come; called at least every LOOK_S, with none too, so that the lease is renewed. stalls: the
    job's turns in a row that brought nothing."""
    patient, ends = stalls < PATIENCE, time.monotonic() + TURN_S
    transient, in_a_row, more = "", 0, True
    batch: list[A] = []
    kept_at = time.monotonic()
    with pool:
        while True:
            more = more and time.monotonic() < ends and in_a_row < CONCURRENCY
            while more and pool.outstanding < 2 * CONCURRENCY:
                question = next(questions, None)
                if question is None:
                    more = False
                else:
                    pool.put(question)
            answer = pool.get(LOOK_S / 4) if pool.outstanding else None
            if answer is not None and answer.may_pass:
                in_a_row += 1
                if patient or answer.outcome == Outcome.UNREACHABLE:
                    transient = answer.error
                else:
                    batch.append(answer)
            elif answer is not None:
                in_a_row = 0
                batch.append(answer)
            over = not pool.outstanding and not more
            if len(batch) >= BATCH or (batch and over) or time.monotonic() - kept_at > LOOK_S:
                keep(batch)
                batch, kept_at = [], time.monotonic()
            if over:
                return transient


def again(leases: Leases[Any], job: Patient, owner: str, transient: str, *, message: str) -> float:
    """After how many seconds to ask for what has no answer. A model that was there and stopped answering comes back: a little later
    each time."""
    if not transient:
        return 0.0
    stalls = job.stalls + 1
    leases.note(job.pk, owner, stalls=stalls, message=f"{message} {transient}")
    return float(min(2**stalls, 10))
