"""The quick door to runs: one by its id, a search, a metric's history, and experiments, each answered by one SQL statement (key, permission, runs and all that they
reported) before any other layer. As for the other quick reads, it answers only when everything is in order."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts import quick
from accounts.access import Actor
from accounts.numbers import whole
from accounts.roles import Permission
from doors.mlflow import tracking_shapes as shapes
from doors.mlflow.base import Call, check_texts, send
from doors.mlflow.hot_writes import ODD, small_json
from tracking import search
from tracking.models import Run

API = "/api/2.0/mlflow/"
_COLUMNS = """r.id, r.uuid, r.name, r.user_name, r.state, r.began_at, r.finished_at, r.deleted_at, e.is_default, r.experiment_id,
    r.parameters::text, r.tags::text"""
_REPORTS = f"""
SELECT p.*,
    (SELECT json_agg(json_build_array(m.key, m.value, m.timestamp, m.step) ORDER BY m.key COLLATE "C")::text
     FROM tracking_latestmetric m WHERE m.run_id = p.id),
    (SELECT json_agg(json_build_array(json_build_object({", ".join(f"'{name}', i.{name}" for name in shapes.DATASET)}), i.tags)
     ORDER BY i.id)::text FROM tracking_runinput i WHERE i.run_id = p.id),
    (SELECT json_agg(json_build_array(l.model_id, o.step, o.is_input) ORDER BY o.id)::text
     FROM tracking_runoutput o JOIN tracking_loggedmodel l ON l.id = o.model_id WHERE o.run_id = p.id)
FROM page p"""  # noqa: S608  constants of ours
_WIDTH = 12  # columns of _COLUMNS
_ASKED = quick.reached(Permission.ASSET_VIEW, joins="", columns="1", covers=quick.WHOLE_TEAM)
_ONE = f"""WITH asked AS MATERIALIZED ({_ASKED}), page AS (
    SELECT {_COLUMNS} FROM asked JOIN tracking_run r ON r.team_id = asked.team_id AND r.uuid = %(uuid)s::text
    JOIN tracking_experiment e ON e.id = r.experiment_id
) {_REPORTS}"""  # noqa: S608
# What was asked for is found first, as Django's ORM writes it: a subquery of ids and the columns of the order.
_MANY = f"""WITH asked AS MATERIALIZED ({_ASKED}), found AS MATERIALIZED ({{found}}), page AS (
    SELECT {_COLUMNS}, {{sorts}}, found.place FROM (SELECT *, row_number() OVER () AS place FROM found) found
    JOIN tracking_run r ON r.id = found.id JOIN tracking_experiment e ON e.id = r.experiment_id
) {_REPORTS} ORDER BY p.place"""  # noqa: S608
_EXPERIMENT = f"""WITH asked AS MATERIALIZED ({_ASKED})
SELECT e.id, e.is_default, e.name, e.deleted_at, e.updated_at, e.created_at, e.tags::text
FROM asked JOIN tracking_experiment e ON e.team_id = asked.team_id AND {{which}}"""  # noqa: S608
_BY_NUMBER = _EXPERIMENT.format(which="e.id = %(number)s::bigint")
_BY_NAME = _EXPERIMENT.format(which="e.name = %(name)s::text")
_DEFAULT = _EXPERIMENT.format(which="e.is_default")
# In the order of the times that the points name. A page that has a next is left to the view.
_HISTORY = f"""WITH asked AS MATERIALIZED ({_ASKED})
SELECT m.key, m.value, m.timestamp, m.step FROM asked JOIN tracking_run r ON r.team_id = asked.team_id AND r.uuid = %(uuid)s::text
LEFT JOIN tracking_metric m ON m.run_id = r.id AND m.key = %(key)s::text
ORDER BY m.timestamp, m.step, m.id LIMIT %(limit)s::bigint + 1"""  # noqa: S608
_OF_TEAM = """tracking_run.team_id = (SELECT team_id FROM asked) AND tracking_run.experiment_id IN (
    SELECT e.id FROM tracking_experiment e WHERE e.team_id = (SELECT team_id FROM asked) AND (e.id = ANY(%s::bigint[]) OR %s::boolean AND e.is_default))"""


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to one of _QUESTIONS with a key of one team that may; None for everything else."""
    if "HTTP_X_MLFLOW_WORKSPACE" in request.META:
        return None
    question = _QUESTIONS.get((request.method or "", request.path_info))
    caller = quick.caller_of(request) if question else None
    if question is None or caller is None:
        return None
    try:
        if request.method == "GET":
            values: dict[str, Any] | None = dict(request.GET.lists())
            check_texts(values)
        else:
            values = small_json(request)
        body = None if values is None else question(Call(request, Actor(None), values), caller)
    except ODD:
        return None
    return None if body is None else send(body)


def _get(call: Call, caller: quick.Caller) -> dict[str, Any] | None:
    row = quick.fetch(_ONE, _values(caller) | {"uuid": call.text("run_id") or call.text("run_uuid")})
    return {"run": _run(row)} if row else None


def _search(call: Call, caller: quick.Caller) -> dict[str, Any] | None:
    asked = call.texts("experiment_ids")
    columns, limit = search.run_columns(call.texts("order_by")), shapes.results(call, 50_000, 1_000)
    deleted = shapes.view_type(call, "run_view_type")
    rows = Run.objects.extra(  # noqa: S610  constants of ours
        where=[_OF_TEAM], params=[[number for one in asked if (number := whole(one))], "0" in asked]
    )
    if deleted is not None:
        rows = rows.filter(deleted_at__isnull=not deleted)
    page = search.ordered(search.narrow(rows, call.text("filter"), search.RUNS), columns, call.text("page_token"))
    sorts = [f"sort{place}" for place in range(len(columns))]
    text, values = page.values("id", *sorts)[: limit + 1].query.sql_with_params()
    named = {f"p{place}": value for place, value in enumerate(values)}
    found = text % tuple(f"%(p{place})s" for place in range(len(values)))
    statement = _MANY.replace("{found}", found).replace("{sorts}", ", ".join(f"found.{name}" for name in sorts))
    got = quick.fetch_all(statement, _values(caller) | named)
    if not got:
        return None  # perhaps nobody may look
    body: dict[str, Any] = {"runs": [_run(row) for row in got[:limit]]}
    if len(got) > limit:
        body["next_page_token"] = search.token_of(got[limit - 1][_WIDTH : _WIDTH + len(sorts)])
    return body


def _experiment(call: Call, caller: quick.Caller) -> dict[str, Any] | None:
    text = call.text("experiment_id", required=True)
    if text == "0":
        return _shown(quick.fetch(_DEFAULT, _values(caller)))
    number = whole(text, below=2**63)
    return None if number is None else _shown(quick.fetch(_BY_NUMBER, _values(caller) | {"number": number}))


def _experiment_by_name(call: Call, caller: quick.Caller) -> dict[str, Any] | None:
    name = call.text("experiment_name", required=True)
    return _shown(quick.fetch(_BY_NAME, _values(caller) | {"name": name[:501]}))


def _shown(row: Sequence[Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    pk, is_default, name, deleted_at, updated_at, created_at, tags = row
    facts: Any = SimpleNamespace(
        pk=pk, is_default=is_default, name=name, deleted_at=deleted_at, updated_at=updated_at, created_at=created_at,
        tags=json.loads(tags),
    )  # fmt: skip
    return {"experiment": shapes.experiment(facts)}


def _history(call: Call, caller: quick.Caller) -> dict[str, Any] | None:
    key, uuid = call.text("metric_key", required=True), call.text("run_id") or call.text("run_uuid")
    limit = shapes.results(call, 100_000, 25_000)
    if call.text("page_token"):
        return None
    rows = quick.fetch_all(_HISTORY, _values(caller) | {"uuid": uuid, "key": key[:251], "limit": limit})
    if not rows or len(rows) > limit:
        return None
    return {"metrics": [shapes.number(*row) for row in rows]} if rows[0][0] is not None else {}


def _values(caller: quick.Caller) -> dict[str, Any]:
    return caller.values | {"scopes": quick.scopes_for(Permission.ASSET_VIEW)}


def _run(row: Sequence[Any]) -> dict[str, Any]:
    _, uuid, name, user_name, state, began_at, finished_at, deleted_at, is_default, experiment, *given = row[:_WIDTH]
    facts: Any = SimpleNamespace(
        uuid=uuid, name=name, user_name=user_name, state=state, began_at=began_at, finished_at=finished_at, deleted_at=deleted_at,
        experiment=SimpleNamespace(is_default=is_default, pk=experiment),
    )  # fmt: skip
    parameters, tags, metrics, datasets, noted = (json.loads(one) if one else [] for one in (*given, *row[-3:]))
    told = shapes.Told(
        parameters,
        tags,
        metrics,
        datasets,
        [model for model, _, is_input in noted if is_input],
        [(model, step) for model, step, is_input in noted if not is_input],
    )
    return shapes.whole_run(shapes.run_info(facts), told)


_QUESTIONS = {
    ("GET", f"{API}runs/get"): _get,
    ("POST", f"{API}runs/search"): _search,
    ("GET", f"{API}metrics/get-history"): _history,
    ("GET", f"{API}experiments/get"): _experiment,
    ("GET", f"{API}experiments/get-by-name"): _experiment_by_name,
}
