"""The Hugging Face door: its repositories are our models and datasets."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, NO_CHANGE, TEAM, Table, account, may, public, sees

_COMMIT = b'{"key": "header", "value": {"summary": "new"}}\n{"key": "deletedFile", "value": {"path": "notes.txt"}}\n'
_PREUPLOAD = {"files": [{"path": "new.txt", "size": 3, "sample": "bmV3"}]}
_ASKS = "it says how files would be sent, and changes nothing"


def _of(kind: str) -> Table:
    """Strangers are told 401, those who may not see it 404: the Hub's clients read both as 'no such repository'."""
    table: Table = {
        "list": {"GET": account()},
        "page": {"GET": public(ok=(302,))},
        **{
            name: {"GET": sees(ASSET)}
            for name in ("info", "revision", "tree", "tree-root", "refs", "commits", "auth-check", "resolve")
        },
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
    **_of("model"),
    **_of("dataset"),
    "hf-unknown": dict.fromkeys(
        ("DELETE", "GET", "PATCH", "POST", "PUT"),
        account(ok=(404,), values={"rest": "api/none/of/them"}, quiet="there is no such address"),
    ),
}
