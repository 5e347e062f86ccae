"""What `register_elsewhere` does, for a key and in one statement: who asks, what they may, the number, the row, its tags and the
event. Whatever is not in order is left to the ordinary way, which says what is wrong; tests hold the two against each other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from django.db import connection

from accounts.grant_sql import GRANTS, covers, gives
from accounts.key_format import hash_secret
from accounts.roles import SCOPE_PERMISSIONS, Permission
from governance.ledger.actions import Action, inserted_from
from registry.models import Asset, Version

_HELD = f"EXISTS (SELECT 1 FROM {GRANTS} WHERE g.user_id = u.id AND g.team_id = t.id AND {{gives}} AND {{covers}})"  # noqa: S608  SQL of ours
_SCOPES = [
    scope.value
    for scope, allowed in SCOPE_PERMISSIONS.items()
    if {Permission.ASSET_VIEW, Permission.ASSET_EDIT} <= allowed
]
# As for the quick reads: a key whose last use or first address is still to be written goes the ordinary way, as does one that is
# limited to networks.
_ALLOWED = """
SELECT k.key_id, u.id AS user_id, coalesce(nullif(u.name, ''), u.email) AS user_name, u.email, t.name AS team, a.id AS asset_id
FROM accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.id = k.team_id
JOIN registry_asset a ON a.team_id = t.id AND a.kind = %(kind)s::text AND a.name = %(name)s::text AND a.deleted_at IS NULL
WHERE k.key_id = %(key_id)s::text AND k.secret_sha256 = %(secret)s::bytea AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > now()) AND cardinality(k.networks) = 0
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND k.last_used_at > now() - interval '1 minute'
  AND (%(address)s::text = '' OR EXISTS (
      SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s::text AND NOT n.refused))
  AND (u.is_superuser OR {held})
"""
_COMPUTED = {
    "id": "made.version_id",
    "asset_id": "made.asset_id",
    "number": "made.number",
    "commit": "left(encode(sha256(convert_to('countersign version ' || made.version_id || ' ' || %(digest)s::text, 'UTF8')), 'hex'), 40)",
    "created_by_id": "made.user_id",
    "registered_by_id": "made.user_id",
}
_EVENT = {
    "team": "made.team", "actor_id": "made.user_id", "via": "'api'", "key_id": "made.key_id", "request_id": "%(request_id)s::text",
    "action": f"'{Action.VERSION_REGISTERED.value}'", "target_kind": "'version'", "target_id": "made.version_id::text",
    "target_digest": "%(digest)s::text", "subjects": "ARRAY['version:' || made.version_id, %(kind)s::text || ':' || made.asset_id]",
    "actor_name": "made.user_name", "actor_email": "made.email", "address": "%(address)s::text",
    "target_label": "left(made.team || '/' || made.name || ' version ' || made.number, 300)", "before": "NULL::jsonb",
    "after": "%(after)s::jsonb || jsonb_build_object('number', made.number)", "reason": "''",
}  # fmt: skip


@cache
def _statement() -> str:
    held = " AND ".join(
        _HELD.format(gives=gives(one), covers=covers(app="registry", model="asset", kind="a.kind", row="a"))
        for one in (Permission.ASSET_VIEW, Permission.ASSET_EDIT)
    )
    # Each parameter with its type, since some stand in several places; without a length, which a cast would cut to.
    types = {str(field.column): str(field.db_type(connection)) for field in Version._meta.concrete_fields}
    columns = list(types)
    values = [
        _COMPUTED.get(name, f"%({name})s::{'text' if kind.startswith('varchar') else kind}")
        for name, kind in types.items()
    ]
    return f"""
WITH allowed AS ({_ALLOWED.format(held=held)}), made AS (
    UPDATE registry_asset SET last_number = last_number + 1, updated_at = now(), updated_by_id = allowed.user_id
    FROM allowed WHERE registry_asset.id = allowed.asset_id
        AND registry_asset.deleted_at IS NULL AND registry_asset.archived_at IS NULL
    RETURNING allowed.*, registry_asset.name, last_number AS number,
        nextval(pg_get_serial_sequence('registry_version', 'id')) AS version_id
), version AS (
    INSERT INTO registry_version ({", ".join(f'"{column}"' for column in columns)}) SELECT {", ".join(values)} FROM made
), tags AS (
    INSERT INTO registry_versiontag (version_id, key, value)
    SELECT made.version_id, t.key, t.value FROM made, unnest(%(keys)s::text[], %(texts)s::text[]) t(key, value)
), {inserted_from("made", **_EVENT)}
SELECT made.number FROM made
"""  # noqa: S608  names and constants of ours


@dataclass(frozen=True)
class Asked:
    """A key, by its id and secret, and where it came from."""

    key_id: str
    secret: str
    address: str
    request_id: str


def register(
    asked: Asked, *, name: str, version: Version, after: Mapping[str, Any], tags: Mapping[str, str]
) -> int | None:
    """Register `version`, a row that is whole but for its asset, number and author, of the model `name` in the key's team, and
    return its number; None where the ordinary way has to say what is wrong. `after`: the event's, but for the number."""
    fields = {
        str(field.column): field.get_db_prep_save(getattr(version, field.attname), connection)
        for field in Version._meta.concrete_fields
        if field.column not in _COMPUTED
    }
    values = fields | {
        "key_id": asked.key_id, "secret": hash_secret(asked.secret), "address": asked.address, "request_id": asked.request_id,
        "scopes": _SCOPES, "kind": Asset.Kind.MODEL.value, "name": name, "after": json.dumps(after), "keys": list(tags),
        "texts": list(tags.values()),
    }  # fmt: skip
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    # Django turns prepared statements off. Planning this costs more than running it.
    before, raw.prepare_threshold = raw.prepare_threshold, 0
    try:
        with psycopg.Cursor(raw) as cursor:
            row = cursor.execute(_statement(), values, prepare=True).fetchone()
    finally:
        raw.prepare_threshold = before
    return row[0] if row else None
