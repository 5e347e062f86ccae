"""Hearing of changes as they happen: a thread that listens to the gateway's server-sent events, and comes back when it was cut off."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

# The gateway says something every 15 s; a silence of three times that is a dead connection.
SILENCE_S = 45.0
_SLOWEST_S = 30.0


class Listener:
    """`told(change)` for each change; `all_old()` when changes may have been missed. Both run in the listening thread."""

    def __init__(
        self, url: str, headers: dict[str, str], told: Callable[[dict[str, Any]], None], all_old: Callable[[], None]
    ) -> None:
        self._url, self._headers, self._told, self._all_old = url, headers, told, all_old
        self._last_id = ""
        self._stop = threading.Event()
        self.is_connected = False
        self._thread = threading.Thread(target=self._run, name="countersign-prompts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except (httpx.HTTPError, ValueError, OSError):
                pass
            finally:
                self.is_connected = False
            # A stream that held for a while ended by chance; one that ends at once is not tried again at once.
            failures = 0 if time.monotonic() - began > 10 else failures + 1
            pause = min(_SLOWEST_S, 0.5 * 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311 [no secret hangs on it]
            self._stop.wait(pause)

    def _listen(self) -> None:
        headers = {**self._headers, "Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        with httpx.stream("GET", self._url, headers=headers, timeout=httpx.Timeout(10, read=SILENCE_S)) as answer:
            answer.raise_for_status()
            for name, data, last_id in _events(answer.iter_lines()):
                if self._stop.is_set() or name == "end":
                    return
                resumed, self._last_id = bool(self._last_id), last_id or self._last_id
                if name == "change":
                    self._told(json.loads(data))
                else:
                    self.is_connected = True
                    if name == "reset" or not resumed:
                        self._all_old()


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """(name, data, id) of each event of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        elif fields:
            yield fields.get("event", "message"), fields.get("data", ""), fields.get("id", "")
            fields = {}
