"""Registered models: MLflow's flat names are the models of the key's team."""

from typing import Any

from accounts.access import can, team_ids
from accounts.grant_sql import GRANTS, covers, gives
from accounts.roles import ROLE_PERMISSIONS, Permission, Role
from doors.mlflow import prompt_search, prompts, search
from doors.mlflow.base import Answer, Call, MlflowError, endpoint, gone_already, invalid
from doors.mlflow.entities import IS_PROMPT, MODEL, STAGES, fetch, latest_of, model_json, models_json
from doors.mlflow.prompts import NoModel, or_prompt
from registry import actions
from registry.models import Asset

NO_PROMPTS = "A registered model does not become a prompt by a tag. Register the prompt under a name of its own."


@endpoint("POST")
def create(call: Call) -> Answer:
    name = model_name(call.text("name", required=True))
    tags = call.pairs("tags")
    if prompts.is_meant(tags):
        if _visible(call, name) is not None:
            raise _taken("prompt", name, "registered model")
        return prompts.create(call, name, tags)
    if prompts.visible(call, name) is not None:
        raise _taken("registered model", name, "prompt")
    asset = actions.create_tagged(
        team=call.team, kind=Asset.Kind.MODEL, name=name, description=call.text("description"), tags=tags, by=call.by
    )
    return {"registered_model": model_json(asset)}


@endpoint("GET")
@or_prompt(prompts.get)
def get(call: Call) -> Answer:
    return {"registered_model": model_json(find(call))}


@endpoint("PATCH", "POST")
@or_prompt(prompts.update)
def update(call: Call) -> Answer:
    asset = actions.update_asset(asset=find(call), description=call.text("description"), by=call.by)
    return {"registered_model": model_json(asset)}


@endpoint("POST")
@or_prompt(None)
def rename(call: Call) -> Answer:
    asset = find(call)
    new = model_name(call.text("new_name", required=True))
    asset = actions.rename_asset(asset=asset, name=new, by=call.by)
    return {"registered_model": model_json(asset)}


@endpoint("DELETE", "POST")
@or_prompt(prompts.delete)
def delete(call: Call) -> Answer:
    actions.delete_asset(asset=find(call), by=call.by)
    return {}


@endpoint("POST")
@or_prompt(prompts.set_tag)
def set_tag(call: Call) -> Answer:
    key, value = tag_of(call)
    asset = find(call)
    refuse_prompts({key: value})
    actions.set_tag(asset=asset, key=key, value=value, by=call.by)
    return {}


@endpoint("DELETE", "POST")
@or_prompt(prompts.delete_tag)
def delete_tag(call: Call) -> Answer:
    asset, key = find(call), call.text("key", required=True)
    if asset.tags.filter(key=key).exists():
        with gone_already():
            actions.delete_tag(asset=asset, key=key, by=call.by)
    return {}


@endpoint("GET", "POST")
def search_models(call: Call) -> Answer:
    most = search.limit(call.whole("max_results", 100), 1000)
    text, orders = call.text("filter"), call.texts("order_by")
    clauses = search.parse(text, search.MODELS)
    if prompt_search.wants_prompts(clauses):
        return prompt_search.search_prompts(call, most)
    where = search.Where()
    scope(call, where)
    search.narrow(where, clauses, search.MODELS)
    by = search.models_order(orders)
    of = search.models_asked(text, orders)
    if token := call.text("page_token"):
        by.after(where, search.read_token(token, len(by.columns), of))
    rows = fetch(
        f"SELECT {MODEL}, {by.keys} FROM registry_asset a WHERE {' AND '.join(where.conditions)} ORDER BY {by.sql} LIMIT {most + 1}",  # noqa: S608
        where.values,
    )
    width = len(by.columns)
    body: dict[str, Any] = {}
    if rows:
        body["registered_models"] = models_json([row[:-width] for row in rows[:most]], call.team.name)
    if len(rows) > most:
        body["next_page_token"] = search.write_token(rows[most - 1][-width:], of)
    return body


@endpoint("POST", "GET")
@or_prompt(prompts.get_latest_versions)
def get_latest_versions(call: Call) -> Answer:
    asset = find(call)
    wanted = {stage_named(text) for text in call.texts("stages")}
    found = latest_of([asset.pk], call.team.name)[asset.pk]
    found = [version for version in found if not wanted or version["current_stage"] in wanted]
    return {"model_versions": found} if found else {}


def find(call: Call, name: str = "") -> Asset:
    """The model that the call names, among those that its key sees."""
    name = name or call.text("name", required=True)
    asset = _visible(call, name)
    if asset is None:
        raise NoModel(name)
    return asset


def _visible(call: Call, name: str) -> Asset | None:
    asset = Asset.objects.filter(team=call.team, kind=Asset.Kind.MODEL, name=name, deleted_at=None).first()
    if asset is not None:
        asset.team = call.team
    return asset if asset is not None and can(call.by, Permission.ASSET_VIEW, asset) else None


def _taken(new: str, name: str, there: str) -> MlflowError:
    return MlflowError(
        "RESOURCE_ALREADY_EXISTS",
        f"Tried to create a {new} with name '{name}', but the name is already taken by a {there}. MLflow does not allow creating "
        "a model and a prompt with the same name.",
    )


def scope(call: Call, where: search.Where) -> None:
    """The models a of the team that the key sees. Whoever sees the whole team's pays nothing for each."""
    where.values["team"] = call.team.name
    where.add(f"a.team_id = {where.value(call.team.pk)} AND a.kind = 'model' AND a.deleted_at IS NULL")
    by, permission = call.by, Permission.ASSET_VIEW
    if not by.in_scope(permission):
        where.add("false")
    elif not (by.administers_site_over(call.team.pk) and permission in ROLE_PERMISSIONS[Role.ADMIN]) and (
        call.team.pk not in team_ids(by, permission)
    ):
        covering = covers(app="registry", model="asset", kind="a.kind", row="a")
        granted = f"g.user_id = {where.value(by.id)} AND g.team_id = a.team_id AND {gives(permission)} AND {covering}"
        where.add(f"EXISTS (SELECT 1 FROM {GRANTS} WHERE {granted})")  # noqa: S608  names of ours


def tag_of(call: Call) -> tuple[str, str]:
    key = call.text("key", required=True)
    if not call.has("value"):
        raise invalid("Missing value for required parameter 'value'.")
    return key, call.text("value")


def refuse_prompts(tags: dict[str, str]) -> None:
    if tags.get(IS_PROMPT, "").lower() == "true":
        raise invalid(NO_PROMPTS)


def model_name(name: str) -> str:
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    return name


def stage_named(text: str) -> str:
    """A stage in its own spelling."""
    try:
        return STAGES[text.lower()]
    except KeyError:
        raise invalid(
            f"Invalid Model Version stage: {text}. Value must be one of None, Staging, Production, Archived."
        ) from None
