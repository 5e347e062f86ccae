"""Models and datasets over REST: an asset, a draft version, its files, and its registration; safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .client import Client, sha256
from .workspace import TEAM, say


def ensure_asset(api: Client, kind: str, name: str, **fields: str) -> str:
    """Create `acme/name` unless it exists; kind is 'models' or 'datasets'. Returns its address."""
    address = f"/api/v1/{kind}/{TEAM}/{name}"
    if api.find(address) is None:
        api.post(f"/api/v1/{kind}", {"team": TEAM, "name": name, **fields})
    return address


def version_with(api: Client, address: str, message: str) -> dict[str, Any] | None:
    """The version that says this of itself, if a run before this one made it."""
    return next((row for row in api.every(f"{address}/versions") if row["message"] == message), None)


def ensure_version(
    api: Client, address: str, files: Mapping[str, Path], *, message: str, source_run: Any = None
) -> dict[str, Any]:
    """A registered version with these files ({path in the version: file on disk}).

    A version is known by its message. A draft that an earlier run left is finished: files that are there with the same
    bytes stay, others are uploaded anew.
    """
    version = version_with(api, address, message)
    if version is None:
        body = {"message": message} | ({"source_run": source_run} if source_run is not None else {})
        version = api.post(f"{address}/versions", body)
    place = f"{address}/versions/{version['number']}"
    version = api.get(place)
    if version["state"] == "registered":
        return dict(version)
    there = {file["path"]: file["sha256"] for file in api.every(f"{place}/files")}
    for path in there.keys() - files.keys():
        api.delete(f"{place}/files/{quote(path)}")
    for path, file in files.items():
        digest = sha256(file)
        if there.get(path) == digest:
            continue
        api.upload(f"{place}/files/{quote(path)}", file)
    registered: dict[str, Any] = api.post(f"{place}/register")
    say(f"{address.removeprefix('/api/v1/')} version {version['number']} is registered: {registered['digest'][:19]}…")
    return registered
