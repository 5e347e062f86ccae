"""The playground: sessions, runs and cells."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, TEAM, Table, account, current, may, sees

_OWN = "what somebody tries; what is run of it is an event"
_THOUGHT = "what somebody thought of an answer; the row says who and when, and nothing follows from it"
# Who may call models, and did not make the session.
_OTHERS = ("own:viewer", "own:reviewer", "own:deployer", "own:admin", "root")
_RUN = {"team": "{team}", "columns": [{"content": {"template": "say"}, "model": "{team}/dep"}], "rows": [{}]}
_FORM = {
    "do": "run",
    "columns": "1",
    "rows": "1",
    "c0-messages": "1",
    "c0-m0-role": "user",
    "c0-m0-content": "say",
    "c0-model": "dep",
}
_ENDED = {"play": "{played}"}
INVOKE = P.MODEL_INVOKE
PLAYGROUND: Table = {
    "api-playground-runs": {"GET": account(), "POST": may(INVOKE, _RUN, see=TEAM)},
    "api-playground-run": {"GET": sees(ASSET)},
    "api-playground-cells": {"GET": sees(ASSET)},
    "api-playground-cancel": {"POST": may(INVOKE)},
    "api-playground-retry": {"POST": may(INVOKE, values=_ENDED)},
    "api-playground-cell": {"GET": sees(ASSET)},
    "api-playground-cell-rating": {
        "PUT": may(P.ASSET_EDIT, {"good": False}, quiet=_THOUGHT),
        "DELETE": may(P.ASSET_EDIT, quiet=_THOUGHT),
    },
    "api-playground-cell-keep": {"POST": may(P.ASSET_EDIT, {"dataset": "{team}/d"})},
    "api-playground-cell-test": {
        "POST": may(
            P.ASSET_EDIT, {"kind": "contains", "expected": "x"}, ok=(409,), quiet="refused: a test needs a prompt"
        )
    },
    "api-playground-cell-continue": {"POST": may(INVOKE, {"said": "and then?"})},
    "api-playground-cell-retry": {"POST": may(INVOKE)},
    "playground": {"GET": account()},
    "playground-new": {"GET": current(INVOKE), "POST": current(INVOKE, _FORM)},
    "playground-session": {"GET": sees(ASSET), "POST": may(INVOKE, _FORM, never=_OTHERS)},
    "playground-session-copy": {"POST": may(INVOKE, quiet=_OWN)},
    "playground-session-delete": {"POST": may(INVOKE, never=_OTHERS, quiet=_OWN)},
    "playground-run": {"GET": sees(ASSET)},
    "playground-run-live": {"GET": sees(ASSET)},
    "playground-run-cancel": {"POST": may(INVOKE)},
    "playground-run-retry": {"POST": may(INVOKE, values=_ENDED)},
    "playground-cell": {"GET": sees(ASSET)},
    "playground-cell-live": {"GET": sees(ASSET)},
    "playground-cell-retry": {"POST": may(INVOKE)},
    "playground-cell-continue": {"POST": may(INVOKE, {"said": "and then?"})},
    "playground-cell-rate": {"POST": may(P.ASSET_EDIT, {"verdict": "bad"}, quiet=_THOUGHT)},
    # Its column was written in the playground: there is no prompt to test. tests/playground has the way that works.
    "playground-cell-test": {
        "POST": may(P.ASSET_EDIT, {"expected": "x"}, ok=(409,), quiet="refused: a test needs a prompt")
    },
    "playground-cell-keep": {
        "POST": may(P.ASSET_EDIT, {"dataset": "{team}/d", "row": '{"input": "a", "expected": "b"}'})
    },
    "prompt-playground": {
        "GET": sees(ASSET, values={"name": "p"}, ok=(302,)),
        "POST": may(
            INVOKE, {"template": "say"}, values={"name": "p"}, quiet="it shows a form that holds what was posted"
        ),
    },
}
