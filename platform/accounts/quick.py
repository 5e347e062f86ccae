"""What the quick doors share (registry.hot, prompts.hot, doors.*.hot): a read with a key, decided by one SQL statement ahead of
every other layer.

They answer only when everything is in order. Whatever else there is to say or to write (a wrong key, no permission, a key's first
use from an address) is left to the ordinary doors, so that errors are worded in one place.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict

from accounts import keys
from accounts.grant_sql import GRANTS, covers, gives
from accounts.middleware import address_of
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission

WHOLE_TEAM = "g.prefix = '' AND g.content_type_id = (SELECT id FROM django_content_type WHERE app_label = 'accounts' AND model = 'team')"
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
    viewing = ", ".join(f"'{scope}'" for scope in VIEWING)
    return f"""k.key_id = %(key_id)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && ARRAY[{viewing}]::varchar[])
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
        return {"key_id": self.key_id, "address": self.address}

    def opens(self, row: Sequence[Any]) -> bool:
        """Whether the row that was found, which begins with KEY_COLUMNS, may be answered with here."""
        return (
            hmac.compare_digest(bytes(row[0]), keys.hash_secret(self.secret))
            and bool(row[1])
            and allows(row[2], self.address)
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """A key, by its id and secret, and where it comes from: of what is written in one statement."""

    key_id: str
    secret: str
    address: str
    request_id: str

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of `reached` (but for its scopes) and of an event."""
        secret = keys.hash_secret(self.secret)
        return {"key_id": self.key_id, "secret": secret, "address": self.address, "request_id": self.request_id}


def caller_of(request: HttpRequest) -> Caller | None:
    """Who calls with a key; None where there is none, or what can't be one."""
    key = keys.split_key(keys.from_header(request.META.get("HTTP_AUTHORIZATION", "")) or "")
    if key is None or "\0" in key[0]:
        return None
    return Caller(key[0], key[1], address_of(request), getattr(request, "request_id", ""))


def scopes_for(*permissions: Permission) -> list[str]:
    """The scopes that each alone let a key do all of this."""
    return [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if allowed.issuperset(permissions)]


def reached(*permissions: Permission, joins: str, columns: str, covers: str, more: str = "") -> str:
    """A SELECT, for a larger statement, of what a good key of one team (t) may touch: nobody where anything is not in order.
    `joins`: the SQL of what is touched; `covers`: of which grants g count. A key whose last use or first address is still to be
    written, or that is limited to networks, goes the ordinary way, as does whatever else is to be refused."""
    held = " AND ".join(
        f"EXISTS (SELECT 1 FROM {GRANTS} WHERE g.user_id = u.id AND g.team_id = t.id AND {gives(one)} AND {covers})"  # noqa: S608
        for one in permissions
    )
    return f"""SELECT k.key_id, u.id AS user_id, coalesce(nullif(u.name, ''), u.email) AS user_name, u.email,
    t.id AS team_id, t.name AS team, {columns}
FROM accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.id = k.team_id
{joins}
WHERE k.key_id = %(key_id)s::text AND k.secret_sha256 = %(secret)s::bytea AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > now()) AND cardinality(k.networks) = 0
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND k.last_used_at > now() - interval '1 minute'
  AND (%(address)s::text = '' OR EXISTS (
      SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s::text AND NOT n.refused))
  AND (u.is_superuser OR {held}) {more}"""  # noqa: S608  SQL of ours


def event_of(done: str) -> dict[str, str]:
    """The facts and texts of an event, as SQL, that are the same whatever was done; `done`: the CTE that holds the row `reached`."""
    return {
        "team": f"{done}.team", "actor_id": f"{done}.user_id", "via": "'api'", "key_id": f"{done}.key_id",
        "request_id": "%(request_id)s::text", "actor_name": f"{done}.user_name", "actor_email": f"{done}.email",
        "address": "%(address)s::text", "reason": "''",
    }  # fmt: skip


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
    rows = fetch_all(statement, values)
    return rows[0] if rows else None


def fetch_all(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All of its rows. Parameters are written as %(name)s."""
    usual = len(statement) < _LONG  # what a caller's filter makes longer is not kept, neither here nor by PostgreSQL
    text, names = _numbered(statement) if usual else _numbered.__wrapped__(statement)
    given = [values[name] for name in names]
    pool = getattr(connection, "pool", None) if connection.connection is None else None
    if pool is None:
        connection.ensure_connection()
        return _run(connection.connection, text, given, prepare=usual)
    # Straight from the pool: setting up and taking down Django's own connection costs more than all else here.
    with connection.wrap_database_errors:
        if pool.closed:
            pool.open()
        raw = pool.getconn()
    try:
        if not raw.autocommit:
            raw.autocommit = True  # what a statement writes is to stay
        return _run(raw, text, given, prepare=usual)
    finally:
        pool.putconn(raw)


def _run(raw: psycopg.Connection[Any], text: str, given: Sequence[Any], *, prepare: bool) -> list[tuple[Any, ...]]:
    # Django turns prepared statements off. Planning these joins costs more than running them, so they are prepared here, which
    # ends with the connection and needs no setting.
    before, raw.prepare_threshold = raw.prepare_threshold, 0
    try:
        with psycopg.RawCursor(raw) as cursor:
            return cursor.execute(text, given, prepare=prepare).fetchall()
    finally:
        raw.prepare_threshold = before


_LONG = 20_000


@lru_cache(maxsize=500)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1 for its first parameter, and the parameters' names: psycopg would look for them anew in each long one."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}" if found[1] else "%"

    text = re.sub(r"%(?:\((\w+)\)s|%)", numbered, statement)
    return text, tuple(names)


def tagged(request: HttpRequest, content: bytes, etag: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """JSON with an ETag; 304 when the caller has these very bytes."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie", **(headers or {})}
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    if known and any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known.split(",")):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Length"] = str(len(content))
    return HttpResponse(content, content_type="application/json", headers=headers)
