"""A version by its alias, with key and permission, against a bare Django view of one row: same database, same server."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.benchmarks import load
from tests.benchmarks.conftest import MODEL, ROOT, Report, environment
from tests.story.conftest import Instance, free_ports, wait_for

pytestmark = pytest.mark.timeout(1800)
AIM = 0.6
# Many short pairs: on a busy machine the pairs differ more than the two sides do.
ROUNDS, SECONDS = 9, 2


@pytest.fixture
def bare(instance: Instance, database: psycopg.Connection) -> Iterator[str]:
    """The address of the bare view, under the site's own granian settings."""
    port = free_ports()
    # The site's own command line, but for its port and its application.
    command = instance.named("granian", "wsgi")[0].cmdline()
    command[0] = sys.executable
    command[command.index("--port") + 1] = str(port)
    command[-1] = "tests.benchmarks.bare:application"
    env = {**os.environ, "DATABASE_URL": environment(instance)["DATABASE_URL"]}
    row = database.execute(
        "SELECT v.id FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id "
        "WHERE a.name = %s AND v.number = 2",
        [MODEL.partition("/")[2]],
    ).fetchone()
    assert row is not None
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        url = f"http://127.0.0.1:{port}/rows/{row[0]}"
        wait_for("the bare view", lambda: httpx.get(url).status_code == 200, timeout_s=30)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_version_by_alias_against_a_bare_view(instance: Instance, bare: str, report: Report):
    alice = instance.api("alice")
    moved = alice.put(f"/models/{MODEL}/aliases/bench", json={"version": 2, "reason": "To be read."})
    assert moved.status_code in (200, 201), moved.text
    url = f"{instance.site}/api/v1/models/{MODEL}/aliases/bench"
    key = {"Authorization": f"Bearer {instance.people['alice']['api_key']}"}
    ratios: dict[int, float] = {}
    for connections in (1, 16):
        rates: dict[str, list[float]] = {"bare": [], "ours": []}
        sides = [("bare", bare, {}), ("ours", url, key)]
        for _ in range(ROUNDS + 1):
            for side, address, headers in sides:
                rates[side].append(load.rate(address, connections=connections, seconds=SECONDS, headers=headers))
            sides.reverse()  # neither is always the first
        # The first pair warmed up.
        pairs = list(zip(rates["ours"][1:], rates["bare"][1:], strict=True))
        ratios[connections] = statistics.median(ours / bare for ours, bare in pairs)
        report.add(
            f"version by alias / bare view, concurrency {connections}",
            figure=f"{ratios[connections]:.2f}",
            aim=f"at least {AIM}",
            met=ratios[connections] >= AIM,
            requests_per_s={side: [round(one) for one in found[1:]] for side, found in rates.items()},
            generator=load.generator(),
        )
    assert min(ratios.values()) >= AIM, ratios
