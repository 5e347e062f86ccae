"""The form of API keys, `cs_<id>_<secret>`, without Django: the gateway reads them too."""

import base64
import hashlib
import hmac


def hash_secret(secret: str) -> bytes:
    """What is stored of a key's secret; it has 256 random bits, so a plain SHA-256 does."""
    return hashlib.sha256(secret.encode()).digest()


def split_key(key: str) -> tuple[str, str] | None:
    """Public id and secret of a whole key; None when it has another form."""
    parts = key.split("_", 2)
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "cs" and parts[1] and parts[2] else None


def from_header(header: str) -> str | None:
    """The key in an Authorization header: `Bearer KEY`, or Basic with the key's id as user, and as password the key or its secret."""
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:  # not base64, or not text in it
            return ""
        split = split_key(password)
        if split is None:
            return f"cs_{name}_{password}" if name and password else ""
        return password if hmac.compare_digest(split[0].encode(), name.encode()) else ""
    return None
