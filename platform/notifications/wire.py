"""Sending messages, many at once, on a thread of its own. Nothing here touches the database."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings

from notifications import guard

TIMEOUT_S = 15.0
KEPT_BYTES = 1024
DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Message:
    """What is to be sent where."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of it. `status` None: no answer, and `error` says why. `refused`: the guard did not let it go."""

    status: int | None = None
    response: str = ""
    error: str = ""
    address: str = ""
    duration_ms: int = 0
    retry_after_s: float | None = None
    refused: bool = False

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked, whatever a name server would say now."""

    def __init__(self, goal: guard.Goal) -> None:
        self.goal = goal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host, "host": address, "port": port, "proto": 0, "flags": 0,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
            }
            for address in self.goal.addresses
        ]  # fmt: skip

    async def close(self) -> None:
        return None


async def send(message: Message) -> Outcome:
    """One attempt, in at most TIMEOUT_S; never raises for what the other side does."""
    began = time.monotonic()
    connected: list[str] = []

    def took() -> int:
        return round((time.monotonic() - began) * 1000)

    try:
        goal = await asyncio.get_running_loop().run_in_executor(None, guard.check, message.url)
        async with asyncio.timeout(max(0.1, TIMEOUT_S - (time.monotonic() - began))):
            outcome = await _post(message, goal, connected)
    except guard.Refused as refused:
        return Outcome(error=str(refused), duration_ms=took(), refused=True)
    except guard.Unresolved as unresolved:
        return Outcome(error=str(unresolved), duration_ms=took())
    except TimeoutError:
        return Outcome(error=f"No answer within {TIMEOUT_S:g} s.", address=_last(connected), duration_ms=took())
    except (aiohttp.ClientError, OSError, ValueError) as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Outcome(error=text[:300], address=_last(connected), duration_ms=took())
    return Outcome(**{**outcome, "address": _last(connected), "duration_ms": took()})


def _last(connected: list[str]) -> str:
    return connected[-1] if connected else ""


async def _post(message: Message, goal: guard.Goal, connected: list[str]) -> dict[str, Any]:
    def new_socket(info: tuple[Any, ...]) -> socket.socket:
        # The last word, whatever the libraries between made of the host's name.
        family, kind, protocol, _, place = info
        if str(place[0]) not in goal.addresses:
            raise OSError(f"{place[0]} is not the address that was checked.")
        connected.append(str(place[0]))
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=_Pinned(goal), use_dns_cache=False, socket_factory=new_socket, force_close=True, ssl=_tls()
    )
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False, trust_env=False) as session,
        session.post(message.url, data=message.body, headers=dict(message.headers), allow_redirects=False) as answer,
    ):
        kept = b""
        while len(kept) < KEPT_BYTES and (part := await answer.content.read(KEPT_BYTES - len(kept))):
            kept += part
        error = ""
        if 300 <= answer.status < 400:
            error = "It answered with a redirect, which is not followed: enter the address that it leads to."
        return {
            "status": answer.status,
            "response": kept.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
            "error": error,
            "retry_after_s": retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC)),
        }


def _tls() -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=settings.WEBHOOK_CA_FILE) if settings.WEBHOOK_CA_FILE else True


def retry_after(text: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (a number or a date), at most a day; None when it says nothing sensible."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), DAY_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), DAY_S)


class Wire:
    """An event loop on a thread: `send` gives a future, so that a hundred messages may be under way at once."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Looking up names takes a thread each: slow name servers must not hold up the other messages.
        self._lookups = ThreadPoolExecutor(max_workers=100, thread_name_prefix="webhooks-lookup")
        self._loop.set_default_executor(self._lookups)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="webhooks")

    def __enter__(self) -> "Wire":
        self._thread.start()
        return self

    def send(self, message: Message) -> "Future[Outcome]":
        return asyncio.run_coroutine_threadsafe(send(message), self._loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(_wind_up(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._lookups.shutdown(wait=False, cancel_futures=True)
        self._loop.close()


async def _wind_up() -> None:
    """End what is still under way, as when the worker is told to stop."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
