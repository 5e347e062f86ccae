"""Prompts in memory: what is fresh is answered at once; what is not, too, and fetched anew in the background.

Safe to use from several threads, and after a fork: the child begins with what the parent had, and asks for itself.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from countersign.errors import ApiError, Unreachable
from countersign.prompts.disk import Copy, Disk
from countersign.transport import Transport, path_of

# After the site did not answer it is left alone for this long: copies are used meanwhile.
PAUSE_S = 5.0


class PromptsOutOfDate(UserWarning):
    """The site is away, and a copy from earlier is used."""


@dataclass
class Entry:
    """One label or version of a prompt. `checked`: when the site last said that this is right (monotonic; 0: not yet)."""

    address: str
    at: str | int
    etag: str = ""
    body: dict[str, Any] | None = None
    source: str = "site"
    fetched_at: float = 0.0
    checked: float = 0.0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def what(self) -> str:
        return f"{self.address}{':' if isinstance(self.at, int) else '@'}{self.at}"

    @property
    def path(self) -> str:
        team, _, name = self.address.partition("/")
        return path_of("prompts", team, name, "versions" if isinstance(self.at, int) else "labels", self.at)

    def concerns(self, address: str) -> bool:
        """Whether a change of that prompt may change this: it, or one that it includes."""
        included = (self.body or {}).get("included") or {}
        return self.address == address or any(one.get("prompt") == address for one in included.values())


class Cache:
    """`fresh_s`: how long a copy is used without asking; a number is asked for once, for it never changes."""

    def __init__(self, http: Transport, disk: Disk | None, fresh_s: Callable[[str], float]) -> None:
        self._http, self._disk, self._fresh_s = http, disk, fresh_s
        self.on_answer: Callable[[str, httpx.Response], None] = lambda team, answer: None
        self.on_change: Callable[[Entry], None] = lambda entry: None
        self._entries: dict[tuple[str, str | int], Entry] = {}
        self._away_until = 0.0
        self._warned = False
        self._reset()
        _ALL.add(self)

    def _reset(self) -> None:
        """Locks and threads do not outlive a fork."""
        self._lock = threading.Lock()
        self._wanted: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._queued: set[str] = set()
        for entry in self._entries.values():
            entry.lock = threading.Lock()

    def close(self) -> None:
        if self._worker is not None:
            self._wanted.put(None)

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def get(self, address: str, at: str | int) -> Entry:
        """The entry with a body. Raises ApiError for what the site refuses, and Unreachable without any copy."""
        with self._lock:
            entry = self._entries.setdefault((address, at), Entry(address, at))
        if entry.body is not None:
            if not self._is_fresh(entry):
                self.refresh(entry)
            return entry
        with entry.lock:  # one thread fetches, the others wait for it
            if entry.body is None:
                self._first(entry)
        return entry

    def _is_fresh(self, entry: Entry) -> bool:
        if not entry.checked:
            return False
        pinned = isinstance(entry.at, int) and not (entry.body or {}).get("included")
        return pinned or time.monotonic() - entry.checked < self._fresh_s(entry.address.partition("/")[0])

    def _first(self, entry: Entry) -> None:
        copy = self._disk.read(entry.what) if self._disk else None
        if copy is not None:
            entry.etag = copy.etag
        if copy is None or time.monotonic() >= self._away_until:
            try:
                self._ask(entry, copy)
                return
            except Unreachable:
                if copy is None:
                    self._drop(entry)
                    raise
            except ApiError:
                self._drop(entry)
                raise
        assert copy is not None
        entry.body, entry.fetched_at, entry.source = copy.body, copy.fetched_at, "disk"
        self._warn(entry)

    def _ask(self, entry: Entry, copy: Copy | None = None) -> None:
        """One request; what it says is kept, in memory and on disk."""
        headers = {"If-None-Match": entry.etag} if entry.etag else {}
        attempts = 1 if copy is not None or entry.body is not None else 2
        try:
            answer = self._http.send(
                "GET", entry.path, params={"resolve": "1"}, headers=headers, attempts=attempts, accept=(304,)
            )
        except Unreachable:
            self._away_until = time.monotonic() + PAUSE_S
            raise
        except ApiError as error:
            if error.status >= 500 or error.status == 429:  # it is there, and can't: as good as away
                self._away_until = time.monotonic() + PAUSE_S
                raise Unreachable(str(error)) from error
            raise
        self._away_until, self._warned = 0.0, False
        self.on_answer(entry.address.partition("/")[0], answer)
        body: dict[str, Any] | None = entry.body if entry.body is not None else copy.body if copy else None
        if answer.status_code != 304:
            body = answer.json()
        changed = entry.body is not None and answer.status_code != 304
        entry.body, entry.etag = body, answer.headers.get("ETag", "")
        entry.checked, entry.fetched_at, entry.source = time.monotonic(), time.time(), "site"
        if self._disk and answer.status_code != 304 and body is not None:
            self._disk.write(entry.what, Copy(entry.etag, entry.fetched_at, body))
        if changed:
            self.on_change(entry)

    def _drop(self, entry: Entry, *, forget: bool = False) -> None:
        with self._lock:
            self._entries.pop((entry.address, entry.at), None)
        if forget and self._disk:
            self._disk.forget(entry.what)

    def _warn(self, entry: Entry) -> None:
        if not self._warned:
            self._warned = True
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(entry.fetched_at))
            text = f"{self._http.site} is away: prompts come from copies on disk, {entry.what} from {when}."
            warnings.warn(text, PromptsOutOfDate, stacklevel=5)

    # In the background

    def refresh(self, entry: Entry) -> None:
        """Fetch it anew soon, without waiting; asked for twice, it is fetched once."""
        with self._lock:
            if entry.what in self._queued:
                return
            self._queued.add(entry.what)
            if self._worker is None:
                self._worker = threading.Thread(target=_work, args=(weakref.ref(self), self._wanted), daemon=True)
                self._worker.start()
        self._wanted.put(entry)

    def _refreshed(self, entry: Entry) -> None:
        with self._lock:
            self._queued.discard(entry.what)
        if time.monotonic() < self._away_until:
            return
        try:
            with entry.lock:
                self._ask(entry)
        except Unreachable:
            self._warn(entry)
        except ApiError:
            # The site says no: the label is gone, or the key. The next caller asks for itself and hears why.
            self._drop(entry, forget=True)


def _work(owner: weakref.ref[Cache], wanted: queue.SimpleQueue[Entry | None]) -> None:
    while (entry := wanted.get()) is not None:
        cache = owner()
        if cache is None:
            return
        try:
            cache._refreshed(entry)
        except Exception as error:  # the application goes on with what it has
            warnings.warn(f"{entry.what} could not be refreshed: {error!r}", PromptsOutOfDate, stacklevel=2)
        del cache


_ALL: weakref.WeakSet[Cache] = weakref.WeakSet()


def _after_fork() -> None:
    for cache in list(_ALL):
        cache._reset()


os.register_at_fork(after_in_child=_after_fork)
