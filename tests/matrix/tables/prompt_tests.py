"""Tests of prompts."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, Table, may, sees

_P = {"name": "p"}
_CASE = {"variables": {"x": "y"}, "expected": "y"}
_SUITE = {
    "cases": [{"variables": {"x": "z"}, "assertions": [{"type": "contains", "value": "z"}]}],
    "models": ["{team}/dep"],
}
_FORM = {
    "do": "save", "based_on": "1", "repeats": "1", "threshold": "100", "models": "{team}/dep", "c-0-expected": "q", "c-0-v:x": "q",
    "c-0-a-0-type": "equals",
}  # fmt: skip
PROMPT_TESTS: Table = {
    "api-prompt-tests": {
        "GET": sees(ASSET, values=_P),
        "PUT": may(P.ASSET_EDIT, _SUITE, values=_P),
    },
    "api-prompt-test-cases": {"POST": may(P.ASSET_EDIT, _CASE, values=_P)},
    "api-prompt-test-runs": {
        "GET": sees(ASSET, values=_P),
        "POST": may(P.EVALUATION_RUN, {"version": 2}, values=_P),
    },
    "api-prompt-test-run": {"GET": sees(ASSET)},
    "api-prompt-test-results": {"GET": sees(ASSET)},
    "api-prompt-test-cancel": {"POST": may(P.EVALUATION_RUN)},
    "prompt-tests": {"GET": sees(ASSET, values=_P)},
    "prompt-tests-edit": {
        "GET": may(P.ASSET_EDIT, values=_P),
        "POST": may(P.ASSET_EDIT, _FORM, values=_P),
    },
    "prompt-test-run-create": {"POST": may(P.EVALUATION_RUN, {"version": "2"}, values=_P)},
    "prompt-test-run": {"GET": sees(ASSET)},
    "prompt-test-run-live": {"GET": sees(ASSET)},
    "prompt-test-run-cancel": {"POST": may(P.EVALUATION_RUN)},
}
