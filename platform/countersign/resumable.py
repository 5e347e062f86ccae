"""Uploads that broke off, remembered on this machine, so that the next push sends only the parts that are missing."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from countersign.errors import ApiError
from countersign.shapes import RemoteFile
from countersign.transport import Transport, path_of

_KEPT = 200
_lock = threading.Lock()


def place() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "countersign" / "uploads.json"


def found(http: Transport, team: str, file: RemoteFile) -> dict[str, Any] | None:
    """The open upload of these bytes as the site has it; None where there is none (any more)."""
    upload_id = _read().get(_key(http.site, team, file))
    if upload_id is None:
        return None
    try:
        upload: dict[str, Any] = http.get(path_of("uploads", upload_id))
    except ApiError:
        forget(http.site, team, file)
        return None
    return upload


def remember(site: str, team: str, file: RemoteFile, upload_id: str) -> None:
    with _lock:
        kept = _read()
        kept[_key(site, team, file)] = upload_id
        _write(dict(list(kept.items())[-_KEPT:]))


def forget(site: str, team: str, file: RemoteFile) -> None:
    with _lock:
        kept = _read()
        if kept.pop(_key(site, team, file), None):
            _write(kept)


def _key(site: str, team: str, file: RemoteFile) -> str:
    return f"{site} {team} {file.sha256} {file.size}"


def _read() -> dict[str, str]:
    try:
        kept = json.loads(place().read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(kept: dict[str, str]) -> None:
    target = place()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(kept, out)
    part.replace(target)
