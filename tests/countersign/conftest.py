"""The client against the real site over HTTP, with keys of the cast."""

from typing import Any

import pytest

from countersign import Client


@pytest.fixture
def key_of(cast: Any, transactional_db: None) -> Any:
    """key_of(user) -> the text of a new API key of theirs in acme."""
    from accounts import actions
    from accounts.access import Actor

    def make(user: Any) -> str:
        return actions.create_key(team=cast.team, name="client", by=Actor(user))[1]

    return make


@pytest.fixture
def site(live_server: Any, settings: Any, tmp_path: Any) -> str:
    settings.STORAGE = tmp_path / "storage"
    settings.SITE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def client_for(site: str, key_of: Any) -> Any:
    """client_for(user) -> a Client with their key."""
    made: list[Client] = []

    def make(user: Any) -> Client:
        made.append(Client(site, key_of(user)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def folder(tmp_path: Any) -> Any:
    """A model that registers, as a folder."""
    from tests.registry.conftest import model_files

    place = tmp_path / "model"
    (place / "sub").mkdir(parents=True)
    for path, content in model_files().items():
        (place / path).write_bytes(content)
    (place / "sub" / "notes ü.txt").write_text("deep")
    return place


from tests.gateway.conftest import gateway_url  # noqa: E402, F401  # the gateway as a process of its own
