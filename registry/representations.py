"""Versions and aliases as JSON: the same bytes whether the quick door (registry.hot) or the REST views answer."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from registry.actions.lifecycle import purge_day
from registry.models import Alias, AliasMove, Asset, File, Version
from registry.reads import AliasAt


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def asset_json(asset: Asset) -> dict[str, Any]:
    """An asset of `reads.visible_assets` (with its annotations), or one just made."""
    aliases = getattr(asset, "_prefetched_objects_cache", {}).get("aliases", ())
    return {
        "team": asset.team.name,
        "name": asset.name,
        "kind": asset.kind,
        "description": asset.description,
        "task": asset.task or None,
        "restricted": asset.restricted,
        "gated": asset.gated,
        "visibility": asset.visibility,
        "tags": tags_of(asset),
        "archived_at": moment(asset.archived_at),
        "latest_version": getattr(asset, "latest_number", None),
        "aliases": {alias.name: alias.version.number for alias in aliases},
        "created_at": moment(asset.created_at),
        "updated_at": moment(asset.updated_at),
        "updated_by": asset.updated_by.email,
    }


def tags_of(thing: Asset | Version) -> dict[str, str]:
    """Its tags by key. Lists prefetch them."""
    tags: list[Any] = list(thing.tags.all())
    return {tag.key: tag.value for tag in sorted(tags, key=lambda tag: str(tag.key))}


def deleted_json(thing: Asset | Version) -> dict[str, Any]:
    """A line of the bin."""
    return {
        "id": thing.pk,
        "kind": thing.kind if isinstance(thing, Asset) else "version",
        "label": str(thing),
        "deleted_at": moment(thing.deleted_at),
        "purged_from": purge_day(thing.deleted_at),
    }


def alias_at_json(asset: Asset, name: str, at: datetime, found: AliasAt) -> dict[str, Any]:
    """What an alias pointed at in a moment; before its first move all but `until` is null."""
    move, version = found.move, found.version
    if version is not None:
        version.asset = asset
    return {
        "alias": name,
        "at": moment(at),
        "number": version.number if version else None,
        "digest": version.digest if version else None,
        "moved_at": moment(move.moved_at) if move else None,
        "moved_by": move.moved_by.email if move else None,
        "request": move.request_id if move else None,
        "reason": move.reason if move else "",
        "until": moment(found.following.moved_at) if found.following else None,
    }


def version_json(version: Version) -> dict[str, Any]:
    return version_fields(
        asset=str(version.asset),
        number=version.number,
        state=version.state,
        digest=version.digest,
        message=version.message,
        size=version.size,
        facts=version.facts,
        source_run=version.source_run_id,
        description=version.description,
        branch=version.branch,
        commit=version.commit,
        tags=tags_of(version),
        archived_at=version.archived_at,
        created_at=version.created_at,
        created_by=version.created_by.email,
        registered_at=version.registered_at,
        registered_by=version.registered_by.email if version.registered_by else None,
    )


def version_fields(
    *,
    asset: str,
    number: int,
    state: str,
    digest: str,
    message: str,
    size: int,
    facts: dict[str, Any],
    source_run: int | None,
    description: str,
    branch: str,
    commit: str,
    tags: dict[str, str],
    archived_at: datetime | None,
    created_at: datetime,
    created_by: str,
    registered_at: datetime | None,
    registered_by: str | None,
) -> dict[str, Any]:
    return {
        "asset": asset,
        "number": number,
        "state": state,
        "digest": digest or None,
        "message": message,
        "description": description,
        "tags": tags,
        "branch": branch,
        "commit": commit or None,
        "archived_at": moment(archived_at),
        "size": size,
        "facts": facts,
        "source_run": source_run,
        "created_at": moment(created_at),
        "created_by": created_by,
        "registered_at": moment(registered_at),
        "registered_by": registered_by,
    }


def alias_json(alias: Alias, asset: Asset) -> dict[str, Any]:
    alias.version.asset = asset
    return alias_fields(
        name=alias.name,
        updated_at=alias.updated_at,
        updated_by=alias.updated_by.email,
        version=version_json(alias.version),
    )


def alias_fields(*, name: str, updated_at: datetime, updated_by: str, version: dict[str, Any]) -> dict[str, Any]:
    return {
        "alias": name,
        "number": version["number"],
        "digest": version["digest"],
        "updated_at": moment(updated_at),
        "updated_by": updated_by,
        "version": version,
    }


def move_json(move: AliasMove) -> dict[str, Any]:
    return {
        "alias": move.name,
        "before": move.before.number if move.before else None,
        "after": move.after.number if move.after else None,
        "request": move.request_id,
        "reason": move.reason,
        "moved_at": moment(move.moved_at),
        "moved_by": move.moved_by.email,
    }


def file_json(file: File) -> dict[str, Any]:
    return {"path": file.path, "size": file.blob.size, "sha256": file.blob_id}


def etag_of(body: bytes) -> str:
    """A strong ETag over the very bytes of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
