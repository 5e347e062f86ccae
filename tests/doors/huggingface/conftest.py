"""Unmodified clients against a real server of the whole site, in a process of their own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.registry.conftest import CARD, make_asset, make_draft, model_files, safetensors, storage_root  # noqa: F401

__all__ = ["CARD", "model_files", "safetensors"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def site(live_server: Any, storage_root: Any, settings: Any) -> Any:  # noqa: F811
    """The site on a port, with a storage of its own; tests against it commit."""
    settings.SITE_URL = live_server.url
    return SimpleNamespace(url=live_server.url, hf=f"{live_server.url}/hf")


@pytest.fixture
def hub(site: Any, api: Any, tmp_path: Path) -> Any:
    """hub(user, code) runs Python with `api` (HfApi) and what `huggingface_hub` exports; returns what it printed."""

    def run(user: Any, code: str, *, env: dict[str, str] | None = None, check: bool = True, xet: bool = False) -> str:
        prelude = "from huggingface_hub import *\nfrom huggingface_hub.errors import *\napi = HfApi()\n"
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "HF_ENDPOINT": site.hf,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONWARNINGS": "ignore",
            **({"HF_TOKEN": api(user).key} if user else {}),
            **(env or {}),
        }
        script = prelude + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=180
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + ("" if check else done.stderr)

    return run
