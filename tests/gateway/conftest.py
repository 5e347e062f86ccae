import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.gateway import upstream

SITE = "http://127.0.0.1:8000"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def gateway_url() -> Iterator[str]:
    """The gateway as the supervisor runs it: a process of its own under granian."""
    port = free_port()
    environment = {
        **os.environ,
        "SITE_URL": SITE,
        "GATEWAY_MAX_BODY_BYTES": str(1024 * 1024),
        "GATEWAY_SILENCE_TIMEOUT_S": "3",
        "GATEWAY_CONNECT_TIMEOUT_S": "2",
        "GATEWAY_MEDIA_HOSTS": "images.example.com, Cdn.example.com",
    }
    argv = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--no-ws", "--log-level", "warning", "gateway.asgi:application",
    ]  # fmt: skip
    process = subprocess.Popen(argv, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("the gateway does not answer")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


@pytest.fixture(scope="session")
def _model() -> Iterator[SimpleNamespace]:
    with upstream.running() as seen:
        yield seen


@pytest.fixture
def model(_model: SimpleNamespace) -> SimpleNamespace:
    _model.calls.clear()
    _model.cancelled.clear()
    return _model


@pytest.fixture
def people(transactional_db: None) -> SimpleNamespace:
    """The cast, committed, so that another process sees it."""
    from tests.conftest import make_cast

    return make_cast()


@pytest.fixture
def deploy(people: SimpleNamespace, model: SimpleNamespace):
    """deploy(name, **fields) -> a deployment that answers at the small model."""
    from serving.models import Deployment

    def make(name: str = "dates", **fields: object) -> Deployment:
        wanted = {"team": people.team, "stage": "staging", "state": "running", "endpoint": model.url, **fields}
        return Deployment.objects.create(name=name, created_by=people.dana, updated_by=people.dana, **wanted)

    return make


@pytest.fixture
def key_of():
    from accounts.access import Actor
    from accounts.actions import create_key

    return lambda user, **fields: create_key(name="tests", by=Actor(user), **fields)[1]
