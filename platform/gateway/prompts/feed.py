"""What happened to prompts, from the ledger in the order of its commits. One connection of each process listens.

A notice (a trigger on prompts_prompt) only wakes the reader: what is told was read from the ledger, so that nothing is told that
did not commit, and nothing is missed while the connection was away.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

log = logging.getLogger(__name__)

CHANNEL = "countersign_prompts"
# Also without a notice, the ledger is looked at this often (seconds).
_LOOK_EVERY_S = 5.0
_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 5.0)
_AT_ONCE = 1000

# Events of a prompt name it among their subjects. The label's name is what stands behind '@' in the target's.
_READ = """
SELECT e.id, e.xid, e.at, e.action, e.target_kind, x.target_label, x.before, x.after, p.id AS prompt_id, p.name, t.name AS team,
       t.id AS team_id
FROM ledger_auditevent e
JOIN ledger_eventtext x ON x.event_id = e.id
JOIN prompts_prompt p ON p.id = (
    SELECT substr(s, 8)::bigint FROM unnest(e.subjects) s WHERE s ~ '^prompt:[0-9]{1,18}$' LIMIT 1)
JOIN accounts_team t ON t.id = p.team_id
WHERE e.xid >= %(since)s AND (e.action LIKE 'prompt.%%' OR e.action LIKE 'prompt\\_version.%%' OR e.action LIKE 'label.%%')
  AND e.team = COALESCE(%(team)s, e.team)
ORDER BY e.xid, e.id LIMIT %(limit)s
"""
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon"
_OLDEST = "SELECT at FROM ledger_auditevent WHERE xid >= %(since)s ORDER BY xid, id LIMIT 1"

Connection = psycopg.AsyncConnection[dict[str, Any]]


@dataclass(frozen=True)
class Change:
    """One event: what clients are told, and what decides who is."""

    id: int
    xid: int
    team_id: int
    prompt_id: int
    name: str
    label: str | None
    data: bytes

    def message(self, horizon: int) -> bytes:
        """`horizon`: whoever has read up to here has missed nothing of older transactions."""
        return b"id: %d-%d\nevent: change\ndata: %s\n\n" % (horizon, self.id, self.data)


def change_of(row: dict[str, Any]) -> Change:
    label = (row["target_label"] or "").rpartition("@")[2] if row["target_kind"] == "label" else None
    before, after = row["before"] or {}, row["after"] or {}
    at: datetime = row["at"]
    told = {
        "kind": row["action"],
        "team": row["team"],
        "prompt": row["name"],
        "label": label,
        "version": after.get("version", after.get("number")),
        "digest": after.get("digest"),
        "previous": before.get("version", before.get("number")),
        "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    if "name" in before:  # renamed: whoever knows it by the old name is meant too
        told["previous_name"] = before["name"]
    data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Change(row["id"], row["xid"], row["team_id"], row["prompt_id"], row["name"], label, data)


async def read(connection: Connection, since: int, *, team: str | None = None, limit: int = _AT_ONCE) -> list[Change]:
    """What committed in transactions from `since` on; a page of it when there is more than `limit`."""
    cursor = await connection.execute(_READ, {"since": since, "team": team, "limit": limit})
    return [change_of(row) for row in await cursor.fetchall()]


async def horizon_of(connection: Connection) -> int:
    """Every transaction before this one has ended: who reads from here later misses none."""
    row = await (await connection.execute(_HORIZON)).fetchone()
    assert row is not None
    return int(row["horizon"])


async def oldest_since(connection: Connection, since: int) -> datetime | None:
    row = await (await connection.execute(_OLDEST, {"since": since})).fetchone()
    return row["at"] if row else None


Take = Callable[[Sequence[Change], int], Awaitable[None]]


class Feed:
    """Reads on and on, once started, and hands on what is new: each change once."""

    def __init__(self, database_url: str, take: Take) -> None:
        self._database_url, self._take = database_url, take
        self._horizon = 0
        self._seen: set[int] = set()

    @property
    def horizon(self) -> int:
        return self._horizon

    async def run(self, ready: asyncio.Event) -> None:
        """Until cancelled; connects again whenever the database was away, and tells then what came meanwhile."""
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database_url, autocommit=True, row_factory=dict_row, connect_timeout=5
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    if not self._horizon:
                        self._horizon = await horizon_of(connection)
                    while True:
                        await self._look(connection)
                        ready.set()
                        failures = 0
                        async for _ in connection.notifies(timeout=_LOOK_EVERY_S, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as error:
                log.warning("changes of prompts are not told until the database is back: %s", error)
                await asyncio.sleep(_AGAIN_AFTER_S[min(failures, len(_AGAIN_AFTER_S) - 1)])
                failures += 1

    async def _look(self, connection: Connection) -> None:
        """Tell what has committed since the last time. The horizon is taken first: what is before it can be read by then."""
        while True:
            horizon = await horizon_of(connection)
            found = await read(connection, self._horizon)
            whole = len(found) < _AT_ONCE
            # Of a page that is not the last, only what is behind its last transaction is surely read.
            reached = horizon if whole else min(horizon, found[-1].xid)
            fresh = [change for change in found if change.id not in self._seen]
            stuck = not whole and not fresh  # one transaction alone has more than a page: let it be
            self._horizon = horizon if stuck else reached
            self._seen = {change.id for change in found if change.xid >= self._horizon}
            if fresh:
                await self._take(fresh, self._horizon)
            if whole or stuck:
                return
