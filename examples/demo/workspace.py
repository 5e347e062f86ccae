"""What every step of the demo needs: where the platform is, where its own files are, and one line of progress."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEAM = "acme"


@dataclass(frozen=True)
class Workspace:
    """Read from the environment; KeyError names the variable that is missing."""

    site: str
    gateway: str
    data: Path
    admin_email: str
    admin_password: str

    @classmethod
    def from_environment(cls) -> Workspace:
        return cls(
            site=os.environ["SITE_URL"].rstrip("/"),
            gateway=os.environ["GATEWAY_URL"].rstrip("/"),
            data=Path(os.environ["COUNTERSIGN_DATA"]),
            admin_email=os.environ["COUNTERSIGN_ADMIN_EMAIL"],
            admin_password=os.environ["COUNTERSIGN_ADMIN_PASSWORD"],
        )

    @property
    def own(self) -> Path:
        """Where the demo keeps what it must not lose when it is killed: passwords and keys, and trained models."""
        folder = self.data / "demo"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def read_json(path: Path) -> dict[str, Any]:
    """The file's object, or {} where there is no file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write_json(path: Path, value: dict[str, Any]) -> None:
    """All or nothing, and for the owner's eyes only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
