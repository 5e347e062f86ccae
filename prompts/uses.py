"""Counting fetches without slowing them: each process counts in memory, and a thread of its own adds the counts to PromptUse
every two seconds, in one statement and one transaction.

A process that is killed loses what it counted since, two seconds of fetches at most; one that is asked to stop writes them first.
What was written is never written again: counts leave the memory before the statement, and come back to it only when the
database says that it did not commit.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from accounts.access import Actor

log = logging.getLogger(__name__)
# More than anyone's consumers in two seconds; beyond it (the database is away) counts of new kinds are dropped.
_MOST = 100_000

# Sorted, so that two processes lock their rows in one order. Versions and people that are gone are left out.
_ADD = """
INSERT INTO prompts_promptuse (version_id, consumer_id, key_id, label, day, fetches, last_at)
SELECT n.version_id, n.consumer_id, n.key_id, n.label, n.day, n.fetches, n.last_at
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::date[], %s::bigint[], %s::timestamptz[])
    AS n(version_id, consumer_id, key_id, label, day, fetches, last_at)
JOIN prompts_promptversion v ON v.id = n.version_id JOIN accounts_user u ON u.id = n.consumer_id
ORDER BY n.version_id, n.day, n.consumer_id, n.key_id, n.label
ON CONFLICT (version_id, day, consumer_id, key_id, label) DO UPDATE
SET fetches = prompts_promptuse.fetches + excluded.fetches, last_at = greatest(prompts_promptuse.last_at, excluded.last_at)
"""
_Use = tuple[int, int, str, str, int]  # version, consumer, key, label, day (ordinal)
# [how many, when the last one was (seconds since 1970)]
_counts: dict[_Use, list[float]] = {}
_lock = threading.Lock()
_writer: threading.Thread | None = None
_stop = threading.Event()


def note(version_id: int, user_id: int, key_id: str = "", label: str = "") -> None:
    """One fetch, now. Costs no input or output."""
    now = datetime.now(UTC)
    use: _Use = (version_id, user_id, key_id, label[:96], now.toordinal())
    with _lock:
        found = _counts.get(use)
        if found is not None:
            found[0] += 1
            found[1] = now.timestamp()
        elif len(_counts) < _MOST:
            _counts[use] = [1, now.timestamp()]
    if _writer is None:
        _start()


def note_by(by: Actor, version_id: int, label: str = "") -> None:
    """One fetch by an actor, at whatever door."""
    if by.user is not None:
        note(version_id, by.user.pk, by.key.key_id if by.key else "", label)


def flush() -> int:
    """Write what was counted; how many rows. What could not be written stays counted."""
    with _lock:
        taken = dict(_counts)
        _counts.clear()
    if not taken:
        return 0
    columns = list(zip(*((*use, *counted) for use, counted in taken.items()), strict=True))
    versions, consumers, keys, labels, days, fetches, moments = (list(column) for column in columns)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                _ADD,
                [
                    versions, consumers, keys, labels,
                    [datetime.fromordinal(int(day)).date() for day in days],
                    [int(number) for number in fetches],
                    [datetime.fromtimestamp(moment, UTC) for moment in moments],
                ],
            )  # fmt: skip
    except DatabaseError as error:
        log.warning("uses of %s prompts wait to be written: %s", len(taken), error)
        _put_back(taken)
        return 0
    return len(taken)


def _put_back(taken: dict[_Use, list[float]]) -> None:
    with _lock:
        for use, (number, moment) in taken.items():
            found = _counts.setdefault(use, [0, moment])
            found[0] += number
            found[1] = max(found[1], moment)


def _start() -> None:
    """One writer for each process, from its first fetch on."""
    global _writer
    every_s = float(settings.PROMPT_USE_EVERY_S)
    with _lock:
        if _writer is not None or not every_s:
            return
        _writer = threading.Thread(target=_write, args=(every_s,), name="prompt-uses", daemon=True)
        _writer.start()


def _write(every_s: float) -> None:
    while not _stop.wait(every_s):
        try:
            flush()
        except Exception:  # the next round tries again
            log.exception("uses of prompts could not be written")
        finally:
            connection.close()


def _at_exit() -> None:
    _stop.set()
    if _writer is not None:
        with contextlib.suppress(Exception):
            flush()


def _after_fork() -> None:
    global _writer, _lock
    _lock = threading.Lock()
    _counts.clear()  # the parent writes those
    _writer = None


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
