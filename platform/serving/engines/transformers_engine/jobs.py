"""Threads that compute, and the event loop that answers: a bounded number of jobs at once, the rest queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

Item = TypeVar("Item")
Work = Callable[[Callable[[Item], None], threading.Event], None]


class Job(Generic[Item]):
    """The items of one piece of work, as they come. Whoever stops listening must cancel()."""

    def __init__(self, executor: ThreadPoolExecutor, work: Work[Item]) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()
        self._cancelled = threading.Event()
        self._future: Future[None] = executor.submit(self._run, work)

    def cancel(self) -> None:
        """End the work at its next token; a job that still queues never starts."""
        self._cancelled.set()
        self._future.cancel()

    async def __aiter__(self) -> AsyncIterator[Item]:
        while (item := await self._items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _run(self, work: Work[Item]) -> None:
        try:
            if not self._cancelled.is_set():
                work(self._put, self._cancelled)
            self._put(None)
        except BaseException as error:  # the listener decides what it means
            self._put(error)

    def _put(self, item: Item | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._cancelled.set()


class Workers:
    """As many threads as requests may compute at once. `broken` says why no further one can, on a device that failed."""

    def __init__(self, slots: int, *, initialise: Callable[[], object]) -> None:
        self.broken: str | None = None
        self._executor = ThreadPoolExecutor(slots, thread_name_prefix="engine", initializer=initialise)

    def start(self, work: Work[Item]) -> Job[Item]:
        return Job(self._executor, lambda emit, cancelled: self._watched(work, emit, cancelled))

    def _watched(self, work: Work[Item], emit: Callable[[Item], None], cancelled: threading.Event) -> None:
        try:
            work(emit, cancelled)
        except torch.AcceleratorError as error:
            # A failed kernel spoils the process's context on the device: everything after it fails as well. Running
            # out of memory does not, and is another exception.
            self.broken = str(error).strip().partition("\n")[0]
            raise

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
