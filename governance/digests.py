"""Digests: sha256 over canonical JSON (RFC 8785), written 'sha256:<hex>'."""

import hashlib
from typing import Any

import rfc8785


def digest_of(value: Any) -> str:
    """The digest of a JSON value, the same for the same value in any process, order of keys or spacing."""
    return f"sha256:{hashlib.sha256(rfc8785.dumps(value)).hexdigest()}"
