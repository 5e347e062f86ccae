"""Is this what was approved? Checked here, from bytes upwards: the files against the manifest, the manifest against the digest,
and the digest against the signed statement of its approval (an in-toto statement in a DSSE envelope, Ed25519)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from countersign import folders
from countersign.errors import NotFound
from countersign.transport import path_of

if TYPE_CHECKING:
    from countersign.client import Asset
    from countersign.shapes import RemoteFile, Version

PREDICATE_TYPE = "urn:countersign:approval:v1"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `passed` None: there was nothing to check, and the text says why."""

    name: str
    passed: bool | None
    text: str


@dataclass(frozen=True)
class Verification:
    version: Version
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.passed is not False for check in self.checks)


def verify(asset: Asset, at: int | str, folder: Path | None, pems: list[str]) -> Verification:
    """Check a version, in a folder too where one is given. Raises only what asking the site raises."""
    version = asset.version(at)
    manifest = asset.files(version.number)
    checks = [_digest(version, manifest)]
    if folder is not None:
        checks.insert(0, _files(folder, manifest))
    if isinstance(at, str) and not at.isdecimal() and at != "latest":
        checks.append(_approval(asset, at, version, pems))
    return Verification(version, tuple(checks))


def _files(folder: Path, manifest: list[RemoteFile]) -> Check:
    """Every file of the manifest is there with its bytes, and no other is."""
    local = {file.path: file for file in folders.walk(folder)}
    wrong = []
    for one in manifest:
        file = local.pop(one.path, None)
        if file is None:
            wrong.append(f"{one.path} is missing")
        elif file.size != one.size or folders.sha256(file.place) != one.sha256:
            wrong.append(f"{one.path} has other bytes")
    wrong += [f"{path} is not of this version" for path in sorted(local)]
    if wrong:
        more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        return Check("files", False, "; ".join(wrong[:5]) + more)
    return Check("files", True, f"{len(manifest)} files in {folder} hold the bytes of this version")


def _digest(version: Version, manifest: list[RemoteFile]) -> Check:
    found = folders.digest_of(manifest)
    if not version.is_registered:
        return Check("digest", False, f"version {version.number} is a draft: nothing about it is fixed yet")
    if found != version.digest:
        return Check("digest", False, f"the manifest makes {found}, the site says {version.digest}")
    return Check("digest", True, f"the manifest makes {found}")


def _approval(asset: Asset, alias: str, version: Version, pems: list[str]) -> Check:
    """The last move of the alias was approved, for these bytes, by a signature of a key that we trust."""
    http = asset.client.http
    history = http.get(f"{asset.path}{path_of('aliases', alias, 'history')}", limit=1)["results"]
    request_id = history[0]["request"] if history else None
    if request_id is None:
        return Check("approval", None, f"'{alias}' was moved without a request: it is not protected, or was not then")
    try:
        envelope = asset.client.request(request_id).attestation
    except NotFound:
        return Check("approval", None, f"request {request_id} can't be seen with this key")
    if envelope is None:
        return Check("approval", False, f"request {request_id} has no signed statement")
    keys = pems or [str(http.get("/ledger/signing-key")["pem"])]
    try:
        statement = opened(envelope, keys)
    except ValueError as error:
        return Check("approval", False, f"request {request_id}: {error}")
    problem = _mismatch(statement, asset, alias, version)
    if problem:
        return Check("approval", False, f"request {request_id}: {problem}")
    return Check("approval", True, _told(request_id, statement["predicate"], bool(pems)))


def opened(envelope: dict[str, Any], pems: list[str]) -> dict[str, Any]:
    """The statement in a DSSE envelope; ValueError when no trusted key signed it."""
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [(one["keyid"], base64.b64decode(one["sig"], validate=True)) for one in envelope["signatures"]]
        kind = envelope["payloadType"].encode()
    except (KeyError, TypeError, AttributeError, binascii.Error):
        raise ValueError("the statement is not a DSSE envelope") from None
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    for pem in pems:
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("a trusted key is not an Ed25519 public key")
        for _, signature in signatures:
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                continue
            statement: dict[str, Any] = json.loads(payload)
            return statement
    raise ValueError("none of the trusted keys signed the statement of its approval")


def fingerprint(pem: str) -> str:
    """What to compare by eye, or to remember: SHA-256 of the raw key in hex."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("This is not an Ed25519 public key.")
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def _mismatch(statement: dict[str, Any], asset: Asset, alias: str, version: Version) -> str:
    predicate = statement.get("predicate") or {}
    if statement.get("predicateType") != PREDICATE_TYPE:
        return "the statement is of another kind"
    digests = [f"sha256:{one.get('digest', {}).get('sha256')}" for one in statement.get("subject", [])]
    names = [str(one.get("name", "")) for one in statement.get("subject", [])]
    if version.digest not in digests:
        return "the approval is of other bytes than those that the alias points at"
    if f"{asset.kind}:{asset.address}" not in names:
        return f"the approval is of {', '.join(names)}"
    if predicate.get("slot") != alias:
        return f"the approval is for '{predicate.get('slot')}'"
    return ""


def _told(request_id: int, predicate: dict[str, Any], trusted: bool) -> str:
    people = [str(one.get("by", "")) for one in predicate.get("approvals", [])]
    by = f"approved by {', '.join(people)}" if people else "approved"
    if predicate.get("glassBroken"):
        by = "applied by breaking the glass"
    against = "a key that you trust" if trusted else "the key that the site shows"
    return f"request {request_id}: {by} on {str(predicate.get('appliedAt', ''))[:10]}, signed by {against}"
