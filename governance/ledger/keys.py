"""The keys that sign the ledger. The private one is a seed in the environment; every public one stays in a table for ever."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from governance.ledger import notes
from governance.ledger.actions import Action, Target, record
from governance.ledger.locks import hold_sealing
from governance.ledger.models import Leaf, SigningKey


class KeyUnknown(Exception):
    """The seed of this process is not the ledger's current key; the message says what to do."""


@dataclass
class Operator:
    """Who runs a command on the machine: nobody who is signed in."""

    via: str = "command"
    address: str = ""
    request_id: str = ""
    id: None = None
    name: str = "operator"
    user: Any = None
    key: Any = None


def signing_key() -> Ed25519PrivateKey:
    """The private key of COUNTERSIGN_SIGNING_SEED."""
    if not settings.SIGNING_SEED:
        raise ImproperlyConfigured("COUNTERSIGN_SIGNING_SEED (base64 of 32 bytes) is not set: nothing can be signed.")
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.SIGNING_SEED))


def current() -> SigningKey:
    """The key that signs from now on; the first one is registered when it is first asked for. Call it under the lock."""
    last = SigningKey.objects.order_by("-pk").first()
    mine = notes.public_bytes(signing_key())
    if last is None:
        return _register(settings.LEDGER_ORIGIN, mine, from_size=0)
    if bytes(last.public_key) != mine:
        raise KeyUnknown(
            "COUNTERSIGN_SIGNING_SEED is not the ledger's current key. After a rotation, start this process with the new "
            "seed; otherwise put the old one back, or run `manage.py rotate_ledger_key`."
        )
    return last


def public(key: SigningKey) -> notes.Key:
    return notes.Key(key.name, bytes(key.public_key))


@transaction.atomic
def rotate(*, reason: str) -> str:
    """Hand over to a new key, which the present one endorses; the new seed (base64), which is nowhere else."""
    hold_sealing()
    old = current()
    seed = secrets.token_bytes(32)
    fresh = Ed25519PrivateKey.from_private_bytes(seed)
    from_size = Leaf.objects.count() and Leaf.objects.order_by("-index").values_list("index", flat=True)[0] + 1
    new = notes.Key(old.name, notes.public_bytes(fresh))
    text = f"countersign ledger key rotation\n{old.name}\n{from_size}\n{new.text}\n"
    endorsement = notes.sign(text, old.name, signing_key(), fresh)
    made = _register(old.name, new.public, from_size=from_size, endorsement=endorsement)
    record(
        Action.LEDGER_KEY_ROTATED,
        by=Operator(),
        target=Target("ledger_key", made.hash, f"{made.name}+{made.hash}"),
        before={"key": public(old).text},
        after={"key": new.text, "from_size": from_size},
        reason=reason,
    )
    return base64.b64encode(seed).decode()


def _register(name: str, public_key: bytes, *, from_size: int, endorsement: str = "") -> SigningKey:
    made = SigningKey.objects.create(
        name=name,
        hash=notes.Key(name, public_key).hash.hex(),
        public_key=public_key,
        from_size=from_size,
        endorsement=endorsement,
    )
    made.refresh_from_db()
    return made


def shown() -> list[dict[str, Any]]:
    """Every key there was, oldest first, as REST and the verifier read them."""
    keys = list(SigningKey.objects.order_by("pk"))
    following: list[SigningKey | None] = [*keys[1:], None]
    return [
        {
            "name": key.name,
            "hash": key.hash,
            "public_key": base64.b64encode(bytes(key.public_key)).decode(),
            "text": public(key).text,
            "active_from": key.active_from,
            "retired_at": after.active_from if after else None,
            "from_size": key.from_size,
            "to_size": after.from_size if after else None,
            "endorsement": key.endorsement,
        }
        for key, after in zip(keys, following, strict=False)  # there is none before the first event is sealed
    ]
