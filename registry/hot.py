"""The quick door: a version by alias or number with an API key, answered by one SQL statement before any other layer.

It answers only when everything is in order. Whatever else there is to say (a wrong key, no permission, no such alias) is
left to the REST views, so that errors are worded in one place.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts import quick
from accounts.models import ASSET_NAME_PATTERN, NAME_PATTERN
from registry.representations import alias_fields, etag_of, version_fields

_NAME = NAME_PATTERN.strip("^$")
_ASSET = ASSET_NAME_PATTERN.strip("^$")
_ADDRESS = re.compile(
    rf"/api/v1/(models|datasets)/({_NAME})/({_ASSET})/(?:aliases/({_NAME})|versions/([1-9][0-9]{{0,8}}))"
)
_SELECT = """
SELECT {key_columns}, v.number, v.state, v.digest, v.message, v.size, v.facts, v.source_run_id,
       v.created_at, c.email, v.registered_at, r.email, {alias_columns},
       v.description, v.branch, v.commit, v.archived_at,
       (SELECT jsonb_object_agg(x.key, x.value ORDER BY x.key) FROM registry_versiontag x WHERE x.version_id = v.id)
FROM {key_joins}
JOIN registry_asset a ON a.team_id = t.id AND a.kind = %(kind)s AND a.name = %(name)s
    AND a.deleted_at IS NULL
{alias_joins}
JOIN accounts_user c ON c.id = v.created_by_id
LEFT JOIN accounts_user r ON r.id = v.registered_by_id
WHERE {may_view}
"""
_GRANTED = {
    "key_columns": quick.KEY_COLUMNS,
    "key_joins": quick.KEY_JOINS,
    "may_view": quick.key_may_view(app="registry", model="asset", kind="a.kind", row="a"),
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
    if match is None or request.META.get("QUERY_STRING"):
        return None
    asked = quick.asked(request)
    if asked is None:
        return None
    section, team, name, alias, number = match.groups()
    row = quick.fetch(
        _BY_ALIAS if alias else _BY_NUMBER,
        {
            **asked.values,
            "team": team,
            "kind": section[:-1],
            "name": name,
            **({"alias": alias} if alias else {"number": int(number)}),
        },
    )
    if row is None or not asked.opens(row):
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
    return quick.tagged(request, content, etag_of(content))
