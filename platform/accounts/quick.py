"""What the quick doors share (registry.hot, prompts.hot, doors.*.hot): a read with a key, decided by one SQL statement ahead of
every other layer.

They answer only when everything is in order. Whatever else there is to say or to write (a wrong key, no permission, a key's first
use from an address) is left to the ordinary doors, so that errors are worded in one place.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict

from accounts import keys
from accounts.grant_sql import GRANTS, covers, gives
from accounts.middleware import address_of
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission

VIEWING = [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if Permission.ASSET_VIEW in allowed]
# The first columns of a statement: what `Asked.opens` looks at. The last use of a key and its first from an address are written
# by the ordinary door, which also refuses: where there is anything to write or refuse, the request goes there.
KEY_COLUMNS = """k.secret_sha256,
       k.last_used_at > now() - interval '1 minute'
           AND (%(address)s = '' OR EXISTS (
               SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s AND NOT n.refused)),
       k.networks"""
KEY_JOINS = """accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.name = %(team)s AND (k.team_id IS NULL OR k.team_id = t.id)"""

# For doors whose names are flat: the key's own team. A key of several goes the ordinary way.
OWN_TEAM_JOINS = """accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.id = k.team_id"""


def key_may_view(*, app: str, model: str, kind: str, row: str) -> str:
    """The condition that the key is good and that its owner may see the row. `kind`: the SQL of its kind."""
    there = covers(app=app, model=model, kind=kind, row=row)
    return f"""k.key_id = %(key_id)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND (u.is_superuser OR EXISTS (
      SELECT 1 FROM {GRANTS} WHERE g.user_id = u.id AND g.team_id = t.id AND {gives(Permission.ASSET_VIEW)} AND {there}))"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Asked:
    """The key that a request brings, and where it comes from."""

    key_id: str
    secret: str
    address: str

    @property
    def values(self) -> dict[str, Any]:
        return {"key_id": self.key_id, "address": self.address, "scopes": VIEWING}

    def opens(self, row: Sequence[Any]) -> bool:
        """Whether the row that was found, which begins with KEY_COLUMNS, may be answered with here."""
        return (
            hmac.compare_digest(bytes(row[0]), keys.hash_secret(self.secret))
            and bool(row[1])
            and allows(row[2], self.address)
        )


def asked(request: HttpRequest) -> Asked | None:
    """The key of a request; None where there is none, or what can't be one."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    key = keys.split_key(keys.from_header(header) or "") if header else None
    if key is None or "\0" in key[0]:
        return None
    return Asked(key[0], key[1], address_of(request))


def query(request: HttpRequest) -> QueryDict | None:
    """What a request asks for; None where that is odd enough to be the ordinary door's."""
    text = request.META.get("QUERY_STRING", "")
    return request.GET if len(text) <= 4_000 and text.count("&") < 20 else None


def fetch(statement: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The statement's first row."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    # Django turns prepared statements off. Planning this join costs more than running it, so it is prepared here, which
    # ends with the connection and needs no setting.
    before, raw.prepare_threshold = raw.prepare_threshold, 0
    try:
        with psycopg.Cursor(raw) as cursor:
            return cursor.execute(statement, values, prepare=True).fetchone()
    finally:
        raw.prepare_threshold = before


def tagged(request: HttpRequest, content: bytes, etag: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """JSON with an ETag; 304 when the caller has these very bytes."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie", **(headers or {})}
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    if known and any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known.split(",")):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Length"] = str(len(content))
    return HttpResponse(content, content_type="application/json", headers=headers)
