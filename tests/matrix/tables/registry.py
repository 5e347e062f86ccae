"""Models, datasets and prompts."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, NO_CHANGE, TEAM, Rule, Table, account, current, may, sees


def _asking(kind: str) -> Rule:
    """Whoever sees it may ask; those who have the files already are told so."""
    return may(P.ASSET_VIEW, {"reason": "new"}, values={"name": "g"}, ok=(201, 302, 409, 422), happy="own:reviewer")


def _registry(kind: str) -> Table:
    """Models and datasets: the same routes under two names."""
    task = {"task": "text-generation"} if kind == "model" else {}
    draft, edit, move = {"number": 2}, P.ASSET_EDIT, P.ALIAS_MOVE
    rest: Table = {
        f"api-{kind}s": {
            "GET": account(),
            "POST": may(P.ASSET_CREATE, {"team": "{team}", "name": "fresh", **task}, see=TEAM),
        },
        f"api-{kind}-facets": {"GET": account()},
        f"api-{kind}": {
            "GET": sees(ASSET),
            "PATCH": may(edit, {"description": "new"}),
            "DELETE": may(edit, values={"name": "f"}),
        },
        f"api-{kind}-versions": {"GET": sees(ASSET), "POST": may(edit, {"message": "new"})},
        f"api-{kind}-version": {
            "GET": sees(ASSET),
            "PATCH": may(edit, {"description": "new"}),
            "DELETE": may(edit, values=draft),
        },
        f"api-{kind}-version-register": {"POST": may(edit, values=draft)},
        f"api-{kind}-files": {
            "GET": sees(ASSET),
            "POST": may(edit, {"path": "again.txt", "sha256": "{sha256}"}, values=draft),
        },
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
        f"api-{kind}-access": {"GET": sees(ASSET), "POST": _asking(kind)},
        f"api-{kind}-branches": {"GET": sees(ASSET), "POST": may(edit, {"name": "trial"})},
        f"api-{kind}-branch": {
            "GET": sees(ASSET, values={"branch": "side"}),
            "DELETE": may(edit, values={"branch": "side"}, ok=(204,)),
        },
    }
    rest |= _lifecycle(f"api-{kind}", edit) | _lifecycle_pages(kind, edit)
    pages: Table = {
        f"{kind}-list": {"GET": account()},
        f"{kind}-create": {
            "GET": current(P.ASSET_CREATE),
            "POST": current(P.ASSET_CREATE, {"name": "fresh", **task}),
        },
        **{f"{kind}-{tab}": {"GET": sees(ASSET)} for tab in ("detail", "files", "card", "history")},
        f"{kind}-access": {"GET": sees(ASSET), "POST": _asking(kind)},
        f"{kind}-access-revoke": {"POST": may(P.TEAM_MANAGE, values={"name": "g", "grant_id": "{gate_" + kind + "}"})},
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


# The viewer asked for gated files; who manages the team decides; nobody else knows of it.
_ASKED, _KNOWN = {"request_id": "{access_id}"}, ("own:viewer", "own:admin", "root")


def _lifecycle(prefix: str, edit: P) -> Table:
    return {
        f"{prefix}-archive": {"POST": may(edit, {"reason": "new"})},
        f"{prefix}-restore": {"POST": may(edit, values={"name": "old"})},
        f"{prefix}-tags": {"GET": sees(ASSET)},
        f"{prefix}-tag": {
            "PUT": may(edit, {"value": "new"}, values={"key": "owner"}),
            "DELETE": may(edit, values={"name": "f", "key": "a"}, ok=(204,)),
        },
        f"{prefix}-version-archive": {"POST": may(edit, {"reason": "new"})},
        f"{prefix}-version-restore": {"POST": may(edit, values={"name": "f"})},
        f"{prefix}-version-tags": {"GET": sees(ASSET)},
        f"{prefix}-version-tag": {
            "PUT": may(edit, {"value": "new"}, values={"key": "owner"}),
            "DELETE": may(edit, values={"name": "f", "key": "a"}, ok=(204,)),
        },
        f"{prefix}-version-lineage": {"GET": sees(ASSET)},
        f"{prefix}-version-card": {
            "GET": sees(ASSET),
            "PUT": may(edit, {"markdown": "# New"}, values={"number": 2}),
        },
    }


def _lifecycle_pages(kind: str, edit: P) -> Table:
    free = {"name": "f"}
    return {
        f"{kind}-lineage": {"GET": sees(ASSET)},
        f"{kind}-tags": {"POST": may(edit, {"key": "owner", "value": "new"})},
        f"{kind}-rename": {"POST": may(edit, {"name": "renamed"}, values=free)},
        f"{kind}-archive": {"POST": may(edit)},
        f"{kind}-restore": {"POST": may(edit, values={"name": "old"})},
        f"{kind}-delete": {"POST": may(edit, values=free)},
        f"{kind}-version-tags": {"POST": may(edit, {"key": "owner", "value": "new"})},
        f"{kind}-version-describe": {"POST": may(edit, {"description": "new"})},
        f"{kind}-version-archive": {"POST": may(edit)},
        f"{kind}-version-restore": {"POST": may(edit, values=free)},
        f"{kind}-version-delete": {"POST": may(edit, values={"name": "old", "number": 3})},
        f"{kind}-version-card": {
            "GET": may(edit, values={"number": 2}),
            "POST": may(edit, {"body": "# New"}, values={"number": 2}),
        },
        f"{kind}-version-card-renew": {"POST": may(edit)},
    }


BIN: Table = {
    "bin": {"GET": account()},
    "bin-restore": {"POST": may(P.ASSET_EDIT, see=P.ASSET_EDIT)},
    "bin-purge-asset": {"POST": may(P.TEAM_MANAGE, {"confirm": "{team}/gone"}, see=P.ASSET_EDIT)},
    "bin-purge-version": {"POST": may(P.TEAM_MANAGE, {"confirm": "{team}/f version 3"}, see=P.ASSET_EDIT)},
    "api-bin-assets": {"GET": account()},
    "api-bin-asset": {"DELETE": may(P.TEAM_MANAGE, see=P.ASSET_EDIT)},
    "api-bin-asset-restore": {"POST": may(P.ASSET_EDIT, {"name": ""}, see=P.ASSET_EDIT)},
    "api-bin-versions": {"GET": account()},
    "api-bin-version": {"DELETE": may(P.TEAM_MANAGE, see=P.ASSET_EDIT)},
}

REGISTRY: Table = {
    **BIN,
    **_registry("model"),
    **_registry("dataset"),
    "api-access-requests": {"GET": account()},
    "api-access-request": {
        "GET": Rule("mine", also=_KNOWN, values=_ASKED),
        "DELETE": Rule("mine", also=("own:viewer",), never=("own:admin", "root"), values=_ASKED),
    },
    "api-access-decision": {
        "POST": Rule(
            "mine", also=("own:admin", "root"), never=("own:viewer",), values=_ASKED, body={"verdict": "grant"}
        )
    },
    "access-decide": {
        "POST": Rule(
            "mine", also=("own:admin", "root"), never=("own:viewer",), values=_ASKED, body={"verdict": "grant"}
        )
    },
    "access-withdraw": {"POST": Rule("mine", also=("own:viewer",), never=("own:admin", "root"), values=_ASKED)},
    "api-dataset-rows": {"GET": sees(ASSET, values={"name": "d"})},
    "dataset-version-rows": {"GET": sees(ASSET, values={"name": "d"})},
    "model-deployments": {"GET": sees(ASSET)},
    "model-evaluations": {"GET": sees(ASSET)},
}

_PROMPT = {"name": "p"}
_FRESH = {"name": "fresh", "type": "text", "template": "New {{ x }}"}
PROMPTS: Table = {
    "api-prompt-list": {
        "GET": account(),
        "POST": may(P.ASSET_CREATE, {"team": "{team}", "name": "fresh"}, see=TEAM),
    },
    "api-prompt-detail": {
        "GET": sees(ASSET),
        "PATCH": may(P.ASSET_EDIT, {"description": "new"}),
        "DELETE": may(P.ASSET_EDIT, values={"name": "spare"}),
    },
    "api-prompt-versions": {
        "GET": sees(ASSET),
        "POST": may(P.ASSET_EDIT, {"type": "text", "template": "New {{ x }}"}),
    },
    "api-prompt-version": {"GET": sees(ASSET), "DELETE": may(P.ASSET_EDIT, values={"name": "spare", "number": 1})},
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
    "prompt-create": {"GET": current(P.ASSET_CREATE), "POST": current(P.ASSET_CREATE, _FRESH)},
    "prompt-detail": {"GET": sees(ASSET)},
    "prompt-update": {"POST": may(P.ASSET_EDIT, {"name": "p", "description": "new"})},
    "prompt-version-diff": {"GET": sees(ASSET, query="from=1&to=2")},
    "prompt-version-create": {
        "GET": may(P.ASSET_EDIT),
        "POST": may(P.ASSET_EDIT, {"type": "text", "template": "New {{ x }}"}),
    },
    "prompt-version-difference": {
        "POST": sees(ASSET, body={"type": "text", "template": "New {{ x }}"}, quiet=NO_CHANGE),
    },
    "prompt-version-detail": {"GET": sees(ASSET)},
    "prompt-version-render": {"POST": sees(ASSET, body={"v.x": "1"}, quiet=NO_CHANGE)},
    "prompt-settings": {"GET": may(P.ASSET_EDIT)},
    "prompt-labels": {"GET": sees(ASSET), "POST": may(P.ALIAS_MOVE, {"label": "candidate", "version": 1})},
    "label-remove": {"POST": may(P.ALIAS_MOVE)},
}
PROMPTS = {
    name: {m: rule.but(values={**_PROMPT, **rule.values}) for m, rule in rules.items()}
    for name, rules in PROMPTS.items()
}
