"""Where the key is: in the environment, or in a file that only its owner reads."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENV_SITE, ENV_KEY = "COUNTERSIGN_SITE", "COUNTERSIGN_KEY"


@dataclass(frozen=True)
class Credentials:
    """`trusted`: fingerprint of the site's signing key when it was signed in to; '' when unknown."""

    site: str
    key: str
    trusted: str = ""


def place() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "countersign" / "credentials.json"


def load(site: str = "") -> Credentials | None:
    """The environment's where it names a key; else the file's for that site, or the one signed in to last."""
    key = os.environ.get(ENV_KEY, "")
    named = (site or os.environ.get(ENV_SITE, "")).rstrip("/")
    kept = _read()
    sites: dict[str, dict[str, str]] = kept.get("sites", {})
    if key and named:
        return Credentials(named, key, sites.get(named, {}).get("trusted", ""))
    named = named or kept.get("current", "")
    found = sites.get(named)
    return Credentials(named, key or found["key"], found.get("trusted", "")) if found else None


def save(credentials: Credentials) -> Path:
    """Keep them as the current ones. The file is never readable to others, not even for a moment."""
    kept = _read()
    sites = {**kept.get("sites", {}), credentials.site: {"key": credentials.key, "trusted": credentials.trusted}}
    _write({"current": credentials.site, "sites": sites})
    return place()


def forget(site: str) -> bool:
    """Drop a site's key; False when there was none."""
    kept = _read()
    sites = dict(kept.get("sites", {}))
    if sites.pop(site.rstrip("/"), None) is None:
        return False
    _write({"current": next(iter(sites), ""), "sites": sites})
    return True


def _read() -> dict[str, Any]:
    try:
        found = json.loads(place().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(content: dict[str, Any]) -> None:
    target = place()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(content, out, indent=2)
    part.replace(target)
