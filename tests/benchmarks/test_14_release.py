"""A release reaches 1,000 connected clients: from the moment that the label's move returns to the event at each of them."""

import asyncio
import os
import time
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.conftest import Report
from tests.gateway.conftest import gateway_url, people  # noqa: F401

pytestmark = [pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
CLIENTS, RELEASES = int(os.environ.get("RELEASE_CLIENTS", "1000")), 10
AIM_S = 1.0


async def _listen(host: str, port: int, key: str, ready: asyncio.Semaphore, heard: list[list[float]]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    head = f"GET /v1/prompts/events?team=acme HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"
    writer.write(head.encode())
    release = 0
    async for line in reader:
        if line.startswith(b"event: ready"):
            ready.release()
        elif line.startswith(b"event: change"):
            heard[release].append(time.perf_counter())
            release += 1
            if release == RELEASES:
                break
        elif line.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"event: end")):
            raise AssertionError(line)
    writer.close()


def test_a_release_reaches_a_thousand_clients(gateway_url: str, people: SimpleNamespace, report: Report) -> None:  # noqa: F811
    from accounts.access import Actor
    from accounts.actions import create_key
    from prompts import actions

    by = Actor(people.alice)
    prompt = actions.create_prompt(team=people.team, name="greeting", by=by)
    versions = [actions.create_version(prompt=prompt, type="text", template=text, by=by) for text in ("one", "two")]
    keys = [create_key(name=f"app {place}", by=Actor(people.victor))[1] for place in range(-(-CLIENTS // 100))]
    host, port = gateway_url.removeprefix("http://").split(":")
    began: list[float] = []
    heard: list[list[float]] = [[] for _ in range(RELEASES)]

    def release(place: int) -> None:
        actions.move_label(prompt=prompt, label="candidate", version=versions[place % 2], by=by)
        began.append(time.perf_counter())

    async def run() -> None:
        ready = asyncio.Semaphore(0)
        clients: list[Any] = []
        for place in range(CLIENTS):
            clients.append(asyncio.create_task(_listen(host, int(port), keys[place // 100], ready, heard)))
            if place % 50 == 49:
                for _ in range(50):
                    await asyncio.wait_for(ready.acquire(), 60)
        for place in range(RELEASES):
            await asyncio.to_thread(release, place)
            for _ in range(300):
                if len(heard[place]) == CLIENTS:
                    break
                await asyncio.sleep(0.05)
        await asyncio.wait_for(asyncio.gather(*clients), 60)

    asyncio.run(run())
    assert [len(found) for found in heard] == [CLIENTS] * RELEASES
    waits = [moment - began[place] for place, found in enumerate(heard) for moment in found]
    half, late = median(waits), quantiles(waits, n=100)[98]
    report.add(
        f"a release reaches {CLIENTS:,} connected clients, median", figure=f"{half:.3f} s (99 %: {late:.3f} s)",
        aim=f"< {AIM_S:g} s", met=half < AIM_S, load=os.getloadavg()[0],
    )  # fmt: skip
    assert half < AIM_S
