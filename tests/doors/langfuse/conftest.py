"""The unmodified Langfuse SDK, in a process of its own, against the live site."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.access import Actor
from accounts.actions import create_key
from tests.clients.driver import ClientProcess

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def langfuse_process() -> Iterator[ClientProcess]:
    process = ClientProcess(HERE / "client_prompts.py")
    yield process
    process.stop()


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    settings.SITE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def langfuse(langfuse_process: ClientProcess, site: str, cast: Any) -> Callable[..., Any]:
    """langfuse('function', …): called there as Alice, with a key of her team; langfuse(user, 'function', …) as somebody else."""

    def call(*args: Any, **kwargs: Any) -> Any:
        user, args = (cast.alice, args) if isinstance(args[0], str) else (args[0], args[1:])
        row, key = create_key(name="langfuse", team=cast.team, by=Actor(user))
        langfuse_process.call("use", site, row.key_id, key)
        return langfuse_process.call(*args, **kwargs)

    return call
