"""The Langfuse door. The callers' keys are of no team, so that prompts are named 'team/name' here."""

from typing import Any

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Rule, Table, account, may, public, sees

_NOWHERE = account(ok=(404,), quiet="there is no such address")
_NEW: dict[str, Any] = {"name": "{team}/fresh", "prompt": "Hi {{x}}"}
_AT: dict[str, Any] = {"name": "{team}/p", "number": 1}


def _made(**more: Any) -> Rule:
    return may(P.ASSET_CREATE, _NEW, see=TEAM, ok=(201,), **more)


LANGFUSE: Table = {
    "langfuse-health": {"GET": public()},
    "langfuse-projects": {"GET": account()},
    "langfuse-prompts": {"GET": account(), "POST": _made()},
    "langfuse-prompt": {
        "GET": sees(ASSET, values=_AT, query="label=candidate"),
        "DELETE": may(P.ASSET_EDIT, values=_AT, query="version=2"),
    },
    "langfuse-version": {"PATCH": may(P.ALIAS_MOVE, {"newLabels": ["mine"]}, values=_AT, ok=(200,))},
    "langfuse-prompt-old": {
        "GET": sees(ASSET, query="name={team}/p&label=candidate"),
        "POST": _made(),
    },
    "langfuse-unknown": {"GET": _NOWHERE, "POST": _NOWHERE},
}
