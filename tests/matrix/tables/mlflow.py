"""The MLflow door. Its names are those of one team, which these calls name as the workspace: to whoever does not see it, nothing
of it is there."""

from typing import Any

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Rule, Table, account, may, public, sees

_NOWHERE = account(ok=(404,), quiet="there is no such address")
_SPACE = {"x-mlflow-workspace": "{team}"}
_EDIT, _MOVE = P.ASSET_EDIT, P.ALIAS_MOVE
_M: dict[str, Any] = {"name": "spare"}
_V: dict[str, Any] = {"name": "spare", "version": "1"}


def _change(need: P, body: dict[str, Any], **more: Any) -> Rule:
    return may(need, body, ok=(200,), **more)


def _team(*methods: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(methods, rule.but(headers=_SPACE))


REGISTRY: Table = {
    "mlflow-model-create": _team("POST", rule=_change(P.ASSET_CREATE, {"name": "fresh"}, see=TEAM)),
    "mlflow-model-get": _team("GET", rule=sees(ASSET, query="name=spare")),
    "mlflow-model-update": _team("PATCH", "POST", rule=_change(_EDIT, {**_M, "description": "new"})),
    "mlflow-model-rename": _team("POST", rule=_change(_EDIT, {**_M, "new_name": "other"})),
    "mlflow-model-delete": _team("DELETE", "POST", rule=_change(_EDIT, _M)),
    "mlflow-model-search": _team("GET", "POST", rule=sees(TEAM, body={}, quiet="it searches")),
    "mlflow-model-latest": _team("GET", rule=sees(ASSET, query="name=spare"))
    | _team("POST", rule=sees(ASSET, body=_M, quiet="it reads")),
    "mlflow-model-tag": _team("POST", rule=_change(_EDIT, {**_M, "key": "k", "value": "v"})),
    "mlflow-model-untag": _team("DELETE", "POST", rule=_change(_EDIT, {**_M, "key": "said"})),
    "mlflow-alias": _team("GET", rule=sees(ASSET, query="name=spare&alias=candidate"))
    | _team("POST", rule=_change(_MOVE, {**_V, "alias": "candidate"}))
    | _team("DELETE", rule=_change(_MOVE, {**_M, "alias": "candidate"})),
    "mlflow-version-create": _team("POST", rule=_change(_EDIT, {**_M, "source": "s3://b/y"})),
    "mlflow-version-get": _team("GET", rule=sees(ASSET, query="name=spare&version=1")),
    "mlflow-version-update": _team("PATCH", "POST", rule=_change(_EDIT, {**_V, "description": "new"})),
    "mlflow-version-delete": _team("DELETE", "POST", rule=_change(_EDIT, _V)),
    "mlflow-version-search": _team("GET", "POST", rule=sees(TEAM, body={}, quiet="it searches")),
    "mlflow-version-tag": _team("POST", rule=_change(_EDIT, {**_V, "key": "k", "value": "v"})),
    "mlflow-version-untag": _team("DELETE", "POST", rule=_change(_EDIT, {**_V, "key": "said"})),
    "mlflow-version-stage": _team("POST", rule=_change(_MOVE, {**_V, "stage": "Staging"})),
    "mlflow-version-uri": _team("GET", rule=sees(ASSET, query="name=spare&version=1")),
    "mlflow-version-file": {
        method: sees(ASSET, values={"name": "m", "path": "README.md"}, headers=_SPACE) for method in ("GET", "HEAD")
    },
    "mlflow-artifacts": _team("GET", rule=sees(TEAM, query="path=models/{team}/m/1")),
}
_HOOK: dict[str, Any] = {
    "name": "fresh", "url": "https://93.184.216.34/other", "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}],
}  # fmt: skip
_ONE: dict[str, Any] = {"webhook_id": "{foreign_hook}"}


def _hook(body: dict[str, Any] | None = None, **more: Any) -> Rule:
    return may(P.WEBHOOK_MANAGE, body, see=TEAM, ok=(200,), headers=_SPACE, **more)


WEBHOOKS: Table = {
    "mlflow-webhooks": {"GET": _hook(), "POST": _hook(_HOOK)},
    "mlflow-webhook": {
        "GET": _hook(values=_ONE),
        "PATCH": _hook({"description": "new"}, values=_ONE),
        "DELETE": _hook(values=_ONE),
    },
    "mlflow-webhook-test": {"POST": _hook({}, values=_ONE)},
}
MLFLOW: Table = {
    **WEBHOOKS,
    "mlflow-version": {"GET": public()},
    "mlflow-server-info": {"GET": public()},
    "mlflow-workspaces": {"GET": account()},
    "mlflow-workspace": {"GET": sees(TEAM)},
    **dict.fromkeys(
        ("mlflow-unknown", "mlflow-unknown-3"), dict.fromkeys(("DELETE", "GET", "PATCH", "POST", "PUT"), _NOWHERE)
    ),
    **REGISTRY,
}
