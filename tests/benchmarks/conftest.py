"""Benchmarks run when they are asked for by name (`make bench`), on an instance of their own; ordinary runs leave them out.

Each figure stands beside what it is measured against in the same run: machines differ, and this one differs from minute
to minute.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import make_cast, truncate_everything
from tests.story.conftest import Instance, free_ports, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "test-results" / "benchmarks.json"
MODEL = "acme/date-normaliser"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if any("benchmarks" in argument for argument in config.args) else True


@dataclass
class Line:
    """One measurement: its ratio or figure, the aim, and whether it is met."""

    what: str
    figure: str
    aim: str
    met: bool
    details: dict[str, Any]


class Report:
    """What was measured so far, in a file that is whole after each measurement, and in a table at the end."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, what: str, *, figure: str, aim: str, met: bool, **details: Any) -> None:
        self.lines.append(Line(what, figure, aim, met, details))
        RESULTS.parent.mkdir(exist_ok=True)
        cores = len(os.sched_getaffinity(0))
        RESULTS.write_text(
            json.dumps({"cores": cores, "results": [asdict(line) for line in self.lines]}, indent=2) + "\n"
        )

    def table(self) -> str:
        rows = [("measured", "figure", "aim", "")]
        rows += [(line.what, line.figure, line.aim, "" if line.met else "MISSED") for line in self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    made = Report()
    yield made
    print(f"\n\n{made.table()}\n\nDetails: {RESULTS.relative_to(ROOT)}\n")


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A whole platform after its demo, with one small deployment that answers."""
    # BENCH_DATA keeps the data folder, so that the next run need not wait for the demo's training.
    kept = os.environ.get("BENCH_DATA")
    data = Path(kept).resolve() if kept else tmp_path_factory.mktemp("instance")
    data.mkdir(exist_ok=True)
    running = Instance(data)
    try:
        running.start()
        wait_for("the end of the demo", (running.data / "demo.done").exists, timeout_s=1500, every_s=2)
        dana = running.api("dana")
        runs = "/prompts/acme/dates/normalise/tests/runs"
        wait_for(
            "the demo's tests of prompts",
            lambda: all(row["ended"] for row in dana.get(runs).json()["results"]),
            timeout_s=600,
            every_s=2,
        )
        dana.delete("/deployments/acme/date-normaliser")  # one deployment is measured
        body = {"team": "acme", "name": "small", "model": MODEL, "version": 2, "stage": "development", "replicas": 1}
        made = dana.post("/deployments", json=body)
        assert made.status_code in (201, 409), made.text  # 409: a kept folder has it already
        wait_running(running)
        yield running
    finally:
        if running.process is not None:
            running.stop()


def wait_running(instance: Instance, *, timeout_s: float = 180, every_s: float = 0.25) -> None:
    """Until the deployment answers a chat through the gateway: the state on a page is not yet an answer."""
    import httpx

    headers = {"Authorization": f"Bearer {instance.people['alice']['api_key']}"}
    body = {"model": "acme/small", "messages": [{"role": "user", "content": "the 3rd of March 2021"}], "max_tokens": 16}

    def answers() -> bool:
        answer = httpx.post(f"{instance.gateway}/v1/chat/completions", json=body, headers=headers, timeout=30)
        return answer.status_code == 200

    wait_for("the deployment to answer", answers, timeout_s=timeout_s, every_s=every_s)


def environment(instance: Instance) -> dict[str, str]:
    """What the supervisor gave to the site."""
    return instance.named("granian", "wsgi")[0].environ()


@pytest.fixture
def database(instance: Instance) -> Iterator[psycopg.Connection]:
    """The instance's database, as its site sees it."""
    with psycopg.connect(environment(instance)["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def quiet(seconds: float) -> None:
    """Let what was begun come to its end."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Lean:
    """The site alone, as it runs, on the tests' PostgreSQL: for what needs neither Ray nor the demo. `key`: Alice's."""

    site: str
    key: str


@pytest.fixture(scope="module")
def lean(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lean]:
    from accounts.access import Actor
    from accounts.actions import create_key

    folder = tmp_path_factory.mktemp("site")
    with django_db_blocker.unblock():
        _, key = create_key(name="bench", by=Actor(make_cast().alice))
        port = free_ports()
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers",
            "2", "--no-ws", "--log-level", "warning", "--blocking-threads", "64", "config.wsgi:application",
        ]  # fmt: skip
        environment = {**os.environ, "COUNTERSIGN_DATA": str(folder / "data")}
        with (folder / "log").open("wb") as log:
            started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for("site", lambda: httpx.get(f"{address}/healthz").status_code == 200, timeout_s=180)
            yield Lean(address, key)
        finally:
            started.terminate()
            started.wait(timeout=30)
            truncate_everything()
