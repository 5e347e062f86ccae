"""Searches that ask for prompts: MLflow's client says so by `tag.mlflow.prompt.is_prompt = 'true'`."""

from collections.abc import Sequence
from typing import Any

from accounts.access import team_ids
from accounts.grant_sql import GRANTS, covers, gives
from accounts.roles import ROLE_PERMISSIONS, Permission, Role
from doors.mlflow import search
from doors.mlflow.base import Answer, Call
from doors.mlflow.entities import fetch
from doors.mlflow.prompt_entities import prompts_json, versions_json
from prompts.exchange.mlflow import IS_PROMPT, TEXT, TYPE
from prompts.models import Prompt, PromptVersion

MOST_VERSIONS = 1_000  # on a page: each comes with its whole text
PROMPTS = search.Grammar(
    columns={"name": "a.name"},
    numbers=frozenset(),
    lists=frozenset({"name"}),
    orders={
        "name": "a.name", "creation_timestamp": "a.created_at", "last_updated_timestamp": "a.updated_at",
        "timestamp": "a.updated_at",
    },
    tags="prompts_prompttag",
    owner="prompt_id",
    id="a.id",
)  # fmt: skip
VERSIONS = search.Grammar(
    columns={"name": "a.name", "version_number": "v.number"},
    numbers=frozenset({"version_number"}),
    lists=frozenset({"name"}),
    orders={
        "name": "a.name", "version_number": "v.number", "creation_timestamp": "v.created_at",
        "last_updated_timestamp": "v.created_at", "timestamp": "v.created_at",
    },
    tags="prompts_promptversiontag",
    owner="version_id",
    id="v.id",
)  # fmt: skip
_COMPUTED = {TYPE: "v.type", TEXT: "(v.template #>> '{}')"}


def wants_prompts(clauses: Sequence[search.Clause]) -> bool:
    return any(c.kind == "tag" and c.key == IS_PROMPT and c.sign == "=" and c.value == "true" for c in clauses)


def search_prompts(call: Call, most: int) -> Answer:
    text, orders = call.text("filter"), call.texts("order_by")
    where = search.Where()
    _scope(call, where)
    search.narrow(where, _others(search.parse(text, PROMPTS)), PROMPTS)
    by = search.order(orders, PROMPTS, [("a.name", True)])
    rows, token = _page(call, "prompts_prompt a", "a.id", where, by, most, f"prompts {text} {orders}")
    found = Prompt.objects.in_bulk(rows)
    body: dict[str, Any] = {"registered_models": prompts_json([found[pk] for pk in rows])} if rows else {}
    return {**body, "next_page_token": token} if token else body


def search_versions(call: Call, most: int) -> Answer:
    text, orders = call.text("filter"), call.texts("order_by")
    where = search.Where()
    _scope(call, where)
    where.add("v.deleted_at IS NULL")
    clauses = _others(search.parse(text, VERSIONS))
    for clause in clauses:
        if clause.kind == "tag" and clause.key in _COMPUTED:
            sign = search.like_safe(clause)
            where.add(f"{_COMPUTED[clause.key]} {sign} {where.value(clause.value)}")
    search.narrow(where, [c for c in clauses if c.kind != "tag" or c.key not in _COMPUTED], VERSIONS)
    by = search.order(orders or ["last_updated_timestamp DESC"], VERSIONS, [("a.name", True), ("v.number", False)])
    tables = "prompts_promptversion v JOIN prompts_prompt a ON a.id = v.prompt_id"
    rows, token = _page(call, tables, "v.id", where, by, min(most, MOST_VERSIONS), f"prompt versions {text} {orders}")
    found = PromptVersion.objects.select_related("prompt__team", "created_by").in_bulk(rows)
    body: dict[str, Any] = {"model_versions": versions_json([found[pk] for pk in rows], call.by)} if rows else {}
    return {**body, "next_page_token": token} if token else body


def _others(clauses: Sequence[search.Clause]) -> list[search.Clause]:
    """What is asked besides that these are prompts."""
    return [c for c in clauses if not (c.kind == "tag" and c.key == IS_PROMPT and wants_prompts([c]))]


def _page(
    call: Call, tables: str, key: str, where: search.Where, by: search.Order, most: int, of: str
) -> tuple[list[int], str]:
    """The ids of a page, and the token of the next one."""
    if token := call.text("page_token"):
        by.after(where, search.read_token(token, len(by.columns), of))
    rows = fetch(
        f"SELECT {key}, {by.keys} FROM {tables} WHERE {' AND '.join(where.conditions)} ORDER BY {by.sql} LIMIT {most + 1}",  # noqa: S608
        where.values,
    )
    more = search.write_token(rows[most - 1][1:], of) if len(rows) > most else ""
    return [row[0] for row in rows[:most]], more


def _scope(call: Call, where: search.Where) -> None:
    """The prompts a of the team that the key sees. Whoever sees the whole team's pays nothing for each."""
    where.add(f"a.team_id = {where.value(call.team.pk)} AND a.deleted_at IS NULL")
    by, permission = call.by, Permission.ASSET_VIEW
    if not by.in_scope(permission):
        where.add("false")
    elif not (by.administers_site_over(call.team.pk) and permission in ROLE_PERMISSIONS[Role.ADMIN]) and (
        call.team.pk not in team_ids(by, permission)
    ):
        covering = covers(app="prompts", model="prompt", kind="'prompt'", row="a")
        granted = f"g.user_id = {where.value(by.id)} AND g.team_id = a.team_id AND {gives(permission)} AND {covering}"
        where.add(f"EXISTS (SELECT 1 FROM {GRANTS} WHERE {granted})")  # noqa: S608  names of ours
