"""The tests' side of a client's process (tests/clients/process.py)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = Path(os.environ.get("CLIENTS_ENVIRONMENT", ROOT / ".venv-clients"))


class ClientError(Exception):
    """What the client raised, there."""

    def __init__(self, text: str, code: str, trace: str) -> None:
        super().__init__(f"{text}\n{trace}")
        self.text, self.code = text, code


class ClientProcess:
    """Functions of scripts, called in the clients' environment: process.call('name', …) -> what it returns."""

    def __init__(self, *scripts: Path, env: dict[str, str] | None = None) -> None:
        python = ENVIRONMENT / "bin" / "python"
        if not python.exists():
            pytest.skip("The clients are not installed: make clients")
        quiet = {"GIT_PYTHON_REFRESH": "quiet", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "PYTHONWARNINGS": "ignore"}
        clean = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")
        }
        command = [str(python), str(Path(__file__).with_name("process.py")), *map(str, scripts)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**clean, **quiet, **(env or {})}
        )

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"name": name, "args": args, "kwargs": kwargs}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client's process ended with {self._process.wait()}"
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"], answer["code"], answer["trace"])
        return answer["value"]

    def stop(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
