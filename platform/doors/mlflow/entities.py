"""Registered models and model versions as MLflow writes them, each page of them read by one statement."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from accounts import quick
from registry.models import Asset, Version

STAGES = {"none": "None", "staging": "Staging", "production": "Production", "archived": "Archived"}
IS_PROMPT = "mlflow.prompt.is_prompt"


def _ms(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000)::bigint"


# Of a version v and its model a.
VERSION = f"""
    a.name, v.number, {_ms("v.created_at")}, {_ms("v.updated_at")}, v.description, v.message, v.state, v.source,
    (v.facts #> '{{mlflow}}')::text, v.archived_at IS NOT NULL,
    (SELECT json_agg(json_build_array(t.key, t.value) ORDER BY t.key)::text FROM registry_versiontag t WHERE t.version_id = v.id),
    (SELECT json_agg(json_build_array(l.name, {_ms("l.updated_at")}) ORDER BY l.name)::text
     FROM registry_alias l WHERE l.version_id = v.id),
    (SELECT r.uuid FROM tracking_run r WHERE r.id = v.source_run_id)"""  # noqa: S608  constants of this file
# What version_json makes of a row, made by PostgreSQL: for pages of rows `v` of PAGE_COLUMNS in a CTE `page`, and a row `asked` with
# the team's name. Tests hold the two against each other.
PAGE_COLUMNS = """a.name, v.id, v.number, v.created_at, v.updated_at, v.description, v.message, v.state, v.source,
    v.facts -> 'mlflow' AS told, v.archived_at, v.source_run_id"""
PAGE_JSON = f"""JSON_OBJECT(
    'name': v.name, 'version': v.number::text, 'creation_timestamp': {_ms("v.created_at")},
    'last_updated_timestamp': greatest({_ms("v.updated_at")}, {_ms("aliases.moved_at")}),
    'current_stage': CASE WHEN 'production' = ANY(aliases.names) THEN 'Production' WHEN 'staging' = ANY(aliases.names) THEN 'Staging'
        WHEN v.archived_at IS NOT NULL THEN 'Archived' ELSE 'None' END,
    'description': coalesce(nullif(v.description, ''), v.message),
    'source': coalesce(nullif(v.source, ''), 'mlflow-artifacts:/models/' || asked.team || '/' || v.name || '/' || v.number),
    'run_id': coalesce(nullif(v.told ->> 'run_id', ''), (SELECT r.uuid FROM tracking_run r WHERE r.id = v.source_run_id), ''),
    'status': CASE v.state WHEN 'registered' THEN 'READY' ELSE 'PENDING_REGISTRATION' END,
    'run_link': coalesce(v.told ->> 'run_link', ''), 'tags': tags.list, 'aliases': to_json(aliases.names),
    'model_id': nullif(v.told ->> 'model_id', '') ABSENT ON NULL RETURNING text)"""  # noqa: S608
# One pass over the tags and one over the aliases of a page: looking for each row's own takes three times as long.
PAGE_JOINS = """
LEFT JOIN (
    SELECT t.version_id, json_agg(JSON_OBJECT('key': t.key, 'value': t.value) ORDER BY t.key) AS list FROM registry_versiontag t
    WHERE t.version_id = ANY(ARRAY(SELECT id FROM page)) GROUP BY t.version_id
) tags ON tags.version_id = v.id
LEFT JOIN (
    SELECT l.version_id, array_agg(l.name ORDER BY l.name) AS names,
        max(l.updated_at) FILTER (WHERE l.name IN ('staging', 'production')) AS moved_at
    FROM registry_alias l WHERE l.version_id = ANY(ARRAY(SELECT id FROM page)) GROUP BY l.version_id
) aliases ON aliases.version_id = v.id"""
MODEL = f"""
    a.id, a.name, {_ms("a.created_at")}, {_ms("a.updated_at")}, a.description,
    (SELECT json_agg(json_build_array(t.key, t.value) ORDER BY t.key)::text FROM registry_assettag t WHERE t.asset_id = a.id),
    (SELECT json_agg(json_build_array(l.name, v.number) ORDER BY l.name)::text
     FROM registry_alias l JOIN registry_version v ON v.id = l.version_id WHERE l.asset_id = a.id)"""  # noqa: S608
_IN_STAGE = "SELECT 1 FROM registry_alias s WHERE s.version_id = o.id AND s.name IN ('staging', 'production')"
# The newest version of each stage, found from the end: as quick for a model of a hundred thousand versions.
_LATEST = f"""
SELECT {VERSION.replace("{", "{{").replace("}", "}}")}, a.id FROM registry_asset a CROSS JOIN LATERAL (
    (SELECT o.id FROM registry_version o WHERE o.asset_id = a.id AND o.deleted_at IS NULL AND o.archived_at IS NULL
        AND NOT EXISTS ({_IN_STAGE}) ORDER BY o.number DESC LIMIT 1)
    UNION ALL
    (SELECT o.id FROM registry_version o WHERE o.asset_id = a.id AND o.deleted_at IS NULL AND o.archived_at IS NOT NULL
        AND NOT EXISTS ({_IN_STAGE}) ORDER BY o.number DESC LIMIT 1)
    UNION
    SELECT l.version_id FROM registry_alias l WHERE l.asset_id = a.id AND l.name IN ('staging', 'production')
) latest JOIN registry_version v ON v.id = latest.id
WHERE {{}} ORDER BY v.number
"""  # noqa: S608  constants of this file
# For a list that stands there as it is PostgreSQL makes a plan each time, which takes longer than to look at one model.
_LATEST_OF_ONE = _LATEST.format("a.id = %(id)s::bigint")
_LATEST_OF_MANY = _LATEST.format("a.id IN (SELECT unnest(%(ids)s::bigint[]))")


def fetch(statement: str, values: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def native_source(team: str, name: str, number: int) -> str:
    """Where the files of a version of ours are: an address of the artifacts' door."""
    return f"mlflow-artifacts:/models/{team}/{name}/{number}"


def pairs(text: str | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in json.loads(text)] if text else []


def version_json(row: Sequence[Any], team: str) -> dict[str, Any]:
    """A row of VERSION as MLflow's ModelVersion. Empty lists are left out, as protobuf's JSON has it."""
    name, number, created, updated, description, message, state, source, mlflow, archived, tags, aliases, run = row[:13]
    extra: dict[str, str] = json.loads(mlflow) if mlflow else {}
    # An alias of a stage's name is that stage, so that its move changes the version as MLflow sees it.
    moved: dict[str, int] = dict(json.loads(aliases)) if aliases else {}
    body: dict[str, Any] = {
        "name": name,
        "version": str(number),
        "creation_timestamp": created,
        "last_updated_timestamp": max(updated, *(moved.get(stage, 0) for stage in ("staging", "production"))),
        "current_stage": stage_of(moved, archived),
        "description": description or message,
        "source": source or native_source(team, name, number),
        "run_id": extra.get("run_id") or run or "",
        "status": "READY" if state == "registered" else "PENDING_REGISTRATION",
        "run_link": extra.get("run_link", ""),
    }
    if tags:
        body["tags"] = pairs(tags)
    if moved:
        body["aliases"] = list(moved)
    if extra.get("model_id"):
        body["model_id"] = extra["model_id"]
    return body


def stage_of(aliases: Iterable[str], archived: bool) -> str:
    """Where MLflow's stages are ours: aliases of their names."""
    names = set(aliases)
    for name in ("production", "staging"):
        if name in names:
            return STAGES[name]
    return "Archived" if archived else "None"


def latest_of(assets: Sequence[int], team: str) -> dict[int, list[dict[str, Any]]]:
    """The newest version of each stage, by model."""
    found: dict[int, list[dict[str, Any]]] = {pk: [] for pk in assets}
    one = len(assets) == 1
    values = {"id": assets[0]} if one else {"ids": list(assets)}
    for row in quick.fetch_all(_LATEST_OF_ONE if one else _LATEST_OF_MANY, values) if assets else ():
        found[row[-1]].append(version_json(row, team))
    return found


def models_json(rows: Sequence[Sequence[Any]], team: str) -> list[dict[str, Any]]:
    """Rows of MODEL as MLflow's RegisteredModels, with their latest versions: one query more for all of them."""
    latest = latest_of([row[0] for row in rows], team)
    return [_model_json(row, latest[row[0]]) for row in rows]


def _model_json(row: Sequence[Any], latest: list[dict[str, Any]]) -> dict[str, Any]:
    _, name, created, updated, description, tags, aliases = row
    body: dict[str, Any] = {"name": name, "creation_timestamp": created, "last_updated_timestamp": updated}
    if description:
        body["description"] = description
    if latest:
        body["latest_versions"] = latest
    if tags:
        body["tags"] = pairs(tags)
    if aliases:
        body["aliases"] = [{"alias": alias, "version": str(number)} for alias, number in json.loads(aliases)]
    return body


def model_json(asset: Asset) -> dict[str, Any]:
    rows = fetch(f"SELECT {MODEL} FROM registry_asset a WHERE a.id = %s", [asset.pk])  # noqa: S608
    return models_json(rows, asset.team.name)[0]


def version_of(version: Version) -> dict[str, Any]:
    statement = f"SELECT {VERSION} FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id WHERE v.id = %s"  # noqa: S608
    return version_json(fetch(statement, [version.pk])[0], version.asset.team.name)
