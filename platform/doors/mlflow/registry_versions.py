"""Model versions, their tags, aliases and stages."""

import re

from django.db import transaction
from django.db.models import Q

from doors.mlflow import prompt_search, prompts, search, sources
from doors.mlflow.base import Answer, Call, MlflowError, endpoint, gone_already, invalid, missing, wrong
from doors.mlflow.entities import VERSION, fetch, native_source, version_json, version_of
from doors.mlflow.prompts import or_prompt
from doors.mlflow.registry_models import find, refuse_prompts, scope, stage_named, tag_of
from doors.protected import asked
from governance.models import ApprovalRequest
from prompts.models import Prompt
from registry import actions
from registry.models import Asset, Version

_ALIAS = re.compile(r"[A-Za-z0-9_-]+")
_STAGE_ALIASES = {"Staging": "staging", "Production": "production"}


@endpoint("POST")
@or_prompt(prompts.create_version)
def create(call: Call) -> Answer:
    tags = call.pairs("tags")
    if prompts.is_meant(tags) and (prompt := prompts.visible(call, call.text("name", required=True))) is not None:
        return prompts.translated(prompts.create_version)(call, prompt)
    asset = find(call)
    source = call.text("source", required=True)
    refuse_prompts(tags)
    found = sources.resolve(call, source)
    version = found.register(asset=asset, description=call.text("description"), tags=tags, by=call.by)
    return {"model_version": version_of(version)}


@endpoint("GET")
@or_prompt(prompts.get_version)
def get(call: Call) -> Answer:
    return {"model_version": version_of(find_version(call))}


@endpoint("PATCH", "POST")
@or_prompt(prompts.update_version)
def update(call: Call) -> Answer:
    version = actions.describe_version(version=find_version(call), description=call.text("description"), by=call.by)
    return {"model_version": version_of(version)}


@endpoint("DELETE", "POST")
@or_prompt(prompts.delete_version)
def delete(call: Call) -> Answer:
    """Into the bin, its aliases taken away; a protected one stays until an approval moves it."""
    version = find_version(call)
    with transaction.atomic():
        for alias in version.aliases.order_by("name"):
            actions.remove_alias(asset=version.asset, name=alias.name, reason=f"{version} was deleted.", by=call.by)
        if version.is_registered:
            actions.delete_version(version=version, by=call.by)
        else:
            actions.discard_version(version=version, by=call.by)
    return {}


@endpoint("POST")
@or_prompt(prompts.set_version_tag)
def set_tag(call: Call) -> Answer:
    key, value = tag_of(call)
    version = find_version(call)
    refuse_prompts({key: value})
    actions.set_tag(version=version, key=key, value=value, by=call.by)
    return {}


@endpoint("DELETE", "POST")
@or_prompt(prompts.delete_version_tag)
def delete_tag(call: Call) -> Answer:
    version, key = find_version(call), call.text("key", required=True)
    if version.tags.filter(key=key).exists():
        with gone_already():
            actions.delete_tag(version=version, key=key, by=call.by)
    return {}


@endpoint("GET")
@or_prompt(None)
def get_download_uri(call: Call) -> Answer:
    version = find_version(call)
    if not version.source or version.files.exists():
        return {"artifact_uri": native_source(version.asset.team.name, version.asset.name, version.number)}
    return {"artifact_uri": sources.storage_of(version)}


@endpoint("POST")
@or_prompt(None)
def transition_stage(call: Call) -> Answer:
    """Stages are aliases of their names: one version holds each of them. Archived is archived."""
    version, stage = find_version(call), stage_named(call.text("stage", required=True))
    archive = call.flag("archive_existing_versions")
    if archive and stage not in _STAGE_ALIASES:
        raise invalid(
            f"Model version transition cannot archive existing model versions because '{stage}' is not an Active stage. "
            "Valid stages are ['Staging', 'Production']"
        )
    with transaction.atomic():
        request = _to_stage(call, version, stage, archive=archive)
    if request is not None:
        raise MlflowError("PERMISSION_DENIED", asked(request))
    return {"model_version": version_of(version)}


def _to_stage(call: Call, version: Version, stage: str, *, archive: bool) -> ApprovalRequest | None:
    asset, alias = version.asset, _STAGE_ALIASES.get(stage, "")
    if stage != "Archived" and version.archived_at is not None:
        version = actions.restore_version(version=version, by=call.by)
    if alias:
        holder = asset.aliases.select_related("version").filter(name=alias).first()
        done = actions.move_or_ask(asset=asset, name=alias, version=version, by=call.by)
        if isinstance(done, ApprovalRequest):
            return done
        if archive and holder is not None and holder.version_id != version.pk:
            holder.version.asset = asset
            actions.archive_version(version=holder.version, by=call.by)
    # A version is in one stage.
    for other in version.aliases.filter(~Q(name=alias), name__in=_STAGE_ALIASES.values()):
        actions.remove_alias(asset=asset, name=other.name, by=call.by)
    if stage == "Archived":
        actions.archive_version(version=version, by=call.by)
    return None


@endpoint("GET")
@or_prompt(prompts.get_by_alias)
def get_by_alias(call: Call) -> Answer:
    asset, alias = find(call), call.text("alias", required=True).lower()
    versions = Version.objects.filter(asset=asset, deleted_at=None)
    if alias == "latest":
        version = versions.filter(state=Version.State.REGISTERED).order_by("-number").first()
    else:
        version = versions.filter(aliases__asset=asset, aliases__name=alias).first()
    if version is None:
        raise invalid(f"Registered model alias {alias} not found.")
    version.asset = asset
    return {"model_version": version_of(version)}


def _set_label(call: Call, prompt: Prompt) -> Answer:
    return prompts.set_alias(call, prompt, alias_name(call.text("alias", required=True)))


@endpoint("POST")
@or_prompt(_set_label)
def set_alias(call: Call) -> Answer:
    alias = alias_name(call.text("alias", required=True))
    version = find_version(call)
    done = actions.move_or_ask(asset=version.asset, name=alias, version=version, by=call.by)
    if isinstance(done, ApprovalRequest):
        raise MlflowError("PERMISSION_DENIED", asked(done))
    return {}


@endpoint("DELETE", "POST")
@or_prompt(prompts.delete_alias)
def delete_alias(call: Call) -> Answer:
    asset, alias = find(call), call.text("alias", required=True).lower()
    if asset.aliases.filter(name=alias).exists():
        with gone_already():
            actions.remove_alias(asset=asset, name=alias, by=call.by)
    return {}


@endpoint("GET", "POST")
def search_versions(call: Call) -> Answer:
    most = search.limit(call.whole("max_results", 10_000), 200_000)
    text, orders = call.text("filter"), call.texts("order_by")
    clauses = search.parse(text, search.VERSIONS)
    if prompt_search.wants_prompts(clauses):
        return prompt_search.search_versions(call, most)
    where = search.Where()
    scope(call, where)
    where.add("v.deleted_at IS NULL")
    search.narrow(where, clauses, search.VERSIONS)
    by = search.version_order(orders)
    of = search.versions_asked(text, orders)
    if token := call.text("page_token"):
        by.after(where, search.read_token(token, len(by.columns), of))
    rows = fetch(
        f"SELECT {VERSION}, {by.keys} FROM registry_version v JOIN registry_asset a ON a.id = v.asset_id "  # noqa: S608
        f"WHERE {' AND '.join(where.conditions)} ORDER BY {by.sql} LIMIT {most + 1}",
        where.values,
    )
    body: dict[str, object] = {}
    if rows:
        body["model_versions"] = [version_json(row, call.team.name) for row in rows[:most]]
    if len(rows) > most:
        body["next_page_token"] = search.write_token(rows[most - 1][-len(by.columns) :], of)
    return body


def find_version(call: Call) -> Version:
    """The version that the call names, of a model that its key sees."""
    asset, text = find(call), call.text("version", required=True)
    if not text.isdecimal():
        raise wrong("version", text, "a whole number")
    number = int(text)
    return version_numbered(asset, number)


def version_numbered(asset: Asset, number: int) -> Version:
    version = Version.objects.filter(asset=asset, number=number, deleted_at=None).first() if number < 2**31 else None
    if version is None:
        raise missing(f"Model Version (name={asset.name}, version={number}) not found")
    version.asset = asset
    return version


def alias_name(text: str) -> str:
    """An alias as it is kept: ours are lower case."""
    if not _ALIAS.fullmatch(text):
        raise invalid(
            f"Invalid alias name: '{text}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if text.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if re.fullmatch(r"[vV]\d+", text):
        raise invalid(f"Version alias name '{text}' is reserved.")
    return text.lower()
