"""What `register_elsewhere`, `set_tag` and `move_alias` do, each for a key and in one statement: who asks, what they may, the change
and its event. Whatever is not in order is left to the ordinary way, which says what is wrong; tests hold the two against each other.

A statement sees the tables as they were when it began, and the rows that it locks as they are once it has the lock. So rows are
locked in the order of the ordinary ways (the asset first), and what was seen is looked at again in the locked row.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection

from accounts import quick
from accounts.grant_sql import covers
from accounts.quick import Caller
from accounts.roles import Permission
from governance.ledger.actions import Action, inserted_from
from registry.actions.tags import MAX_TAGS, told
from registry.models import Asset, Version
from registry.models.uploads import BlobCheck

_COVERS = covers(app="registry", model="asset", kind="a.kind", row="a")
_ASSET = """JOIN registry_asset a ON a.team_id = t.id AND a.kind = %(kind)s::text AND a.name = %(name)s::text
    AND a.deleted_at IS NULL"""
_VERSION = (
    f"{_ASSET} JOIN registry_version v ON v.asset_id = a.id AND v.number = %(number)s::int AND v.deleted_at IS NULL"
)
_EDIT = (Permission.ASSET_VIEW, Permission.ASSET_EDIT)
_MOVE = (Permission.ASSET_VIEW, Permission.ALIAS_MOVE)
_COMPUTED = {
    "id": "made.version_id",
    "asset_id": "made.asset_id",
    "number": "made.number",
    "commit": "left(encode(sha256(convert_to('countersign version ' || made.version_id || ' ' || %(digest)s::text, 'UTF8')), 'hex'), 40)",
    "created_by_id": "made.user_id",
    "registered_by_id": "made.user_id",
}
_OF_VERSION = {
    "target_kind": "'version'", "target_id": "{0}.version_id::text",
    "subjects": "ARRAY['version:' || {0}.version_id, %(kind)s::text || ':' || {0}.asset_id]",
    "target_label": "left({0}.team || '/' || {0}.name || ' version ' || {0}.number, 300)",
}  # fmt: skip


def _event(source: str, about: Mapping[str, str], **more: str) -> str:
    return inserted_from(
        source, **quick.event_of(source), **{name: sql.format(source) for name, sql in about.items()}, **more
    )


@cache
def _registering() -> str:
    # Each parameter with its type, since some stand in several places; without a length, which a cast would cut to.
    types = {str(field.column): str(field.db_type(connection)) for field in Version._meta.concrete_fields}
    columns = list(types)
    values = [
        _COMPUTED.get(name, f"%({name})s::{'text' if kind.startswith('varchar') else kind}")
        for name, kind in types.items()
    ]
    event = _event(
        "made", _OF_VERSION, action=f"'{Action.VERSION_REGISTERED.value}'", target_digest="%(digest)s::text",
        before="NULL::jsonb", after="%(after)s::jsonb || jsonb_build_object('number', made.number)",
    )  # fmt: skip
    return f"""
WITH allowed AS ({quick.reached(*_EDIT, joins=_ASSET, columns="a.id AS asset_id", covers=_COVERS)}), made AS (
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
), {event}
SELECT made.number FROM made
"""  # noqa: S608  names and constants of ours


def register(
    caller: Caller, *, name: str, version: Version, after: Mapping[str, Any], tags: Mapping[str, str]
) -> int | None:
    """Register `version`, a row that is whole but for its asset, number and author, of the model `name` in the key's team, and
    return its number; None where the ordinary way has to say what is wrong. `after`: the event's, but for the number."""
    fields = {
        str(field.column): field.get_db_prep_save(getattr(version, field.attname), connection)
        for field in Version._meta.concrete_fields
        if field.column not in _COMPUTED
    }
    values = fields | caller.values | {
        "scopes": quick.scopes_for(*_EDIT), "kind": Asset.Kind.MODEL.value, "name": name, "after": json.dumps(after),
        "keys": list(tags), "texts": list(tags.values()),
    }  # fmt: skip
    row = quick.fetch(_registering(), values)
    return row[0] if row else None


_TOLD = """CASE WHEN length(done.before) <= 1000 THEN done.before ELSE left(done.before, 200) || '… (' || length(done.before)
    || ' characters, sha256 ' || encode(sha256(convert_to(done.before, 'UTF8')), 'hex') || ')' END"""


@cache
def _tagging(of_version: bool) -> str:
    if of_version:
        table, owner, about, action = "registry_versiontag", "version_id", _OF_VERSION, Action.VERSION_TAG_SET
        columns, digest = "a.id AS asset_id, a.name, v.id AS version_id, v.number, v.digest", "done.digest"
        there = """there AS MATERIALIZED (SELECT asset.* FROM asset JOIN registry_version v ON v.id = asset.version_id
    WHERE v.deleted_at IS NULL FOR NO KEY UPDATE OF v)"""
    else:
        table, owner, action, digest = "registry_assettag", "asset_id", Action.ASSET_TAG_SET, "''"
        about = {
            "target_kind": "%(kind)s::text", "target_id": "{0}.asset_id::text",
            "subjects": "ARRAY[%(kind)s::text || ':' || {0}.asset_id]", "target_label": "left({0}.team || '/' || {0}.name, 300)",
        }  # fmt: skip
        columns, there = "a.id AS asset_id, a.name", "there AS MATERIALIZED (SELECT * FROM asset)"
    event = _event(
        "done", about, action=f"'{action.value}'", target_digest=digest, after="%(after)s::jsonb",
        before=f"CASE WHEN done.before IS NOT NULL THEN jsonb_build_object('key', %(key)s::text, 'value', {_TOLD}) END",
    )  # fmt: skip
    allowed = quick.reached(*_EDIT, joins=_VERSION if of_version else _ASSET, columns=columns, covers=_COVERS)
    return f"""
WITH allowed AS MATERIALIZED ({allowed}), asset AS MATERIALIZED (
    SELECT allowed.* FROM allowed JOIN registry_asset a ON a.id = allowed.asset_id WHERE a.deleted_at IS NULL FOR NO KEY UPDATE OF a
), {there}, old AS MATERIALIZED (
    SELECT g.id, g.value FROM there JOIN {table} g ON g.{owner} = there.{owner} WHERE g.key = %(key)s::text FOR NO KEY UPDATE OF g
), changed AS (
    UPDATE {table} g SET value = %(value)s::text FROM old WHERE g.id = old.id AND old.value <> %(value)s::text
    RETURNING old.value AS before
), made AS (
    INSERT INTO {table} ({owner}, key, value) SELECT there.{owner}, %(key)s::text, %(value)s::text FROM there
    WHERE NOT EXISTS (SELECT FROM old) AND (SELECT count(*) FROM {table} g WHERE g.{owner} = there.{owner}) < {MAX_TAGS}
    ON CONFLICT DO NOTHING RETURNING NULL::text AS before
), done AS MATERIALIZED (
    SELECT there.*, w.before FROM there JOIN (SELECT before FROM changed UNION ALL SELECT before FROM made) w ON true
), touched AS (
    UPDATE registry_asset SET updated_at = now(), updated_by_id = done.user_id FROM done WHERE registry_asset.id = done.asset_id
), {event}
SELECT asset_id, true FROM done
UNION ALL SELECT there.asset_id, false FROM there JOIN old ON old.value = %(value)s::text
"""  # noqa: S608  names and constants of ours


def set_tag(caller: Caller, *, name: str, number: int | None = None, key: str, value: str) -> tuple[int, bool] | None:
    """Give a tag of the model `name` in the key's team, or of its version `number`, a value that was checked. The model's id and
    whether anything changed; None where the ordinary way has to say what is wrong."""
    values = caller.values | {
        "scopes": quick.scopes_for(*_EDIT), "kind": Asset.Kind.MODEL.value, "name": name, "key": key, "value": value,
        "after": json.dumps({"key": key, "value": told(value)}),
    }  # fmt: skip
    if number is not None:
        values["number"] = number
    row = quick.fetch(_tagging(number is not None), values)
    return (row[0], row[1]) if row else None


@cache
def _moving() -> str:
    broken = ", ".join(f"'{state.value}'" for state in (BlobCheck.State.DAMAGED, BlobCheck.State.MISSING))
    about = {
        "target_kind": "'alias'", "target_id": "{0}.alias_id::text", "target_digest": "{0}.digest",
        "subjects": """array_remove(ARRAY['alias:' || {0}.alias_id, %(kind)s::text || ':' || {0}.asset_id,
            'version:' || {0}.before_id, 'version:' || {0}.version_id], NULL)""",
        "target_label": "left({0}.team || '/' || {0}.name || '@' || %(alias)s::text, 300)",
        "before": """CASE WHEN {0}.before_id IS NOT NULL
            THEN jsonb_build_object('version', {0}.before_number, 'digest', {0}.before_digest) END""",
        "after": "jsonb_build_object('version', {0}.number, 'digest', {0}.digest)",
    }  # fmt: skip
    allowed = quick.reached(
        *_MOVE, covers=_COVERS, joins=f"""{_VERSION}
LEFT JOIN registry_alias l ON l.asset_id = a.id AND l.name = %(alias)s::text
LEFT JOIN registry_version b ON b.id = l.version_id""",
        columns="""a.id AS asset_id, a.name, a.xmin AS seen, v.id AS version_id, v.number, v.digest,
    b.id AS before_id, b.number AS before_number, b.digest AS before_digest""",
        more=f"""AND a.archived_at IS NULL AND v.archived_at IS NULL AND v.state = '{Version.State.REGISTERED.value}'
  AND NOT EXISTS (SELECT FROM registry_branch o WHERE o.asset_id = a.id AND o.name = %(alias)s::text)
  AND NOT EXISTS (SELECT FROM registry_file f JOIN registry_blobcheck c ON c.blob_id = f.blob_id
                  WHERE f.version_id = v.id AND c.state IN ({broken}))""",  # noqa: S608
    )  # fmt: skip
    event = _event("done", about, action=f"'{Action.ALIAS_MOVED.value}'")
    # Whatever changes an asset's aliases, branches or versions writes its row as well: where that was written while this
    # waited for it, what was seen is of no use.
    return f"""
WITH allowed AS MATERIALIZED ({allowed}), there AS MATERIALIZED (
    SELECT allowed.* FROM allowed JOIN registry_asset a ON a.id = allowed.asset_id WHERE a.xmin = allowed.seen FOR NO KEY UPDATE OF a
), pointed AS (
    INSERT INTO registry_alias (asset_id, name, version_id, updated_at, updated_by_id)
    SELECT asset_id, %(alias)s::text, version_id, now(), user_id FROM there WHERE before_id IS DISTINCT FROM version_id
    ON CONFLICT (asset_id, name) DO UPDATE
        SET version_id = EXCLUDED.version_id, updated_at = EXCLUDED.updated_at, updated_by_id = EXCLUDED.updated_by_id
    RETURNING id AS alias_id
), done AS MATERIALIZED (SELECT there.*, pointed.alias_id FROM there JOIN pointed ON true), moved AS (
    INSERT INTO registry_aliasmove (asset_id, name, before_id, after_id, reason, moved_at, moved_by_id)
    SELECT asset_id, %(alias)s::text, before_id, version_id, '', now(), user_id FROM done
), touched AS (
    UPDATE registry_asset SET updated_at = now(), updated_by_id = done.user_id FROM done WHERE registry_asset.id = done.asset_id
), {event}
SELECT 1 FROM there
"""  # noqa: S608  names and constants of ours


def move_alias(caller: Caller, *, name: str, number: int, alias: str) -> bool:
    """Let an alias that is of no stage (so that no policy protects it), and was checked, point at a version of the model `name`
    in the key's team. False where the ordinary way has to say what is wrong."""
    values = caller.values | {
        "scopes": quick.scopes_for(*_MOVE), "kind": Asset.Kind.MODEL.value, "name": name, "number": number, "alias": alias,
    }  # fmt: skip
    return quick.fetch(_moving(), values) is not None
