"""The quick door: a model, a version by alias or number, where its bytes are, and searches of both, answered by one SQL statement (key,
permission and rows together) before any other layer.

It answers only when everything is in order and there is something to show. Whatever else there is to say is left to the ordinary
views, so that errors are worded in one place.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse

from accounts import keys, quick
from accounts.grant_sql import GRANTS, covers, gives
from accounts.middleware import address_of
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission
from doors.mlflow import prompt_search, search
from doors.mlflow.base import MlflowError, send, send_bytes
from doors.mlflow.entities import (
    IS_PROMPT,
    MODEL,
    PAGE_COLUMNS,
    PAGE_JOINS,
    PAGE_JSON,
    VERSION,
    models_json,
    native_source,
    version_json,
)

API = "/api/2.0/mlflow/"
_SCOPES = [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if Permission.ASSET_VIEW in allowed]
# As in registry.hot: a key whose last use or first address is still to be written goes the ordinary way.
_KEY = """
SELECT k.secret_sha256, k.networks, t.name, {columns}
FROM accounts_apikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_team t ON t.id = k.team_id
{joins}
WHERE k.key_id = %(key_id)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])
  AND k.last_used_at > now() - interval '1 minute'
  AND (%(address)s = '' OR EXISTS (
      SELECT 1 FROM accounts_keyaddress n WHERE n.key_id = k.id AND n.address = %(address)s AND NOT n.refused))
  AND (u.is_superuser OR EXISTS (SELECT 1 FROM {grants} WHERE g.user_id = u.id AND g.team_id = t.id AND {gives} AND {covers}))
  {more}
"""
_ASSET = "JOIN registry_asset a ON a.team_id = t.id AND a.kind = 'model' AND a.deleted_at IS NULL"
_ONE = {
    "columns": VERSION,
    "grants": GRANTS,
    "gives": gives(Permission.ASSET_VIEW),
    "covers": covers(app="registry", model="asset", kind="a.kind", row="a"),
    "more": "",
}
_NAMED = f"{_ASSET} AND a.name = %(name)s\nJOIN registry_version v ON v.deleted_at IS NULL AND "
_BY_NUMBER = _KEY.format(**_ONE, joins=f"{_NAMED} v.asset_id = a.id AND v.number = %(number)s")
_BY_ALIAS = _KEY.format(
    **_ONE,
    joins=_NAMED.replace("JOIN registry_version", "JOIN registry_alias al ON al.asset_id = a.id AND al.name = %(alias)s\n"
                         "JOIN registry_version") + " v.id = al.version_id",
)  # fmt: skip
_ADDRESS = _KEY.format(
    **{**_ONE, "columns": """a.name, v.number, v.source, v.facts #>> '{mlflow,storage}',
    EXISTS (SELECT FROM registry_file f WHERE f.version_id = v.id)"""},
    joins=f"{_NAMED} v.asset_id = a.id AND v.number = %(number)s",
)  # fmt: skip
_MODEL = _KEY.format(**{**_ONE, "columns": MODEL}, joins=f"{_ASSET} AND a.name = %(name)s")
# A search shows all of a team's models to whoever holds the permission on the team; others go the ordinary way.
_WHOLE = _KEY.format(**{**_ONE, "covers": quick.WHOLE_TEAM, "joins": "", "columns": "t.id"})
_OF_TEAM = "a.team_id = asked.team_id AND a.kind = 'model' AND a.deleted_at IS NULL"
_SEARCH = f"""
WITH asked(secret, networks, team, team_id) AS MATERIALIZED ({_WHOLE}), {{hits}} page AS MATERIALIZED (
    SELECT {PAGE_COLUMNS}, row_number() OVER (ORDER BY {{order}}) AS place, CASE row_number() OVER (ORDER BY {{order}}) WHEN {{last}} THEN ARRAY[{{keys}}] END AS keys
    FROM asked {{among}} WHERE v.deleted_at IS NULL {{conditions}} ORDER BY {{order}} LIMIT {{most}}
)
SELECT asked.secret, asked.networks, asked.team, {PAGE_JSON}, v.place, v.keys, {{many}}
FROM asked LEFT JOIN page v ON true {PAGE_JOINS} ORDER BY v.place
"""  # noqa: S608  SQL of ours
_MODEL_WIDTH = 7  # columns of MODEL
_MODELS = f"""
WITH asked(secret, networks, team, team_id) AS MATERIALIZED ({_WHOLE})
SELECT asked.secret, asked.networks, asked.team, {MODEL}, {{keys}}
FROM asked JOIN registry_asset a ON {_OF_TEAM} {{conditions}} ORDER BY {{order}} LIMIT {{most}}
"""  # noqa: S608
_AMONG_ALL = {
    "{hits}": "",
    "{among}": f"JOIN registry_asset a ON {_OF_TEAM} JOIN registry_version v ON v.asset_id = a.id",
    "{many}": "false",
}
# A search by tags alone: the versions that have the first one are found at once, if they are few. What it is stands in subqueries, so
# that the plan is the same for each tag and is made once: PostgreSQL would make one for each search, which takes longer than the search.
FEW = 1_000
_AMONG_FEW = {
    "{hits}": f"""hits AS MATERIALIZED (
    SELECT t.version_id FROM registry_versiontag t WHERE t.key = (SELECT %(tag)s::text)
        AND left(t.value, {search.INDEXED}) = (SELECT %(beginning)s::text) AND t.value = (SELECT %(tagged)s::text) LIMIT %(few)s::bigint + 1
), counted AS MATERIALIZED (SELECT count(*) > %(few)s::bigint AS many FROM hits),""",  # noqa: S608
    "{among}": f"""CROSS JOIN hits JOIN registry_version v ON v.id = hits.version_id AND NOT (SELECT many FROM counted)
    JOIN registry_asset a ON a.id = v.asset_id AND {_OF_TEAM}""",  # noqa: S608
    "{many}": "(SELECT many FROM counted)",
}
# Where many have it, the first that do are soon come by in the order that is asked for. OFFSET 0: look for one model at a time.
_AMONG_MANY = {
    "{hits}": "",
    "{among}": f"""JOIN registry_version v ON (SELECT t.value FROM registry_versiontag t
        WHERE t.version_id = v.id AND t.key = (SELECT %(tag)s::text)) = (SELECT %(tagged)s::text)
    CROSS JOIN LATERAL (SELECT a.name FROM registry_asset a WHERE a.id = v.asset_id AND {_OF_TEAM} OFFSET 0) a""",  # noqa: S608
    "{many}": "false",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the database. most: rows of a page (0: one row is asked for); token_of: what its token is of; many: the
    statement in place of this one where that says so; of_models: a search of models."""

    statement: str
    values: dict[str, Any]
    most: int = 0
    token_of: str = ""
    many: str = ""
    of_models: bool = False


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to the reads named above with a key of one team that may; None for everything else."""
    if request.method != "GET":
        return None
    ask = _QUESTIONS.get(request.path_info)
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if ask is None or not header or "HTTP_X_MLFLOW_WORKSPACE" in request.META:
        return None
    key = keys.split_key(keys.from_header(header) or "")
    if key is None:
        return None
    given = parse_qs(request.META.get("QUERY_STRING", ""), max_num_fields=100)
    address = address_of(request)
    try:
        question = ask(given)
    except (_NotHot, MlflowError, ValueError):
        return None
    values = {**question.values, "key_id": key[0], "scopes": _SCOPES, "address": address}
    rows = quick.fetch_all(question.statement, values)
    if (
        not rows
        or not hmac.compare_digest(bytes(rows[0][0]), keys.hash_secret(key[1]))
        or not allows(rows[0][1], address)
    ):
        return None
    team = rows[0][2]
    if question.statement is _MODEL:
        return send({"registered_model": models_json([rows[0][3:]], team)[0]})
    if question.of_models:
        return _page_of_models(rows, question, team)
    if question.statement is _ADDRESS:
        return send({"artifact_uri": _address(*rows[0][2:])})
    if not question.most:
        return send({"model_version": version_json(rows[0][3:], team)})
    if rows[0][6]:
        rows = quick.fetch_all(question.many, values)
    return _page(rows, question)


def _page_of_models(rows: list[tuple[Any, ...]], question: Question, team: str) -> HttpResponse:
    width = 3 + _MODEL_WIDTH
    body: dict[str, Any] = {"registered_models": models_json([row[3:width] for row in rows[: question.most]], team)}
    if len(rows) > question.most:
        body["next_page_token"] = search.write_token(rows[question.most - 1][width:], question.token_of)
    return send(body)


def _address(team: str, name: str, number: int, source: str, storage: str | None, has_files: bool) -> str:
    return native_source(team, name, number) if has_files or not source else storage or source


def _page(rows: list[tuple[Any, ...]], question: Question) -> HttpResponse | None:
    """Of rows that end with the JSON of a version, its place, on the page's last what comes after it, and whether many are there."""
    if not rows or rows[0][4] is None:
        return None  # nothing is found
    body = f'{{"model_versions":[{",".join(row[3] for row in rows[: question.most])}]'
    if len(rows) > question.most:
        body += f',"next_page_token":"{search.write_token(rows[question.most - 1][5], question.token_of)}"'
    return send_bytes((body + "}").encode())


class _NotHot(Exception):
    """Something that the ordinary view sees to."""


def _one(given: Mapping[str, list[str]], name: str) -> str:
    values = given.get(name)
    if not values or "\0" in values[-1]:
        raise _NotHot
    return values[-1]


def _by_name(given: Mapping[str, list[str]]) -> Question:
    return Question(_MODEL, {"name": _one(given, "name")})


def _by_number(given: Mapping[str, list[str]]) -> Question:
    return Question(_BY_NUMBER, _numbered(given))


def _address_of(given: Mapping[str, list[str]]) -> Question:
    return Question(_ADDRESS, _numbered(given))


def _numbered(given: Mapping[str, list[str]]) -> dict[str, Any]:
    number = _one(given, "version")
    if not number.isdecimal() or len(number) > 9:
        raise _NotHot
    return {"name": _one(given, "name"), "number": int(number)}


def _by_alias(given: Mapping[str, list[str]]) -> Question:
    return Question(_BY_ALIAS, {"name": _one(given, "name"), "alias": _one(given, "alias").lower()})


def _search(given: Mapping[str, list[str]]) -> Question:
    text, orders = given.get("filter", [""])[-1], given.get("order_by", [])
    if "\0" in text or "\0" in "".join(orders):
        raise _NotHot
    most = search.limit(int(given.get("max_results", ["10000"])[-1]), 200_000)
    where, clauses = search.Where(), search.parse(text, search.VERSIONS)
    tagged = all(one.kind == "tag" and one.sign == "=" and one.key != IS_PROMPT for one in clauses)
    tag = clauses[0] if clauses and tagged else None
    search.narrow(where, clauses[1:] if tag else clauses, search.VERSIONS)
    by = search.version_order(orders)
    of = search.versions_asked(text, orders)
    if token := given.get("page_token", [""])[-1]:
        by.after(where, search.read_token(token, len(by.columns), of))

    def among(parts: Mapping[str, str]) -> str:
        statement = _SEARCH
        for name, sql in (
            *parts.items(),
            ("{order}", by.sql),
            ("{keys}", by.keys),
            ("{last}", str(most)),
            ("{most}", str(most + 1)),
        ):
            statement = statement.replace(name, sql)
        conditions = "".join(f"AND {condition}\n" for condition in where.conditions)
        return statement.replace("{conditions}", conditions.replace("%(team)s", "asked.team"))

    if tag is None:
        return Question(among(_AMONG_ALL), where.values, most, of)
    value = str(tag.value)
    values = where.values | {"tag": tag.key, "beginning": value[: search.INDEXED], "tagged": value, "few": FEW}
    return Question(among(_AMONG_FEW), values, most, of, many=among(_AMONG_MANY))


def _search_models(given: Mapping[str, list[str]]) -> Question:
    text, orders = given.get("filter", [""])[-1], given.get("order_by", [])
    if "\0" in text or "\0" in "".join(orders):
        raise _NotHot
    most = search.limit(int(given.get("max_results", ["100"])[-1]), 1_000)
    clauses = search.parse(text, search.MODELS)
    if prompt_search.wants_prompts(clauses):
        raise _NotHot
    where = search.Where()
    search.narrow(where, clauses, search.MODELS)
    by = search.models_order(orders)
    of = search.models_asked(text, orders)
    if token := given.get("page_token", [""])[-1]:
        by.after(where, search.read_token(token, len(by.columns), of))
    statement = (
        _MODELS.replace("{order}", by.sql).replace("{keys}", by.keys).replace("{most}", str(most + 1))
        .replace("{conditions}", "".join(f"AND {condition}\n" for condition in where.conditions))
    )  # fmt: skip
    return Question(statement, where.values, most, of, of_models=True)


_QUESTIONS = {
    f"{API}registered-models/search": _search_models,
    f"{API}registered-models/get": _by_name,
    f"{API}registered-models/alias": _by_alias,
    f"{API}model-versions/get": _by_number,
    f"{API}model-versions/get-download-uri": _address_of,
    f"{API}model-versions/search": _search,
}
