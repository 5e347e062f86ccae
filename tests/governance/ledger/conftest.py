"""A ledger with some life in it, and its verifier as a stranger runs it."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from accounts.access import Actor
from governance.ledger import countersign_verify, sealer
from governance.ledger.actions import Action, Target, record


@pytest.fixture
def act(cast):
    """act(count) -> events that Alice causes."""

    def make(count=1, **fields):
        fields = {"team": "acme", "after": {"version": 2, "share": 0.5}, "reason": "because"} | fields
        return [
            record(Action.ALIAS_MOVED, by=Actor(cast.alice), target=Target("model", n, f"acme/m{n}"), **fields)
            for n in range(count)
        ]

    return make


@pytest.fixture
def sealed(cast, act):
    """Some checkpoints, some events each."""
    sealer.seal(batch=5)
    for _ in range(3):
        act(5)
        sealer.seal()


@pytest.fixture
def forge(superuser_connection):
    """Runs SQL as somebody whom no trigger stops."""
    superuser_connection.execute("SET session_replication_role = replica")
    return superuser_connection.execute


@pytest.fixture
def offline(cast, api, tmp_path):
    """Exports over REST and runs the verifier in a Python of its own, without packages: -> its words and exit status."""
    admin = api(cast.admin)

    def body(path):
        answer = admin.get(f"/api/v1/ledger/{path}")
        assert answer.status_code == 200, answer.content
        return b"".join(answer.streaming_content) if answer.streaming else answer.content

    def run(*more, query="format=jsonl", change=None, key=None):
        export, checkpoints, keys = tmp_path / "export.jsonl", tmp_path / "checkpoints.txt", tmp_path / "keys.json"
        data = body(f"export?{query}")
        export.write_bytes(change(data) if change else data)
        checkpoints.write_bytes(body("checkpoints.txt"))
        keys.write_bytes(body("keys"))
        command = [sys.executable, "-I", "-S", Path(countersign_verify.__file__), export, checkpoints]
        command += ["--key", key] if key else ["--keys", keys]
        done = subprocess.run([*map(str, command), *map(str, more)], capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return SimpleNamespace(status=done.returncode, said=(done.stdout or done.stderr).strip())

    def keep(name):
        """What a careful auditor stores: the checkpoints of today."""
        path = tmp_path / name
        path.write_bytes(body("checkpoints.txt"))
        return path

    run.keep, run.body = keep, body
    return run
