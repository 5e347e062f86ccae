"""Engines without Ray: the ASGI app under uvicorn in a thread, talked to by OpenAI's own client."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
import uvicorn
from starlette.applications import Starlette

from serving.engines.arguments import parse_arguments
from serving.engines.transformers_engine.app import create_app
from tests.serving.engines import tiny


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_bert(tmp_path_factory.mktemp("bert"))


def app_of(folder: Path, **changes: object) -> Starlette:
    arguments = tiny.arguments_of(folder, cache_dir=folder / "unused", **changes)
    return create_app(parse_arguments(arguments), folder, device="cpu")


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of an app, served until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def engine_app(llama: Path) -> Starlette:
    return app_of(llama)


@pytest.fixture(scope="session")
def engine_url(engine_app: Starlette) -> Iterator[str]:
    with served(engine_app) as url:
        yield url


@pytest.fixture(scope="session")
def client(engine_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=engine_url + "/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def embedder(bert: Path) -> Iterator[openai.OpenAI]:
    with (
        served(app_of(bert, task="feature-extraction")) as url,
        openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as made,
    ):
        yield made
