"""API keys: `cs_<id>_<secret>`. The id looks the key up, of the secret only a SHA-256 is stored (it has 256 random bits)."""

import hmac
import secrets
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.errors import Unauthenticated
from accounts.key_format import from_header, hash_secret, split_key
from accounts.models import ApiKey

__all__ = ["authenticate", "from_header", "hash_secret", "new_key", "split_key"]
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
# A key's last use is written at most this often, so that reads stay reads.
_LAST_USE_STEP = timedelta(minutes=1)


def new_key() -> tuple[str, str, bytes]:
    """A key's public id, the whole key (shown once), and the hash to store."""
    key_id = "csk" + "".join(secrets.choice(_ALPHABET) for _ in range(13))
    secret = secrets.token_urlsafe(32)
    return key_id, f"cs_{key_id}_{secret}", hash_secret(secret)


def authenticate(key: str) -> ApiKey:
    """The key's row with user and team; Unauthenticated says why not."""
    split = split_key(key)
    row = ApiKey.objects.select_related("user", "team").filter(key_id=split[0]).first() if split else None
    if split is None or row is None or not hmac.compare_digest(bytes(row.secret_sha256), hash_secret(split[1])):
        raise Unauthenticated("The API key is not valid. Make one under Settings, API keys.", code="invalid_api_key")
    now = timezone.now()
    state = row.state(now)
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
    if row.last_used_at is None or now - row.last_used_at > _LAST_USE_STEP:
        ApiKey.objects.filter(pk=row.pk).filter(Q(last_used_at=None) | Q(last_used_at__lt=now - _LAST_USE_STEP)).update(
            last_used_at=now
        )
    return row
