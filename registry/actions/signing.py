"""Signing versions, and the key that does it."""

import hashlib

from django.db import connection, transaction
from django.utils import timezone

from accounts.access import SYSTEM
from governance.ledger.actions import Action, Target, record
from governance.ledger.keys import Operator
from notifications import vault
from registry import signing
from registry.actions.common import asset_target, lock_version, version_target
from registry.actions.versions import manifest_of
from registry.models import ModelSigningKey, Version, VersionSignature

_LOCK = 7_303


@transaction.atomic
def current_signing_key() -> ModelSigningKey:
    """The key that signs; the first is made when it is first asked for."""
    found = ModelSigningKey.objects.filter(retired_at=None).first()
    if found is not None:
        return found
    _hold_keys()
    return ModelSigningKey.objects.filter(retired_at=None).first() or _new_key(None, reason="")


@transaction.atomic
def rotate_signing_key(*, reason: str) -> ModelSigningKey:
    """A new key signs from now on. The old one's private half is forgotten; what it signed stays verifiable by its public one."""
    _hold_keys()
    return _new_key(ModelSigningKey.objects.filter(retired_at=None).first(), reason=reason)


def _new_key(old: ModelSigningKey | None, *, reason: str) -> ModelSigningKey:
    if old is not None:
        old.retired_at, old.private_sealed = timezone.now(), ""
        old.save(update_fields=["retired_at", "private_sealed"])
    private, public = signing.new_key()
    made = ModelSigningKey.objects.create(
        fingerprint=hashlib.sha256(public.encode()).hexdigest(), public_pem=public, private_sealed=vault.lock(private)
    )
    record(
        Action.MODEL_KEY_ROTATED,
        by=Operator() if old else SYSTEM,
        target=Target("model_key", made.pk, f"{made}", made.fingerprint),
        before={"fingerprint": old.fingerprint} if old else None,
        after={"fingerprint": made.fingerprint, "public_key": public},
        reason=reason,
    )
    return made


def _hold_keys() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@transaction.atomic
def sign_version(*, version: Version) -> bool:
    """Sign the files of a registered version. Twice is once: False where there is a signature, or nothing to sign."""
    key = current_signing_key()
    version = lock_version(version)
    if not version.is_registered or version.purged_at or VersionSignature.objects.filter(version=version).exists():
        return False
    files = [file for file in manifest_of(version) if signing.is_signed(file["path"])]
    if not files:
        return False
    text = signing.bundle(version.asset.name, files, vault.unlock(key.private_sealed))
    VersionSignature.objects.create(version=version, key=key, bundle=text)
    record(
        Action.VERSION_SIGNED,
        by=SYSTEM,
        team=version.asset.team.name,
        target=version_target(version),
        also=[asset_target(version.asset)],
        after={"key": key.fingerprint, "signature": hashlib.sha256(text.encode()).hexdigest(), "files": len(files)},
    )
    return True
