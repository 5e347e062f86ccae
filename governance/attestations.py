"""Signed statements of approvals: in-toto statements in DSSE envelopes, Ed25519. docs/governance.md shows how to verify one."""

import base64
import hashlib
import json
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:countersign:approval:v1"


def signing_key() -> Ed25519PrivateKey:
    if not settings.SIGNING_SEED:
        raise ImproperlyConfigured(
            "COUNTERSIGN_SIGNING_SEED (base64 of 32 bytes) is not set: approvals cannot be signed."
        )
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.SIGNING_SEED))


def public_key_pem() -> str:
    return signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def _pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def sign(*, subject: str, digest: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """A DSSE envelope over an in-toto statement that `subject` with `digest` ('sha256:<hex>') has this predicate."""
    algorithm, _, value = digest.partition(":")
    statement: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": subject, "digest": {algorithm: value}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    payload = rfc8785.dumps(statement)
    key = signing_key()
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(key.sign(_pae(payload))).decode()}],
    }


def verify(envelope: dict[str, Any], key: Ed25519PublicKey) -> dict[str, Any] | None:
    """The statement in an envelope, or None when the signature is not this key's."""
    payload = base64.b64decode(envelope["payload"])
    for signature in envelope["signatures"]:
        try:
            key.verify(base64.b64decode(signature["sig"]), _pae(payload))
        except InvalidSignature:
            continue
        statement: dict[str, Any] = json.loads(payload)
        return statement
    return None
