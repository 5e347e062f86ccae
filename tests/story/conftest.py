"""One real instance, started as `make run` starts it, for the stories: demo workspace, PostgreSQL, Redis, worker, Ray."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.browser import launched

ROOT = Path(__file__).resolve().parent.parent.parent
# What tests/conftest.py sets for Django in this process is not for an instance of its own.
OWN = ("COUNTERSIGN_", "DATABASE_", "REDIS_", "RAY_", "DJANGO_", "SITE_URL", "GATEWAY_URL")


def free_ports() -> int:
    """A port whose successor is free too."""
    for _ in range(50):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                with socket.socket() as second:
                    second.bind(("127.0.0.1", port + 1))
                    return port
            except OSError:
                continue
    raise RuntimeError("no two free ports in a row")


def wait_for(what: str, probe: Callable[[], Any], *, timeout_s: float = 120, every_s: float = 0.5) -> Any:
    """The probe's first true answer; fails naming what was waited for and what came last."""
    until, last = time.monotonic() + timeout_s, None
    while time.monotonic() < until:
        try:
            last = probe()
        except (httpx.HTTPError, OSError, ValueError) as error:
            last = None
            problem: Any = error
        else:
            problem = last
            if last:
                return last
        time.sleep(every_s)
    pytest.fail(f"waited {timeout_s:.0f} s in vain for {what}; last: {problem!r}")


class Instance:
    """A running platform and its demo people."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_ports()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    def start(self) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith(OWN)}
        command = [sys.executable, "-m", "config.up", "--port", str(self.port), "--data", str(self.data), "--demo"]
        log = (self.data / "terminal.log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        wait_for("the site", lambda: httpx.get(f"{self.site}/healthz", timeout=2).status_code == 200)

    def stop(self) -> None:
        """Ctrl-C; fails if a process is left."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)
        self.process = None
        assert self.processes() == []

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this instance, found by its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get("COUNTERSIGN_DATA") == str(self.data)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def named(self, *words: str) -> list[psutil.Process]:
        """Its processes whose command line holds all these words."""
        found = []
        for process in self.processes():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    @property
    def people(self) -> dict[str, dict[str, str]]:
        people: dict[str, dict[str, str]] = json.loads((self.data / "demo.json").read_text())["people"]
        return people

    def api(self, name: str | None) -> httpx.Client:
        """A client with that demo person's key."""
        headers = {"Authorization": f"Bearer {self.people[name]['api_key']}"} if name else {}
        return httpx.Client(base_url=f"{self.site}/api/v1", headers=headers, timeout=30)


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = Instance(tmp_path_factory.mktemp("instance"))
    if attached := os.environ.get("STORY_INSTANCE"):  # DATA:PORT of one that runs already, while working on a story
        data, _, port = attached.rpartition(":")
        running.data, running.port = Path(data), int(port)
    else:
        running.start()
    try:
        wait_for("demo.json", (running.data / "demo.json").exists)

        def registered() -> bool:
            answer = running.api("alice").get("/models/acme/date-normaliser/versions/2")
            return answer.status_code == 200 and answer.json()["state"] == "registered"

        wait_for("version 2 of the demo model", registered, timeout_s=420, every_s=2)
        yield running
    finally:
        if running.process is not None:
            running.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """For all stories together: they ask nothing of Django in this process."""
    yield from launched()


@pytest.fixture
def signed_in(instance: Instance, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """signed_in(name) -> that demo person's page. A script error or a refused resource fails the test."""
    contexts, complaints = [], []

    def sign_in(name: str, **options: Any) -> Page:
        context = chromium.new_context(base_url=instance.site, viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and "status of 4" not in message.text  # the answers that a story provokes
                and complaints.append(f"{page.url}: {message.text}")
            ),
        )
        page.goto("/accounts/login/")
        page.get_by_label("Email").fill(instance.people[name]["email"])
        page.get_by_label("Password").fill(instance.people[name]["password"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: "/accounts/login" not in url)
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []
