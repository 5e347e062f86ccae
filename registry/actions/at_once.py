"""What clients of other registries do in one call: a model with its tags, a version made and registered together."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.quick import Caller
from accounts.roles import Permission
from governance.digests import digest_of
from governance.ledger.actions import Action, record
from governance.stages import stage_of
from registry import search
from registry.actions import quickly
from registry.actions.aliases import check_alias
from registry.actions.assets import create_asset
from registry.actions.common import asset_target, lock_asset, person, version_target
from registry.actions.files import MAX_FILES
from registry.actions.lineage import link_versions
from registry.actions.tags import MAX_TAGS, check_tag, told
from registry.actions.versions import MAX_DESCRIPTION, commit_of, create_version, register_version
from registry.models import Asset, AssetTag, Blob, File, Link, Version, VersionTag

MAX_SOURCE = 2_000
_NEXT = """
UPDATE registry_asset SET last_number = last_number + 1, updated_at = now(), updated_by_id = %s
WHERE id = %s AND deleted_at IS NULL AND archived_at IS NULL
RETURNING last_number, nextval(pg_get_serial_sequence('registry_version', 'id'))
"""


@transaction.atomic
def create_tagged(
    *, team: Team, kind: str, name: str, description: str = "", tags: Mapping[str, str], by: Actor
) -> Asset:
    """A new model or dataset that has its tags from the beginning."""
    _check_tags(tags)
    asset = create_asset(team=team, kind=kind, name=name, description=description, by=by)
    if tags:
        AssetTag.objects.bulk_create([AssetTag(asset=asset, key=key, value=value) for key, value in tags.items()])
        record(
            Action.ASSET_TAG_SET,
            by=by,
            team=team.name,
            target=asset_target(asset),
            after={"tags": {key: told(value) for key, value in tags.items()}},
        )
    return asset


@transaction.atomic
def register_elsewhere(
    *,
    asset: Asset,
    source: str,
    description: str = "",
    tags: Mapping[str, str],
    facts: Mapping[str, Any],
    source_run_id: int | None = None,
    origin: Version | None = None,
    by: Actor,
) -> Version:
    """Register a version whose bytes lie elsewhere, at `source`: nothing is read, so its digest is that of the address, and it
    reaches no protected stage. `origin`: the version that it copies."""
    require(by, Permission.ASSET_EDIT, asset)
    description = _described(description, tags)
    _check_source(source)
    user = person(by)
    with connection.cursor() as cursor:
        # The row stays locked until the commit: numbers have no gaps and are in order.
        cursor.execute(_NEXT, [user.pk, asset.pk])
        row = cursor.fetchone()
    if row is None:
        raise Conflict(f"{asset} was archived or deleted meanwhile.", code="archived")
    number, pk = row
    version = _elsewhere(source, description, facts)
    version.pk, version.asset, version.number, version.source_run_id = pk, asset, number, source_run_id
    version.created_by = version.registered_by = user
    version.commit = commit_of(version)
    version.save(force_insert=True)
    _tag(version, tags)
    record(
        Action.VERSION_REGISTERED,
        by=by,
        team=asset.team.name,
        target=version_target(version),
        also=[asset_target(asset)],
        after=_after(version, 0, tags),
    )
    if origin is not None:
        link_versions(version=version, relation=Link.Relation.COPY_OF, origin=origin, by=by)
    return version


def register_elsewhere_by_key(
    *,
    caller: Caller,
    name: str,
    source: str,
    description: str = "",
    tags: Mapping[str, str],
    facts: Mapping[str, Any],
) -> Version | None:
    """The same for a model `name` of a key's team, in one statement: the version, whose asset is not filled in. None where anything
    is not in order: `register_elsewhere` then says what."""
    description = _described(description, tags)
    _check_source(source)
    version = _elsewhere(source, description, facts)
    number = quickly.register(caller, name=name, version=version, after=_after(version, 0, tags), tags=tags)
    if number is None:
        return None
    version.number = number
    return version


def set_tag_by_key(*, caller: Caller, name: str, number: int | None = None, key: str, value: str) -> bool:
    """What `set_tag` does, in one statement, for a model `name` of a key's team or its version `number`; False where that has to say
    what is wrong."""
    check_tag(key, value)
    if number is not None:
        return quickly.set_tag(caller, name=name, number=number, key=key, value=value) is not None
    with transaction.atomic():
        done = quickly.set_tag(caller, name=name, key=key, value=value)
        if done is not None and done[1]:
            search.refresh_by_id(done[0])
    return done is not None


def move_alias_by_key(*, caller: Caller, name: str, number: int, alias: str) -> bool:
    """What `move_alias` does, in one statement, for an alias that is of no stage; False where that has to say what is wrong."""
    check_alias(alias)
    return not stage_of(alias) and quickly.move_alias(caller, name=name, number=number, alias=alias)


@transaction.atomic
def register_held(
    *,
    asset: Asset,
    files: Sequence[tuple[str, str, int]],
    source: str = "",
    description: str = "",
    tags: Mapping[str, str],
    facts: Mapping[str, Any],
    source_run_id: int | None = None,
    origin: Version | None = None,
    by: Actor,
) -> Version:
    """Make and register a version of bytes that the registry holds already, [(path, sha256, who put it in)]: those of a run, a logged
    model or another version, which the caller has seen to be the actor's to use. No byte is copied, and nobody reviews their own
    work because somebody else registered it. `origin`: the version that it copies."""
    description = _described(description, tags)
    if len(files) > MAX_FILES:
        raise Invalid("files", f"A version takes at most {MAX_FILES} files.")
    asset = lock_asset(asset)
    version = create_version(asset=asset, source_run_id=source_run_id, by=by)
    File.objects.bulk_create(
        [File(version=version, path=path, blob_id=sha256, added_by_id=author) for path, sha256, author in files],
        batch_size=1000,
    )
    sizes = dict(Blob.objects.filter(pk__in={sha256 for _, sha256, _ in files}).values_list("pk", "size"))
    version.size = sum(sizes[sha256] for _, sha256, _ in files)
    version.facts, version.source, version.description = dict(facts), source, description
    version.save(update_fields=["facts", "source", "description", "size"])
    _tag(version, tags)
    if tags:
        record(
            Action.VERSION_TAG_SET,
            by=by,
            team=asset.team.name,
            target=version_target(version),
            also=[asset_target(asset)],
            after={"tags": {key: told(value) for key, value in tags.items()}},
        )
    version = register_version(version=version, by=by)
    if origin is not None:
        link_versions(version=version, relation=Link.Relation.COPY_OF, origin=origin, by=by)
    return version


def _check_source(source: str) -> None:
    if not source or len(source) > MAX_SOURCE or "\0" in source:
        raise Invalid("source", f"Use an address of at most {MAX_SOURCE} characters.")


def _elsewhere(source: str, description: str, facts: Mapping[str, Any]) -> Version:
    """The row of a version whose bytes lie elsewhere, but for its asset, number and author."""
    now = timezone.now()
    return Version(
        state=Version.State.REGISTERED, source=source, description=description, digest=digest_of({"files": [], "source": source}),
        created_at=now, updated_at=now, registered_at=now,
        facts={**facts, "servable": False, "not_servable": "Its files lie elsewhere."},
    )  # fmt: skip


def _after(version: Version, files: int, tags: Mapping[str, str]) -> dict[str, Any]:
    after: dict[str, Any] = {
        "state": version.state, "number": version.number, "digest": version.digest, "files": files, "source": version.source,
        "description": told(version.description), "run_id": version.facts.get("mlflow", {}).get("run_id", ""),
    }  # fmt: skip
    return after | ({"tags": {key: told(value) for key, value in tags.items()}} if tags else {})


def _tag(version: Version, tags: Mapping[str, str]) -> None:
    if tags:
        VersionTag.objects.bulk_create(
            [VersionTag(version=version, key=key, value=value) for key, value in tags.items()]
        )


def _described(description: str, tags: Mapping[str, str]) -> str:
    _check_tags(tags)
    description = description.strip()
    if len(description) > MAX_DESCRIPTION or "\0" in description:
        raise Invalid("description", f"Use at most {MAX_DESCRIPTION} characters of text.")
    return description


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise Invalid("tags", f"At most {MAX_TAGS} tags.")
    for key, value in tags.items():
        check_tag(key, value)
