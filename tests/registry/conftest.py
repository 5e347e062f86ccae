"""A small model that passes registration, and shortcuts to registered versions."""

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CARD = """---
license: apache-2.0
---
# Dates

## Intended use
Turning dates into ISO 8601.

## Limits
English only.

## Training data
Generated pairs.
"""


def safetensors(tensors: dict[str, list[int]] | None = None, *, dtype: str = "F32", width: int = 4) -> bytes:
    """The bytes of a safetensors file with zeros in these shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in (tensors or {"weight": [4, 8]}).items():
        length = width
        for n in shape:
            length *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(offset)


def model_files(**changes: bytes | None) -> dict[str, bytes]:
    files: dict[str, bytes | None] = {
        "config.json": json.dumps(
            {
                "architectures": ["LlamaForCausalLM"],
                "model_type": "llama",
                "max_position_embeddings": 64,
                "vocab_size": 100,
            }
        ).encode(),
        "model.safetensors": safetensors(),
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
        "README.md": CARD.encode(),
        **changes,
    }
    return {path: content for path, content in files.items() if content is not None}


@pytest.fixture
def storage_root(settings: Any, tmp_path: Any) -> Any:
    settings.STORAGE = tmp_path / "storage"
    return settings.STORAGE


def moto_server(_: Path) -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    patch = pytest.MonkeyPatch()
    patch.setattr("moto.settings.S3_UPLOAD_PART_MIN_SIZE", 1)
    patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    patch.undo()


def rclone_server(folder: Path) -> Iterator[str]:
    """rclone over a folder: another make than moto's, which keeps bytes on disk and checks every signature."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        Path(sys.executable).with_name("rclone"), "serve", "s3", "--config", "", "--auth-key", f"{S3_KEY},{S3_KEY}",
        "--addr", f"127.0.0.1:{port}", folder,
    ]  # fmt: skip
    with (folder.parent / "rclone.log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, "rclone does not answer"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


S3_SERVERS: dict[str, Callable[[Path], Iterator[str]]] = {"moto": moto_server, "rclone": rclone_server}
S3_KEY = "S3RVER"


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: Any) -> Any:
    """s3_address('rclone') -> where this S3 server listens, started once. S3_TEST_ENDPOINT stands for them all where it is set."""
    with ExitStack() as stack:

        @cache
        def address(kind: str) -> str:
            started = contextmanager(S3_SERVERS[kind])(tmp_path_factory.mktemp(kind))
            return os.environ.get("S3_TEST_ENDPOINT") or stack.enter_context(started)

        yield address


@pytest.fixture
def make_bucket(s3_address: Any, settings: Any, storage_root: Any, monkeypatch: Any) -> Any:
    """make_bucket('moto') -> a fresh bucket of this server, which is the site's storage; parts may be small in it."""
    from registry import storage
    from registry.storage.s3 import S3Store

    def make(kind: str) -> Any:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEY)
        monkeypatch.setattr(S3Store, "min_part", 1)
        name = f"test-{secrets.token_hex(6)}"
        settings.STORAGE_URL = f"s3://{name}/some/where?endpoint={s3_address(kind)}&region=us-east-1"
        store = storage.store()
        store.client.create_bucket(Bucket=name)
        return store

    return make


@pytest.fixture(params=list(S3_SERVERS))
def bucket(request: Any, make_bucket: Any) -> Any:
    """A fresh bucket of every server that a package brings."""
    return make_bucket(request.param)


@pytest.fixture
def make_asset(cast: Any, actor: Any, storage_root: Any) -> Any:
    """make_asset(name, kind=…) -> an Asset of acme, made by Alice."""
    from registry import actions

    def make(name: str = "dates", kind: str = "model", **fields: Any) -> Any:
        if kind == "model":
            fields.setdefault("task", "text-generation")
        return actions.create_asset(team=cast.team, kind=kind, name=name, by=actor(cast.alice), **fields)

    return make


@pytest.fixture
def make_draft(cast: Any, actor: Any) -> Any:
    """make_draft(asset, files) -> a draft with these files, by Alice."""
    from registry import actions

    def make(asset: Any, files: dict[str, bytes] | None = None) -> Any:
        by = actor(cast.alice)
        version = actions.create_version(asset=asset, message="made in a test", by=by)
        if files is None:
            files = model_files() if asset.kind == "model" else {"rows.jsonl": b'{"input": "a", "expected": "b"}\n'}
        for path, content in files.items():
            actions.add_file(version=version, path=path, stream=io.BytesIO(content), by=by)
        return version

    return make


@pytest.fixture
def make_version(make_draft: Any, cast: Any, actor: Any) -> Any:
    """make_version(asset, files) -> a registered version."""
    from registry import actions

    def make(asset: Any, files: dict[str, bytes] | None = None) -> Any:
        return actions.register_version(version=make_draft(asset, files), by=actor(cast.alice))

    return make
