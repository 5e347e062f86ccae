"""Checking, rendering and composing prompts."""

from tests.matrix.rules import ASSET, NO_CHANGE, TEAM, Table, account, sees

_TEXT = {"type": "text", "template": "Hi {{ x }}", "variables": {"x": "1"}}
_PROMPT = {"name": "p"}
PROMPT_TEMPLATES: Table = {
    "api-prompt-render-content": {"POST": sees(TEAM, body=_TEXT, quiet=NO_CHANGE)},
    "api-prompt-check": {"POST": sees(TEAM, body=_TEXT, quiet=NO_CHANGE)},
    "api-prompt-render-label": {"POST": sees(ASSET, values=_PROMPT, body={"variables": {"x": "1"}}, quiet=NO_CHANGE)},
    "api-tokenize": {"POST": account({"text": "a word or two"}, quiet=NO_CHANGE)},
    "prompt-graph": {"GET": sees(ASSET, values=_PROMPT)},
    "api-prompt-impact": {"GET": sees(ASSET, values=_PROMPT)},
    "api-prompt-graph": {"GET": sees(ASSET, values=_PROMPT)},
}
