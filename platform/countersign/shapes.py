"""What the site says of things, with types. Unknown fields are left alone, so that an older client goes on working."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class RemoteFile:
    """A file of a version: its path, size in bytes, and SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    @classmethod
    def read(cls, body: dict[str, Any]) -> RemoteFile:
        return cls(body["path"], body["size"], body["sha256"])


@dataclass(frozen=True)
class Version:
    """A version of a model or dataset. `digest` ('sha256:…' over its manifest) is '' while it is a draft."""

    asset: str
    number: int
    state: str
    digest: str
    message: str
    size: int
    created_by: str
    created_at: datetime
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, body: dict[str, Any]) -> Version:
        return cls(
            body["asset"], body["number"], body["state"], body["digest"] or "", body["message"], body["size"],
            body["created_by"], moment(body["created_at"]), body.get("facts") or {},
        )  # fmt: skip

    @property
    def is_registered(self) -> bool:
        return self.state == "registered"


@dataclass(frozen=True)
class Alias:
    name: str
    number: int
    digest: str
    updated_by: str
    updated_at: datetime

    @classmethod
    def read(cls, body: dict[str, Any]) -> Alias:
        return cls(body["alias"], body["number"], body["digest"], body["updated_by"], moment(body["updated_at"]))


@dataclass(frozen=True)
class AssetInfo:
    """A model or dataset as lists show it. `aliases`: version number by alias."""

    kind: str
    address: str
    description: str
    latest_version: int | None
    aliases: dict[str, int]
    updated_at: datetime
    updated_by: str

    @classmethod
    def read(cls, body: dict[str, Any]) -> AssetInfo:
        return cls(
            body["kind"], f"{body['team']}/{body['name']}", body["description"], body["latest_version"],
            dict(body["aliases"]), moment(body["updated_at"]), body["updated_by"],
        )  # fmt: skip


@dataclass(frozen=True)
class ApprovalRequest:
    """A request for a protected alias: open, approved, applied, rejected, withdrawn, expired or superseded."""

    id: int
    state: str
    asset: str
    version: int | None
    alias: str
    link: str
    attestation: dict[str, Any] | None

    ENDED = frozenset({"applied", "rejected", "withdrawn", "expired", "superseded"})

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
