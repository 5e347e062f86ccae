"""HTTP as the client speaks it: JSON in and out, problems as exceptions, and a busy site waited for."""

from __future__ import annotations

import os
import random
import time
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from countersign.errors import Unreachable, from_answer

ATTEMPTS = 6
# The site is busy or restarting and did nothing.
_BUSY = frozenset({429, 502, 503, 504})


class Transport:
    """One site and one key. Safe to use from several threads at once."""

    def __init__(self, site: str, key: str, *, timeout_s: float = 60.0) -> None:
        self.site, self.key, self._timeout_s = site.rstrip("/"), key, timeout_s
        self._open()
        _ALL.add(self)

    def _open(self) -> None:
        """Connections of this process: a fork has its parent's, which are not its own."""
        key, timeout_s = self.key, self._timeout_s
        headers = {"Accept": "application/json", "User-Agent": "countersign-python/0.1"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            base_url=f"{self.site}/api/v1", headers=headers, timeout=httpx.Timeout(timeout_s, connect=10)
        )
        # For addresses that somebody else signed: our key is none of theirs.
        self._elsewhere = httpx.Client(timeout=httpx.Timeout(timeout_s, connect=10))

    def close(self) -> None:
        self._http.close()
        self._elsewhere.close()

    def get(self, path: str, **params: Any) -> Any:
        return self.json("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.json("POST", path, json=body or {})

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self.json("PUT", path, json=body)

    def delete(self, path: str) -> None:
        self.json("DELETE", path)

    def every(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All results of a list, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["results"]
            cursor = page["next"]

    def json(self, method: str, path: str, **options: Any) -> Any:
        answer = self.send(method, path, **options)
        return answer.json() if answer.content else None

    def send(
        self, method: str, path: str, *, attempts: int = ATTEMPTS, accept: Collection[int] = (), **options: Any
    ) -> httpx.Response:
        """One request, repeated while the site is busy or can't be reached. A POST that may have come through is not repeated.

        `content` may be a function that gives the body anew for each attempt. `accept`: further answers that are no errors."""
        elsewhere = path.startswith(("http://", "https://"))
        http = self._elsewhere if elsewhere else self._http
        content = options.pop("content", None)
        for attempt in range(1, attempts + 1):
            body = content() if callable(content) else content
            try:
                answer = http.request(method, path, content=body, **options)
            except httpx.TransportError as error:
                never_arrived = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                if attempt == attempts or not (never_arrived or method != "POST"):
                    raise Unreachable(f"{self.site} does not answer: {error}") from error
            else:
                if answer.is_success or answer.status_code in accept:
                    return answer
                if answer.status_code not in _BUSY or attempt == attempts:
                    raise from_answer(answer.status_code, _body(answer), self.site)
            time.sleep(_pause(attempt))
        raise AssertionError("unreachable")

    @contextmanager
    def stream(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """A download. Redirects to a store of its own are followed without our key."""
        with self._http.stream("GET", path, headers=headers) as answer:
            if answer.is_redirect:
                with self._elsewhere.stream("GET", answer.headers["Location"], headers=headers) as there:
                    _raise_for(there, self.site)
                    yield there
                return
            _raise_for(answer, self.site)
            yield answer


def path_of(*parts: str | int) -> str:
    """An address of quoted parts; a part that holds '/' keeps it (paths of files)."""
    return "/" + "/".join(quote(str(part), safe="/") for part in parts)


def _raise_for(answer: httpx.Response, site: str) -> None:
    if not answer.is_success:
        answer.read()
        raise from_answer(answer.status_code, _body(answer), site)


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return {}


def _pause(attempt: int) -> float:
    # Spread out, so that many clients don't come back at the same moment.
    return min(8.0, 0.25 * 2.0**attempt) * random.uniform(0.7, 1.3)  # noqa: S311 [no secret hangs on it]


_ALL: weakref.WeakSet[Transport] = weakref.WeakSet()


def _after_fork() -> None:
    for transport in list(_ALL):
        transport._open()


os.register_at_fork(after_in_child=_after_fork)
