"""The unmodified MLflow client, in a process of its own, against the live site."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.access import Actor
from accounts.actions import create_key
from tests.clients.driver import ClientProcess

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def client_process() -> Iterator[ClientProcess]:
    """One for the whole run: every script client_*.py of this folder."""
    process = ClientProcess(*sorted(HERE.glob("client_*.py")))
    yield process
    process.stop()


@pytest.fixture
def site(live_server: Any, settings: Any, tmp_path: Path) -> str:
    settings.SITE_URL = live_server.url
    settings.STORAGE = tmp_path / "storage"
    return str(live_server.url)


@pytest.fixture
def mlflow(client_process: ClientProcess, site: str, cast: Any) -> Callable[..., Any]:
    """mlflow('function', …): called there as Alice, with a key of her team."""
    _, key = create_key(name="mlflow", team=cast.team, by=Actor(cast.alice))
    client_process.call("use", site, key)
    return client_process.call
