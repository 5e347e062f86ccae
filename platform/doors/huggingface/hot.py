"""The quick way to a file: HEAD and GET of …/resolve/{main or a commit}/… with a good key, decided by one SQL statement.

As registry.hot, it answers only when everything is in order; whatever there is to say otherwise, or to write (restricted and gated
assets, a key's first use from an address), is left to the ordinary view."""

from __future__ import annotations

import hmac
import re

from django.http import HttpRequest, HttpResponseBase

from accounts import keys, quick
from accounts.errors import Problem
from accounts.grant_sql import GRANTS, covers, gives
from accounts.middleware import address_of
from accounts.models import ASSET_NAME_PATTERN, NAME_PATTERN
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission
from doors.huggingface.files import dress
from registry.downloads import file_response
from registry.gitoids import is_large

_ADDRESS = re.compile(
    rf"/hf/(datasets/)?({NAME_PATTERN.strip('^$')})/({ASSET_NAME_PATTERN.strip('^$')})/resolve/(main|[0-9a-f]{{40}})/(.+)"
)
_SCOPES = [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if Permission.ASSET_VIEW in allowed]
_SELECT = """
SELECT k.secret_sha256,
       k.last_used_at > now() - interval '1 minute'
           AND (%(address)s = '' OR EXISTS (
               SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s AND NOT n.refused)),
       k.networks, v.commit, f.blob_id, b.size, o.oid
FROM accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.name = %(team)s AND (k.team_id IS NULL OR k.team_id = t.id)
JOIN registry_asset a ON a.team_id = t.id AND a.kind = %(kind)s AND a.name = %(name)s
    AND a.deleted_at IS NULL AND NOT a.gated AND NOT a.restricted
JOIN registry_version v ON v.asset_id = a.id AND v.state = 'registered' AND v.deleted_at IS NULL AND {wanted}
JOIN registry_file f ON f.version_id = v.id AND f.path = %(path)s
JOIN registry_blob b ON b.sha256 = f.blob_id
LEFT JOIN registry_gitoid o ON o.blob_id = b.sha256
WHERE k.key_id = %(key_id)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND (u.is_superuser OR EXISTS (SELECT 1 FROM {grants} WHERE g.user_id = u.id AND g.team_id = t.id AND {gives} AND {covers}))
"""
_GRANTED = {
    "grants": GRANTS,
    "gives": gives(Permission.ASSET_VIEW),
    "covers": covers(app="registry", model="asset", kind="a.kind", row="a"),
}
_BY_COMMIT = _SELECT.format(**_GRANTED, wanted="v.commit = %(revision)s")
_BY_MAIN = _SELECT.format(
    **_GRANTED,
    wanted="v.number = (SELECT max(m.number) FROM registry_version m WHERE m.asset_id = a.id AND m.branch = 'main' "
    "AND m.state = 'registered' AND m.deleted_at IS NULL)",
)


def answer(request: HttpRequest) -> HttpResponseBase | None:
    """The file, or None for everything that is not plainly in order."""
    if request.method not in ("GET", "HEAD"):
        return None
    match = _ADDRESS.fullmatch(request.path_info)
    key = keys.split_key(keys.from_header(request.META.get("HTTP_AUTHORIZATION", "")) or "")
    if match is None or key is None:
        return None
    datasets, team, name, revision, path = match.groups()
    address = address_of(request)
    values = {
        "team": team, "kind": "dataset" if datasets else "model", "name": name, "path": path, "key_id": key[0],
        "scopes": _SCOPES, "address": address,
    }  # fmt: skip
    row = quick.fetch(_BY_MAIN if revision == "main" else _BY_COMMIT, values | {"revision": revision})
    if row is None or not hmac.compare_digest(bytes(row[0]), keys.hash_secret(key[1])):
        return None
    _, fresh, networks, commit, sha256, size, oid = row
    large = is_large(path, size)
    if not fresh or not allows(networks, address) or not (large or oid):
        return None
    try:
        response = file_response(request, sha256=sha256, size=size, path=path)
    except Problem:
        return None
    dress(response, commit=commit, etag=sha256 if large else oid, size=size, large=large)
    return response
