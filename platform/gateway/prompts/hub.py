"""Hands changes to those who listen. One slow listener never holds up another: its own queue fills, and it is let go."""

import asyncio
import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import dict_row

from gateway import metrics
from gateway.errors import ApiError
from gateway.prompts import feed
from gateway.prompts.feed import Change, Feed
from gateway.prompts.permissions import Listener, Permissions, Unanswered

log = logging.getLogger(__name__)

# What waits for one listener before it is let go.
QUEUE = 256
# What a listener that comes back is told of, at most and of how long ago; beyond it: to fetch everything again.
REPLAY, REPLAY_AGE = 1000, timedelta(hours=1)
# How often keys and grants are looked at without any change.
CHECK_EVERY_S = 2.0


class Stream:
    """One listener's connection: what waits to be sent to it."""

    def __init__(self, listener: Listener, labels: Collection[str]) -> None:
        self.listener = listener
        self._labels = frozenset(labels)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self.ended = ""
        self.told: set[int] = set()  # what was replayed, which may come again

    def wants(self, change: Change) -> bool:
        listener = self.listener
        return (
            change.team_id == listener.team_id
            and (listener.prompts is None or change.prompt_id in listener.prompts)
            and (not self._labels or change.label in self._labels)
        )

    def put(self, message: bytes) -> None:
        if self.ended:
            return
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.end("slow")

    def end(self, why: str) -> None:
        """Nothing more comes; what waits is dropped."""
        if self.ended:
            return
        self.ended = why
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(b"")

    async def next(self, timeout_s: float) -> bytes:
        """What waits, all of it at once; b'' after a silence of `timeout_s`, and once the stream has ended."""
        try:
            async with asyncio.timeout(timeout_s):
                parts = [await self._waiting.get()]
        except TimeoutError:
            return b""
        while not self._waiting.empty():
            parts.append(self._waiting.get_nowait())
        return b"".join(parts)


class Hub:
    """The streams of this process, and the one feed that they share. It reads while there is somebody to tell."""

    def __init__(self, database_url: str, permissions: Permissions, *, per_key: int, at_all: int) -> None:
        self._database_url, self._permissions = database_url, permissions
        self._per_key, self._at_all = per_key, at_all
        self._streams: dict[int, set[Stream]] = defaultdict(set)  # by team
        self._of_key: Counter[int] = Counter()
        self._feed = Feed(database_url, self._publish)
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def close(self) -> None:
        for stream in self._every():
            stream.end("closing")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _every(self) -> list[Stream]:
        return [stream for streams in self._streams.values() for stream in streams]

    async def join(self, listener: Listener, labels: Collection[str], last_id: str) -> Stream:
        """A stream that hears of everything from now on; with `last_id`, first of what came since. ApiError above the limits."""
        if self._of_key[listener.key_row] >= self._per_key:
            message = f"This key has {self._per_key} streams open already. Close some, or share one among your threads."
            raise ApiError(429, message, code="too_many_streams", retry_after_s=30)
        if self._of_key.total() >= self._at_all:
            raise ApiError(503, "Too many listen here already. Try again soon.", code="unavailable", retry_after_s=10)
        stream = Stream(listener, labels)
        # Counted before anything is waited for: many may come at once.
        self._of_key[listener.key_row] += 1
        self._streams[listener.team_id].add(stream)
        metrics.listeners.inc()
        try:
            await self._begin()
            await self._welcome(stream, last_id)
        except BaseException:
            self.leave(stream)
            raise
        return stream

    def leave(self, stream: Stream) -> None:
        streams = self._streams.get(stream.listener.team_id, set())
        if stream in streams:
            streams.discard(stream)
            self._of_key[stream.listener.key_row] -= 1
            self._of_key += Counter()  # drops those at nought
            metrics.listeners.dec()

    async def _begin(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._feed.run(self._ready)), asyncio.create_task(self._watch())]
        try:
            async with asyncio.timeout(5):
                await self._ready.wait()
        except TimeoutError:
            raise ApiError(
                503, "The gateway can't reach its database. Try again soon.", code="unavailable", retry_after_s=2
            ) from None

    async def _welcome(self, stream: Stream, last_id: str) -> None:
        """Where the stream stands, and what it missed."""
        horizon = self._feed.horizon
        missed: Sequence[Change] | None = []
        if last_id:
            missed = await self._missed(stream, last_id)
        ready = b"id: %d-0\nevent: %s\ndata: {}\n\n" % (horizon, b"ready" if missed is not None else b"reset")
        for change in missed or ():
            if stream.wants(change) and stream.listener.key_row in await self._permissions.may_see(
                [stream.listener.key_row], change.prompt_id
            ):
                stream.told.add(change.id)
                ready += change.message(horizon)
        stream.put(ready)

    async def _missed(self, stream: Stream, last_id: str) -> Sequence[Change] | None:
        """What came since; None where it can't be told any more."""
        since, _, last = last_id.partition("-")
        if not (since.isascii() and since.isdigit() and last.isascii() and last.isdigit() and len(last_id) < 40):
            return None
        if int(since) > self._feed.horizon:
            return None  # of another database, or of this one before it was restored
        try:
            async with await psycopg.AsyncConnection.connect(
                self._database_url, autocommit=True, row_factory=dict_row, connect_timeout=5
            ) as connection:
                oldest = await feed.oldest_since(connection, int(since))
                if oldest is not None and oldest < datetime.now(UTC) - REPLAY_AGE:
                    return None
                found = await feed.read(connection, int(since), team=stream.listener.team, limit=REPLAY + 1)
        except psycopg.Error as error:
            log.warning("a listener is not told what it missed: %s", error)
            return None
        return None if len(found) > REPLAY else [change for change in found if change.id != int(last)]

    async def _publish(self, changes: Sequence[Change], horizon: int) -> None:
        for change in changes:
            wanted = [stream for stream in self._streams.get(change.team_id, ()) if stream.wants(change)]
            if not wanted:
                continue
            try:
                allowed = await self._permissions.may_see(
                    {stream.listener.key_row for stream in wanted}, change.prompt_id
                )
            except Unanswered:
                for stream in wanted:  # they come back, and are told then
                    stream.end("unavailable")
                continue
            message = change.message(horizon)
            for stream in wanted:
                if stream.listener.key_row in allowed and change.id not in stream.told:
                    stream.put(message)
        metrics.changes_told.inc(len(changes))

    async def _watch(self) -> None:
        """End the streams of keys that were revoked or have expired, and of people who lost what they saw."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            with contextlib.suppress(*Unanswered):
                await self._check()

    async def _check(self) -> None:
        streams = self._every()
        if not streams:
            return
        pairs = {(stream.listener.key_row, stream.listener.team_id) for stream in streams}
        good = await self._permissions.still(pairs)
        named: dict[int, set[int]] = defaultdict(set)
        for stream in streams:
            for prompt_id in stream.listener.prompts or ():
                named[prompt_id].add(stream.listener.key_row)
        seen = {prompt_id: await self._permissions.may_see(keys, prompt_id) for prompt_id, keys in named.items()}
        for stream in streams:
            listener = stream.listener
            lost = listener.prompts is not None and not any(listener.key_row in seen[one] for one in listener.prompts)
            if lost or (listener.key_row, listener.team_id) not in good:
                stream.end("not_permitted")
