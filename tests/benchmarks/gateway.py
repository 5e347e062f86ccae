"""Requests per second through the gateway against its upstream itself, plain and streamed, as ratios.

    python -m tests.benchmarks.gateway [--seconds 4]

It starts a PostgreSQL, the upstream and the gateway of its own, loads both side by side with aiohttp (wrk where it is
installed), and prints medians of three runs. Machines vary by a third from minute to minute: only the ratios mean anything.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.embedded import ports, postgres

ROOT = Path(__file__).resolve().parent.parent.parent
WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
wrk.body = '%s'
"""


@contextmanager
def server(target: str, port: int, environment: dict[str, str], probe: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--no-ws", "--log-level", "warning", target,
    ]  # fmt: skip
    process = subprocess.Popen(argv, env=environment, cwd=ROOT)
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(15)


def measure(url: str, key: str, *, stream: bool, connections: int, seconds: float, script: Path) -> float:
    """Requests per second by wrk."""
    body = {"model": "acme/bench", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    script.write_text(WRK % (key, json.dumps(body)))
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    return float(next(line for line in said.splitlines() if line.startswith("Requests/sec")).split(":")[1])


def seed(upstream: str) -> str:
    """A team, a person, a key and a deployment that answers at the upstream; returns the key."""
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.access import Actor
    from accounts.actions import create_first_administrator, create_key, create_team, create_user, grant_role
    from accounts.roles import Role
    from serving.models import Deployment

    call_command("migrate", database="owner", verbosity=0)
    admin = create_first_administrator(email="admin@example.com", password="a-long-benchmark-password")
    assert admin is not None
    team = create_team(name="acme", by=Actor(admin))
    user = create_user(email="alice@example.com", name="Alice", password="a-long-benchmark-password", by=Actor(admin))
    grant_role(user=user, role=Role.VIEWER, on=team, by=Actor(admin))
    Deployment.objects.create(
        team=team, name="bench", stage="staging", state="running", endpoint=upstream, created_by=admin, updated_by=admin
    )
    return create_key(name="benchmark", by=Actor(user))[1]


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    import psutil

    whole = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in (whole, *whole.children(recursive=True))) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="Requests per second through the gateway, as ratios.")
    parser.add_argument("--seconds", type=float, default=4.0)
    seconds = parser.parse_args().seconds
    if not shutil.which("wrk"):
        sys.exit("This needs wrk (apt-get install wrk).")
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-bench-")))
        numbers = ports.choose(data, ["postgres", "upstream", "gateway"])
        database = stack.enter_context(postgres.start(data, port=numbers["postgres"]))
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            COUNTERSIGN_DATA=str(data),
            DATABASE_URL=database.url,
            DATABASE_OWNER_URL=database.owner_url,
        )
        upstream = f"http://127.0.0.1:{numbers['upstream']}"
        key = seed(upstream)
        environment = dict(os.environ)
        stack.enter_context(
            server("tests.benchmarks.gateway_upstream:application", numbers["upstream"], environment, "/")
        )
        gateway = stack.enter_context(server("gateway.asgi:application", numbers["gateway"], environment, "/healthz"))
        addresses = {"upstream": upstream, "gateway": f"http://127.0.0.1:{numbers['gateway']}"}
        print(f"{'':26}{'upstream':>12}{'gateway':>12}{'ratio':>8}")
        for stream in (False, True):
            for connections in (1, 32):
                found: dict[str, list[float]] = {name: [] for name in addresses}
                for _ in range(3):
                    for name, address in addresses.items():
                        found[name].append(
                            measure(
                                f"{address}/v1/chat/completions", key, stream=stream, connections=connections,
                                seconds=seconds, script=data / "wrk.lua",
                            )
                        )  # fmt: skip
                direct, through = (statistics.median(found[name]) for name in addresses)
                title = f"{'stream of 50' if stream else 'plain'}, {connections} at once"
                print(f"{title:26}{direct:>10.0f}/s{through:>10.0f}/s{through / direct:>8.2f}", flush=True)
        print(f"resident memory of the gateway after that: {resident_mib(gateway):.0f} MiB")


if __name__ == "__main__":
    main()
