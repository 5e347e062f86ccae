"""The Hugging Face door: its repositories are our models and datasets."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, NO_CHANGE, TEAM, Rule, Table, account, may, public, sees

_COMMIT = b'{"key": "header", "value": {"summary": "new"}}\n{"key": "deletedFile", "value": {"path": "notes.txt"}}\n'
_PREUPLOAD = {"files": [{"path": "new.txt", "size": 3, "sample": "bmV3"}]}
_BATCH = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": "ab" * 32, "size": 3}]}
_ASKS = "it says how files would be sent, and changes nothing"


def _token(values: dict[str, str]) -> Rule:
    """Opened by a token of one repository alone, which a key is not (tests/doors/huggingface/test_xet.py)."""
    return public(ok=(401,), values=values, quiet="bytes on their way; the commit that takes them is an event")


def _of(kind: str) -> Table:
    """Strangers are told 401, those who may not see it 404: the Hub's clients read both as 'no such repository'."""
    table: Table = {
        "list": {"GET": account()},
        "page": {"GET": public(ok=(302,))},
        **{
            name: {"GET": sees(ASSET)}
            for name in ("info", "revision", "tree", "tree-root", "refs", "commits", "auth-check")
        },
        "resolve": {"GET": sees(ASSET, values={"path": "notes.txt"})},
        "folder": {"GET": sees(ASSET, values={"path": "none"}, ok=(404,))},
        "auth-check-write": {"GET": may(P.ASSET_EDIT)},
        "paths-info": {"POST": sees(ASSET, quiet=NO_CHANGE)},
        "branch": {
            "POST": may(P.ASSET_EDIT, {}, values={"revision": "fresh"}),
            "DELETE": may(P.ASSET_EDIT, values={"revision": "side"}),
        },
        "tag": {
            "POST": may(P.ALIAS_MOVE, {"tag": "fresh"}),
            "DELETE": may(P.ALIAS_MOVE, values={"revision": "candidate"}),
        },
        "preupload": {"POST": may(P.ASSET_EDIT, _PREUPLOAD, quiet=_ASKS)},
        "xet-token": {"GET": may(P.ASSET_EDIT)},
        "settings": {"PUT": may(P.ASSET_EDIT, {"gated": "manual"})},
        "access-list": {"GET": may(P.TEAM_MANAGE, values={"name": "g", "status": "pending"})},
        "access-handle": {
            "POST": may(
                P.TEAM_MANAGE,
                {"requestId": "grant-{gate_" + kind + "}", "status": "rejected", "rejectionReason": "new"},
                values={"name": "g"},
            )
        },
        "access-grant": {"POST": may(P.TEAM_MANAGE, {"user": "{email}"}, values={"name": "g"})},
        "lfs-batch": {
            "POST": may(P.ASSET_EDIT, _BATCH, quiet="bytes on their way; the commit that takes them is an event")
        },
        "lfs-verify": {"POST": may(P.ASSET_EDIT, _BATCH["objects"][0], ok=(404,), quiet=NO_CHANGE)},
        "commit": {"POST": may(P.ASSET_EDIT, _COMMIT)},
    }
    given = {"name": kind[0], "revision": "main"}
    return {
        f"hf-{kind}-{name}": {method: rule.but(values={**given, **rule.values}) for method, rule in rules.items()}
        for name, rules in table.items()
    }


HUGGINGFACE: Table = {
    "hf-whoami": {"GET": account()},
    "hf-validate-yaml": {"POST": public(body={"content": "---\nlicense: mit\n---\n# Hi\n"}, quiet=NO_CHANGE)},
    "hf-create": {"POST": may(P.ASSET_CREATE, {"name": "fresh", "organization": "{team}", "type": "model"}, see=TEAM)},
    "hf-delete": {"DELETE": may(P.ASSET_EDIT, {"name": "spare", "organization": "{team}"})},
    "hf-move": {"POST": may(P.ASSET_EDIT, {"fromRepo": "{team}/n", "toRepo": "{team}/moved", "type": "model"})},
    "hf-xet-xorb": {"POST": _token({"place": "x", "prefix": "default", "xorb": "ab" * 32})},
    "hf-xet-shard": {"POST": _token({"place": "x"})},
    "hf-xet-unspoken": dict.fromkeys(
        ("GET", "POST"), public(ok=(404,), values={"place": "x", "rest": "v1/none"}, quiet=NO_CHANGE)
    ),
    "hf-lfs-part": dict.fromkeys(
        ("POST", "PUT"),
        public(ok=(404,), values={"upload_id": "none", "number": 1}, quiet="the address is signed; this one is not"),
    ),
    **_of("model"),
    **_of("dataset"),
    "hf-api-unknown": dict.fromkeys(
        ("DELETE", "GET", "PATCH", "POST", "PUT"),
        account(ok=(404,), values={"rest": "none/of/them"}, quiet="there is no such address"),
    ),
    "hf-unknown": dict.fromkeys(
        ("DELETE", "GET", "PATCH", "POST", "PUT"),
        account(ok=(404,), values={"rest": "none/of/them/all"}, quiet="there is no such address"),
    ),
}
