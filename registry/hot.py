"""The quick door: a version by alias or number with an API key, answered by one SQL statement before any other layer.

It answers only when everything is in order. Whatever else there is to say (a wrong key, no permission, no such alias) is
left to the REST views, so that errors are worded in one place.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Any

import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponse

from accounts import keys
from accounts.grant_sql import GRANTS, covers, gives
from accounts.middleware import address_of
from accounts.models import ASSET_NAME_PATTERN, NAME_PATTERN
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission
from registry.representations import alias_fields, etag_of, version_fields

_NAME = NAME_PATTERN.strip("^$")
_ASSET = ASSET_NAME_PATTERN.strip("^$")
_ADDRESS = re.compile(
    rf"/api/v1/(models|datasets)/({_NAME})/({_ASSET})/(?:aliases/({_NAME})|versions/([1-9][0-9]{{0,8}}))"
)
# The last use of a key and its first from an address are written by the ordinary door, which also refuses: where there is
# anything to write or refuse, the request goes there.
_SCOPES = [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if Permission.ASSET_VIEW in allowed]

_SELECT = """
SELECT k.secret_sha256,
       k.last_used_at > now() - interval '1 minute'
           AND (%(address)s = '' OR EXISTS (
               SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s AND NOT n.refused)),
       k.networks, v.number, v.state, v.digest, v.message, v.size, v.facts, v.source_run_id,
       v.created_at, c.email, v.registered_at, r.email, {alias_columns},
       v.description, v.branch, v.commit, v.archived_at,
       (SELECT jsonb_object_agg(x.key, x.value ORDER BY x.key) FROM registry_versiontag x WHERE x.version_id = v.id)
FROM accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.name = %(team)s AND (k.team_id IS NULL OR k.team_id = t.id)
JOIN registry_asset a ON a.team_id = t.id AND a.kind = %(kind)s AND a.name = %(name)s
    AND a.deleted_at IS NULL
{alias_joins}
JOIN accounts_user c ON c.id = v.created_by_id
LEFT JOIN accounts_user r ON r.id = v.registered_by_id
WHERE k.key_id = %(key_id)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND (u.is_superuser OR EXISTS (SELECT 1 FROM {grants} WHERE g.user_id = u.id AND g.team_id = t.id AND {gives} AND {covers}))
"""
_GRANTED = {
    "grants": GRANTS,
    "gives": gives(Permission.ASSET_VIEW),
    "covers": covers(app="registry", model="asset", kind="a.kind", row="a"),
}
_BY_ALIAS = _SELECT.format(
    **_GRANTED,
    alias_columns="l.updated_at, b.email",
    alias_joins="JOIN registry_alias l ON l.asset_id = a.id AND l.name = %(alias)s\n"
    "JOIN accounts_user b ON b.id = l.updated_by_id\nJOIN registry_version v ON v.id = l.version_id AND v.deleted_at IS NULL",
)
_BY_NUMBER = _SELECT.format(
    **_GRANTED,
    alias_columns="NULL::timestamptz, NULL::text",
    alias_joins="JOIN registry_version v ON v.asset_id = a.id AND v.number = %(number)s AND v.deleted_at IS NULL",
)


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to `GET /api/v1/{models|datasets}/{team}/{name}/aliases/{alias}` or `…/versions/{n}` with a good key and
    the permission; None for everything else."""
    if request.method != "GET":
        return None
    match = _ADDRESS.fullmatch(request.path_info)
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if match is None or not header or request.META.get("QUERY_STRING"):
        return None
    key = keys.split_key(keys.from_header(header) or "")
    if key is None:
        return None
    section, team, name, alias, number = match.groups()
    address = address_of(request)
    row = _fetch(
        _BY_ALIAS if alias else _BY_NUMBER,
        {
            "team": team,
            "kind": section[:-1],
            "name": name,
            "key_id": key[0],
            "scopes": _SCOPES,
            "address": address,
            **({"alias": alias} if alias else {"number": int(number)}),
        },
    )
    if row is None or not hmac.compare_digest(bytes(row[0]), keys.hash_secret(key[1])):
        return None
    if not row[1] or not allows(row[2], address):
        return None
    row = row[1:]
    body = version_fields(
        asset=f"{team}/{name}",
        number=row[2],
        state=row[3],
        digest=row[4],
        message=row[5],
        size=row[6],
        facts=json.loads(row[7]),  # Django has its connections hand JSON over as text
        source_run=row[8],
        description=row[15],
        branch=row[16],
        commit=row[17],
        tags=dict(sorted(json.loads(row[19]).items())) if row[19] else {},
        archived_at=row[18],
        created_at=row[9],
        created_by=row[10],
        registered_at=row[11],
        registered_by=row[12],
    )
    if alias:
        body = alias_fields(name=alias, updated_at=row[13], updated_by=row[14], version=body)
    return json_answer(request, body)


def json_answer(request: HttpRequest, body: dict[str, Any]) -> HttpResponse:
    """A JSON answer with an ETag; 304 when the caller has these very bytes."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    etag = etag_of(content)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    if known and any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known.split(",")):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Length"] = str(len(content))
    return HttpResponse(content, content_type="application/json", headers=headers)


def _fetch(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
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
