"""API keys: `cs_<id>_<secret>`. The id looks the key up, of the secret only a SHA-256 is stored (it has 256 random bits)."""

import hmac
import secrets
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from accounts.access import Actor
from accounts.errors import Forbidden, Unauthenticated
from accounts.key_format import from_header, hash_secret, split_key
from accounts.models import ApiKey, KeyAddress
from accounts.networks import allows
from governance.ledger.actions import Action, Target, record

__all__ = ["authenticate", "from_header", "hash_secret", "new_key", "record_noted_uses", "split_key"]
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
# A key's last use is written at most this often, so that reads stay reads.
_LAST_USE_STEP = timedelta(minutes=1)

# One row per key and address; nothing comes back where it was noted before (a refusal: in the last minute).
_NOTE_USE = """
INSERT INTO accounts_keyaddress (key_id, address, refused, at, recorded) VALUES (%s, %s, false, now(), true)
ON CONFLICT (key_id, address, refused) DO NOTHING RETURNING id
"""
_NOTE_REFUSAL = """
INSERT INTO accounts_keyaddress (key_id, address, refused, at, recorded) VALUES (%s, %s, true, now(), true)
ON CONFLICT (key_id, address, refused) DO UPDATE SET at = now(), recorded = true
WHERE accounts_keyaddress.at < now() - interval '1 minute' RETURNING id
"""


def new_key() -> tuple[str, str, bytes]:
    """A key's public id, the whole key (shown once), and the hash to store."""
    key_id = "csk" + "".join(secrets.choice(_ALPHABET) for _ in range(13))
    secret = secrets.token_urlsafe(32)
    return key_id, f"cs_{key_id}_{secret}", hash_secret(secret)


def authenticate(key: str, *, address: str = "", request_id: str = "") -> ApiKey:
    """The key's row with user and team; Unauthenticated or Forbidden says why not. `address`: where the request came from."""
    split = split_key(key)
    row = (
        ApiKey.objects.select_related("user", "team")
        .annotate(
            now=Now(),  # one clock for all doors: the database's
            known=Exists(KeyAddress.objects.filter(key=OuterRef("pk"), address=address, refused=False)),
        )
        .filter(key_id=split[0])
        .first()
        if split and "\0" not in split[0]
        else None
    )
    if split is None or row is None or not hmac.compare_digest(bytes(row.secret_sha256), hash_secret(split[1])):
        raise Unauthenticated("The API key is not valid. Make one under Settings, API keys.", code="invalid_api_key")
    state = row.state(row.now)
    if state != "active":
        when = row.revoked_at if state == "revoked" else row.expires_at
        raise Unauthenticated(
            f"The API key {row.key_id} was {state} at {when:%Y-%m-%d %H:%M} UTC. Make a new one under Settings, API keys."
            if state == "revoked"
            else f"The API key {row.key_id} expired at {when:%Y-%m-%d %H:%M} UTC. Make a new one under Settings, API keys.",
            code=f"{state}_api_key",
        )
    if not row.user.is_active:
        raise Unauthenticated("The owner of this API key is deactivated.", code="invalid_api_key")
    by = Actor(row.user, key=row, via="api", address=address, request_id=request_id)
    if not allows(row.networks, address):
        _note(_NOTE_REFUSAL, Action.KEY_REFUSED, by)
        raise outside_networks(row.key_id, address)
    if address and not row.known:
        _note(_NOTE_USE, Action.KEY_FIRST_USED_FROM, by)
    if row.last_used_at is None or row.now - row.last_used_at > _LAST_USE_STEP:
        ApiKey.objects.filter(pk=row.pk).filter(
            Q(last_used_at=None) | Q(last_used_at__lt=row.now - _LAST_USE_STEP)
        ).update(last_used_at=Now(), last_used_from=address)
    return row


def outside_networks(key_id: str, address: str) -> Forbidden:
    return Forbidden(
        f"The API key {key_id} does not work from {address or 'here'}: it is limited to other networks.",
        code="key_network",
    )


def _note(statement: str, action: Action, by: Actor) -> None:
    """Note the address and, where that is news, write the event: in one transaction."""
    assert by.key is not None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, [by.key.pk, by.address])
            if cursor.fetchone() is None:
                return
        _record(action, by.key, by)


def record_noted_uses() -> int:
    """Write the events of what the gateway noted: it has no ledger. How many."""
    done = 0
    for pk in KeyAddress.objects.filter(recorded=False).order_by("pk").values_list("pk", flat=True)[:1000]:
        with transaction.atomic():
            row = (
                KeyAddress.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("key__user", "key__team")
                .filter(pk=pk, recorded=False)
                .first()
            )
            if row is None:
                continue
            row.recorded = True
            row.save(update_fields=["recorded"])
            action = Action.KEY_REFUSED if row.refused else Action.KEY_FIRST_USED_FROM
            _record(action, row.key, Actor(row.key.user, key=row.key, via="gateway", address=row.address))
            done += 1
    return done


def _record(action: Action, key: ApiKey, by: Actor) -> None:
    record(
        action,
        by=by,
        team=key.team.name if key.team else "",
        target=Target("key", key.key_id, key.name),
        also=[Target("user", key.user_id, key.user.email)],
        after={"address": by.address},
        reason="Outside of the networks that the key is limited to." if action == Action.KEY_REFUSED else "",
    )
