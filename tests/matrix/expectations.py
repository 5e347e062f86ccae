"""Who may do what, route by route. A route or method that is missing here fails `test_matrix`, which says what to add.

Placeholders in bodies and queries are filled from the world's `values` (tests/matrix/world.py)."""

from typing import Any

from accounts.roles import Permission as P
from tests.matrix.rules import Rule, account, anywhere, current, may, public, sees, site

Table = dict[str, dict[str, Rule]]
TEAM, ASSET, DEPLOYMENT = P.TEAM_VIEW, P.ASSET_VIEW, P.DEPLOYMENT_VIEW
NO_CHANGE = "it computes an answer and changes nothing"
CARD = {"checks": [{"type": "card"}], "reviews": {"count": 1, "role": "reviewer"}}
RULES = {"card": "on", "count": "2", "role": "reviewer", "form-TOTAL_FORMS": "0", "form-INITIAL_FORMS": "0"}

SITE: Table = {
    "healthz": {"GET": public()},
    "readyz": {"GET": public()},
    "openapi": {"GET": public()},
    "api-docs": {"GET": public()},
    "internal-file": {"GET": public(headers={"authorization": "Bearer {token}"})},
    "home": {"GET": account()},
    "search": {"GET": account(query="q=m")},
}


def _registry(kind: str) -> Table:
    """Models and datasets: the same routes under two names."""
    task = {"task": "text-generation"} if kind == "model" else {}
    draft, edit, move = {"number": 2}, P.ASSET_EDIT, P.ALIAS_MOVE
    rest: Table = {
        f"api-{kind}s": {
            "GET": account(),
            "POST": may(P.ASSET_CREATE, {"team": "{team}", "name": "fresh", **task}, see=TEAM),
        },
        f"api-{kind}": {"GET": sees(ASSET), "PATCH": may(edit, {"description": "new"})},
        f"api-{kind}-versions": {"GET": sees(ASSET), "POST": may(edit, {"message": "new"})},
        f"api-{kind}-version": {"GET": sees(ASSET), "DELETE": may(edit, values=draft)},
        f"api-{kind}-version-register": {"POST": may(edit, values=draft)},
        f"api-{kind}-files": {"GET": sees(ASSET)},
        f"api-{kind}-file": {
            "GET": sees(ASSET, values={"path": "notes.txt"}),
            "PUT": may(edit, b"new", values={**draft, "path": "new.txt"}),
            "DELETE": may(edit, values={**draft, "path": "notes.txt"}),
        },
        f"api-{kind}-aliases": {"GET": sees(ASSET)},
        f"api-{kind}-alias": {
            "GET": sees(ASSET),
            "PUT": may(move, {"version": 3, "reason": "new"}),
            "DELETE": may(move, {"reason": "new"}),
        },
        f"api-{kind}-alias-history": {"GET": sees(ASSET)},
    }
    pages: Table = {
        f"{kind}-list": {"GET": account()},
        f"{kind}-create": {
            "GET": current(P.ASSET_CREATE),
            "POST": current(P.ASSET_CREATE, {"name": "fresh", **task}),
        },
        **{f"{kind}-{tab}": {"GET": sees(ASSET)} for tab in ("detail", "files", "card", "history")},
        f"{kind}-settings": {"GET": sees(ASSET), "POST": may(edit, {"description": "new", **task})},
        f"{kind}-alias-move": {"POST": may(move, {"alias": "candidate", "version": 3})},
        f"{kind}-alias-remove": {"POST": may(move)},
        f"{kind}-version-compare": {"GET": sees(ASSET, query="from=1&to=3")},
        f"{kind}-version-create": {"GET": may(edit), "POST": may(edit, {"message": "new"})},
        f"{kind}-version-detail": {"GET": sees(ASSET)},
        f"{kind}-version-register": {"POST": may(edit, values=draft)},
        f"{kind}-version-discard": {"POST": may(edit, values=draft)},
        f"{kind}-file-upload": {"POST": may(edit, {"uploads": b"new"}, values=draft)},
        f"{kind}-file-remove": {"POST": may(edit, {"path": "notes.txt"}, values=draft)},
    }
    name = {"name": kind[0]}  # m, d
    return {
        key: {m: rule.but(values={**name, **rule.values}) for m, rule in rules.items()}
        for key, rules in (rest | pages).items()
    }


REGISTRY: Table = {
    **_registry("model"),
    **_registry("dataset"),
    "api-dataset-rows": {"GET": sees(ASSET, values={"name": "d"})},
    "dataset-version-rows": {"GET": sees(ASSET, values={"name": "d"})},
    "model-deployments": {"GET": sees(ASSET)},
    "model-evaluations": {"GET": sees(ASSET)},
}

_PROMPT = {"name": "p"}
PROMPTS: Table = {
    "api-prompt-list": {
        "GET": account(),
        "POST": may(P.ASSET_CREATE, {"team": "{team}", "name": "fresh"}, see=TEAM),
    },
    "api-prompt-detail": {"GET": sees(ASSET), "PATCH": may(P.ASSET_EDIT, {"description": "new"})},
    "api-prompt-versions": {
        "GET": sees(ASSET),
        "POST": may(P.ASSET_EDIT, {"type": "text", "template": "New {{ x }}"}),
    },
    "api-prompt-version": {"GET": sees(ASSET)},
    "api-prompt-render": {"POST": sees(ASSET, body={"variables": {"x": "1"}}, quiet=NO_CHANGE)},
    "api-prompt-diff": {"GET": sees(ASSET, query="from=1&to=2")},
    "api-label-list": {"GET": sees(ASSET)},
    "api-label-detail": {
        "GET": sees(ASSET),
        "PUT": may(P.ALIAS_MOVE, {"version": 1}),
        "DELETE": may(P.ALIAS_MOVE, {"reason": "new"}),
    },
    "api-label-history": {"GET": sees(ASSET)},
    "prompt-list": {"GET": account()},
    "prompt-create": {"GET": current(P.ASSET_CREATE), "POST": current(P.ASSET_CREATE, {"name": "fresh"})},
    "prompt-detail": {"GET": sees(ASSET)},
    "prompt-update": {"POST": may(P.ASSET_EDIT, {"description": "new"})},
    "prompt-version-diff": {"GET": sees(ASSET, query="from=1&to=2")},
    "prompt-version-create": {
        "GET": may(P.ASSET_EDIT),
        "POST": may(P.ASSET_EDIT, {"type": "text", "template": "New {{ x }}"}),
    },
    "prompt-version-check": {
        "POST": sees(ASSET, body={"type": "text", "template": "New {{ x }}"}, quiet=NO_CHANGE),
    },
    "prompt-version-detail": {"GET": sees(ASSET)},
    "prompt-version-render": {"POST": sees(ASSET, body={"v.x": "1"}, quiet=NO_CHANGE)},
    "label-move": {"POST": may(P.ALIAS_MOVE, {"label": "candidate", "version": 1})},
    "label-remove": {"POST": may(P.ALIAS_MOVE)},
}
PROMPTS = {
    name: {m: rule.but(values={**_PROMPT, **rule.values}) for m, rule in rules.items()}
    for name, rules in PROMPTS.items()
}

_ASK = {"kind": "model", "asset": "{team}/m", "version": 3, "alias": "production", "reason": "new"}
REQUESTS: Table = {
    "api-request-list": {"GET": account(), "POST": may(P.REQUEST_CREATE, _ASK)},
    "api-request": {"GET": sees(ASSET)},
    "api-review-list": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"})},
    "api-request-withdraw": {
        "POST": may(P.REQUEST_CREATE, never=("own:admin", "own:deployer", "root"), happy="own:contributor"),
    },
    "request-list": {"GET": account()},
    "request-create": {
        "GET": anywhere(P.REQUEST_CREATE),
        "POST": anywhere(P.REQUEST_CREATE, _ASK, foreign=422),
    },
    "request-detail": {
        "GET": sees(ASSET),
        "POST": sees(ASSET, quiet="it shows the page, as for a review that was refused"),
    },
    "request-review": {"POST": may(P.REQUEST_REVIEW, {"verdict": "approve"}, refused=409)},
    "request-withdraw": {
        "POST": may(P.REQUEST_CREATE, never=("own:admin", "own:deployer", "root"), happy="own:contributor"),
    },
}

GOVERNANCE: Table = {
    "api-policy-list": {
        "GET": account(),
        "POST": may(P.POLICY_EDIT, {"team": "{team}", "kind": "prompt", "stage": "staging", **CARD}, see=TEAM),
    },
    "api-policy": {
        "GET": sees(TEAM),
        "PUT": may(P.POLICY_EDIT, {**CARD, "reviews": {"count": 2, "role": "reviewer"}}, see=TEAM),
        "DELETE": may(P.POLICY_EDIT, see=TEAM),
    },
    "policy-list": {"GET": account()},
    "policy-create": {
        "GET": current(P.POLICY_EDIT),
        "POST": current(P.POLICY_EDIT, {"kind": "dataset", "pattern": "*", "stage": "staging", **RULES}),
    },
    "policy-edit": {"GET": sees(TEAM), "POST": may(P.POLICY_EDIT, RULES, see=TEAM)},
    "policy-remove": {"POST": may(P.POLICY_EDIT, see=TEAM)},
    "api-ledger": {"GET": anywhere(P.LEDGER_VIEW)},
    "api-event": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
    "api-proof": {"GET": anywhere(P.LEDGER_VIEW, foreign=404, ok=(409,))},
    "api-checkpoint": {"GET": account(ok=(404,))},  # nothing is sealed before it is committed, and this world never is
    "api-checkpoint-list": {"GET": account()},
    "api-checkpoint-text": {"GET": account()},
    "api-consistency": {"GET": account(query="from=0&to=0")},
    "api-ledger-keys": {"GET": account()},
    "api-ledger-status": {"GET": account()},
    "api-signing-key": {"GET": account()},
    "ledger-list": {"GET": anywhere(P.LEDGER_VIEW)},
    "event-detail": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
    "ledger-life": {"GET": anywhere(P.LEDGER_VIEW, foreign=404)},
}

_GRANT: Any = {"person": "{email}", "role": "contributor"}
_KEY = {"name": "new", "scopes": ["read"]}
ACCOUNTS: Table = {
    "api-me": {"GET": account()},
    "api-team-list": {"GET": account(), "POST": site({"name": "fresh"})},
    "api-member-list": {"GET": sees(TEAM), "POST": may(P.TEAM_MANAGE, _GRANT, see=TEAM)},
    "api-member": {"DELETE": may(P.TEAM_MANAGE, see=TEAM)},
    "api-service-account-list": {"POST": may(P.TEAM_MANAGE, {"name": "fresh", "role": "viewer"}, see=TEAM)},
    "api-person-list": {
        "GET": account(),
        "POST": site({"email": "fresh@example.com", "name": "Fresh", "password": "a-long-first-password"}),
    },
    "api-key-list": {"GET": account(), "POST": account(_KEY, door="page")},
    "api-key": {"GET": sees(P.TEAM_MANAGE), "DELETE": sees(P.TEAM_MANAGE)},
    "settings-profile": {"GET": account(), "POST": account({"name": "New"})},
    "settings-keys": {"GET": account(), "POST": account({**_KEY, "lifetime": "30"})},
    "key-revoke": {"POST": sees(P.TEAM_MANAGE)},
    "settings-team": {"GET": account(ok=(200, 302))},
    "role-grant": {"POST": may(P.TEAM_MANAGE, _GRANT, see=TEAM)},
    "role-revoke": {"POST": may(P.TEAM_MANAGE, see=TEAM)},
    "service-account-create": {
        "POST": may(P.TEAM_MANAGE, {"service-name": "fresh", "service-role": "viewer"}, see=TEAM),
    },
    "service-key-create": {"POST": may(P.TEAM_MANAGE, {"name": "new"}, see=TEAM, values={"email": "{robot}"})},
    "settings-people": {"GET": site()},
    "person-create": {
        "GET": site(),
        "POST": site({"email": "fresh@example.com", "name": "Fresh", "password": "a-long-first-password"}),
    },
    "person-activate": {"POST": site({"active": "0"})},
    "team-create": {"GET": site(), "POST": site({"name": "fresh"})},
}

_DEP, _HALTED = {"name": "dep"}, {"name": "halted"}
_NEW = {"team": "{team}", "name": "fresh", "model": "{team}/m", "version": 1, "stage": "development"}
MANAGE, INVOKE = P.DEPLOYMENT_MANAGE, P.MODEL_INVOKE
SERVING: Table = {
    "api-deployment-list": {"GET": account(), "POST": may(MANAGE, _NEW, see=DEPLOYMENT)},
    "api-deployment-detail": {
        "GET": sees(DEPLOYMENT, values=_DEP),
        "PATCH": may(MANAGE, {"replicas": 2}, see=DEPLOYMENT, values=_DEP),
        "DELETE": may(MANAGE, see=DEPLOYMENT, values=_HALTED),
    },
    "api-deployment-stop": {"POST": may(MANAGE, see=DEPLOYMENT, values=_DEP)},
    "api-deployment-start": {"POST": may(MANAGE, see=DEPLOYMENT, values=_HALTED)},
    "api-deployment-logs": {"GET": sees(DEPLOYMENT, values=_DEP)},
    "api-deployment-revisions": {"GET": sees(DEPLOYMENT, values=_DEP)},
    "api-cluster": {"GET": account()},
    "deployment-list": {"GET": account()},
    "deployment-create": {
        "GET": current(MANAGE),
        "POST": current(
            MANAGE, {"version": 1, "name": "fresh", "replicas": 1, "engine": "transformers"}, query="stage=development"
        ),
    },
    **{f"deployment-{tab}": {"GET": sees(DEPLOYMENT, values=_DEP)} for tab in ("detail", "live", "logs", "history")},
    "deployment-revisions": {
        "GET": sees(DEPLOYMENT, values=_DEP),
        "POST": may(MANAGE, {"version": 3, "engine": "transformers"}, see=DEPLOYMENT, values=_DEP),
    },
    "deployment-scale": {"POST": may(MANAGE, {"replicas": 2}, see=DEPLOYMENT, values=_DEP)},
    "deployment-stop": {"POST": may(MANAGE, see=DEPLOYMENT, values=_DEP)},
    "deployment-start": {"POST": may(MANAGE, see=DEPLOYMENT, values=_HALTED)},
    "deployment-delete": {"POST": may(MANAGE, {"confirm": "halted"}, see=DEPLOYMENT, values=_HALTED)},
    "deployment-try": {
        "POST": may(
            INVOKE,
            {"prompt": "x", "max_tokens": 1, "temperature": 0},
            see=DEPLOYMENT,
            values=_DEP,
            ok=(409, 503),
            quiet=NO_CHANGE,
        ),
    },
    "deployment-compare": {
        "POST": may(
            INVOKE, {"first": "x", "second": "y"}, see=DEPLOYMENT, values=_DEP, ok=(400, 409, 422, 503), quiet=NO_CHANGE
        ),
    },
}

_EVALUATE = {"model": "{team}/m", "version": 1, "dataset": "{team}/d", "dataset_version": 1}
_EVALUATE_FORM = {**_EVALUATE, "max_tokens": 8, "temperature": 0, "input_field": "input", "expected_field": "expected"}
_POINTS = {"metrics": [{"key": "loss", "step": 1, "value": 0.5}]}
RUNS: Table = {
    "api-evaluations": {"GET": account(), "POST": may(P.EVALUATION_RUN, _EVALUATE)},
    "api-evaluation": {"GET": sees(ASSET)},
    "api-evaluation-examples": {"GET": sees(ASSET)},
    "api-evaluation-cancel": {"POST": may(P.EVALUATION_RUN)},
    "evaluation-list": {"GET": account()},
    "evaluation-create": {
        "GET": anywhere(P.EVALUATION_RUN),
        "POST": anywhere(P.EVALUATION_RUN, _EVALUATE_FORM, foreign=422),
    },
    "evaluation-choices": {"GET": account()},
    "evaluation-detail": {"GET": sees(ASSET)},
    "evaluation-live": {"GET": sees(ASSET)},
    "evaluation-cancel": {"POST": may(P.EVALUATION_RUN)},
    "api-runs": {"GET": account(), "POST": may(P.RUN_CREATE, {"team": "{team}", "name": "fresh"}, see=TEAM)},
    "api-run": {"GET": sees(ASSET), "PATCH": may(P.RUN_CREATE, {"state": "running", "step": 5})},
    "api-run-metrics": {
        "GET": sees(ASSET),
        "POST": may(P.RUN_CREATE, _POINTS, quiet="measurements that a run reports; its start and end are events"),
    },
    "run-list": {"GET": account()},
    "run-detail": {"GET": sees(ASSET)},
    "run-live": {"GET": sees(ASSET)},
    "run-cancel": {"POST": may(P.RUN_CREATE)},
}

# allauth's own pages: whoever is signed in changes their own account, and roles don't come into it.
_ENTRANCE = public(ok=(200, 302, 404, 405), quiet="the form is empty, so nobody signs in or out")
_OWN_ACCOUNT = account(ok=(200, 302, 404), quiet="the form is empty: test_events.py fills it in")
_AWAY = public(ok=(302,), quiet="it sends on to the profile: addresses stay")
_FORM, _READ, _POST = ("GET", "POST", "PUT"), ("GET",), ("GET", "POST")
ALLAUTH: Table = {
    "account_login": dict.fromkeys(_FORM, _ENTRANCE),
    "account_signup": dict.fromkeys(_FORM, _ENTRANCE),
    "account_reset_password": dict.fromkeys(_FORM, _ENTRANCE),
    "account_reset_password_from_key": dict.fromkeys(_FORM, _ENTRANCE),
    "account_confirm_login_code": dict.fromkeys(_FORM, _ENTRANCE),
    "account_confirm_email": dict.fromkeys(_POST, _ENTRANCE),
    "account_email_verification_sent": dict.fromkeys(_POST, _ENTRANCE),
    "account_inactive": dict.fromkeys(_READ, _ENTRANCE),
    "account_reset_password_done": dict.fromkeys(_READ, _ENTRANCE),
    "account_reset_password_from_key_done": dict.fromkeys(_READ, _ENTRANCE),
    "account_email": dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _AWAY),
    "account_logout": dict.fromkeys(_POST, public(ok=(200, 302))),
    "account_reauthenticate": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "account_change_password": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "account_set_password": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_index": dict.fromkeys(_READ, _OWN_ACCOUNT),
    "mfa_authenticate": dict.fromkeys(_POST, _ENTRANCE),
    "mfa_reauthenticate": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_activate_totp": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_deactivate_totp": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_view_recovery_codes": dict.fromkeys(_READ, _OWN_ACCOUNT),
    "mfa_generate_recovery_codes": dict.fromkeys(_FORM, _OWN_ACCOUNT),
    "mfa_download_recovery_codes": dict.fromkeys(_READ, _OWN_ACCOUNT),
}

TABLE: Table = {**ALLAUTH, **SITE, **REGISTRY, **PROMPTS, **REQUESTS, **GOVERNANCE, **ACCOUNTS, **SERVING, **RUNS}
