"""The secrets of one instance, made once and kept in DATA/secrets.json, readable by its owner alone."""

from __future__ import annotations

import base64
import json
import os
import secrets as random
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE_NAME = "secrets.json"


class SecretsError(Exception):
    """The secrets file exists and can't be used; the message says which file and what to do."""


@dataclass(frozen=True)
class Secrets:
    """Every secret that an instance needs; all are text.

    `fernet_key` is 32 bytes in URL-safe base64, as cryptography's Fernet wants it; `signing_seed` is the 32-byte seed of
    an Ed25519 key in plain base64; the others are random hexadecimal text.
    """

    django_key: str
    database_superuser: str
    database_owner: str
    database_app: str
    redis: str
    ray_token: str
    fernet_key: str
    signing_seed: str

    def __repr__(self) -> str:
        return "Secrets(...)"


def _fresh(name: str) -> str:
    if name == "fernet_key":
        return base64.urlsafe_b64encode(random.token_bytes(32)).decode()
    if name == "signing_seed":
        return base64.b64encode(random.token_bytes(32)).decode()
    # Hexadecimal only: these travel in URLs and configuration files, where no quoting can then go wrong.
    return random.token_hex(32)


def load_or_create(data: Path) -> Secrets:
    """The secrets of the instance in `data`; missing ones are made and written before they are returned."""
    path = data / FILE_NAME
    known: dict[str, str] = {}
    if path.exists():
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SecretsError(
                f"{path} can't be read ({error}). Restore it from a backup: what it encrypted is lost without it."
            ) from error
    values = {field.name: known.get(field.name) or _fresh(field.name) for field in fields(Secrets)}
    found = Secrets(**values)
    if any(known.get(name) != value for name, value in values.items()):
        write_private(path, json.dumps({**known, **asdict(found)}, indent=2) + "\n")
    return found


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, whole or not at all, even if the machine stops in the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
