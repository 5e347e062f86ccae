"""Tickets: how the platform itself calls a model for a person, through the gateway, as any client does.

Whoever started a run left no key behind. So the worker that carries it on says for whom it calls (and with which key, where one was
used), which deployment, and until when, and signs that. A ticket gives nothing by itself: the gateway asks the person's grants anew, at
each call. No Django: the gateway has none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

SCHEME = "Ticket"
_FORM = re.compile(r"Ticket (\d{1,18})\.(\d{1,18})\.(\d{1,18})\.(\d{1,12})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Ticket:
    """Ids of rows; `key` 0: none was used. `until`: seconds since 1970."""

    user: int
    key: int
    deployment: int
    until: int


def secret_of(site_secret: str) -> bytes:
    """What tickets are signed with; empty, and then none is good, where the site has no secret."""
    return hashlib.sha256(b"countersign ticket:" + site_secret.encode()).digest() if site_secret else b""


def written(ticket: Ticket, secret: bytes) -> str:
    """The value of an Authorization header."""
    said = f"{ticket.user}.{ticket.key}.{ticket.deployment}.{ticket.until}"
    return f"{SCHEME} {said}.{_signature(said, secret)}"


def read(authorization: str, secret: bytes, *, now: float) -> Ticket | None:
    """The ticket in a header; None for what is none, is not signed with this secret, or is over."""
    found = _FORM.fullmatch(authorization)
    if found is None or not secret:
        return None
    said, _, signature = authorization.removeprefix(f"{SCHEME} ").rpartition(".")
    if not hmac.compare_digest(signature, _signature(said, secret)):
        return None
    ticket = Ticket(*(int(part) for part in found.groups()[:4]))
    return ticket if now < ticket.until else None


def _signature(said: str, secret: bytes) -> str:
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()
