"""Writing prompts: drafts."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, Table, account, may, sees

_OWN = "what one person is writing, seen by nobody else; saving it as a version is an event"
_DRAFT = {"content": {"type": "text", "template": "{{ half"}, "revision": 0}
_PROMPT = {"name": "p"}
_MAIN = {**_PROMPT, "branch": "main"}
PROMPT_EDITOR: Table = {
    "api-prompt-drafts-mine": {"GET": account()},
    "api-prompt-drafts": {"GET": sees(ASSET, values=_PROMPT)},
    "api-prompt-draft": {
        "GET": sees(ASSET, values=_MAIN, ok=(200, 404)),
        "PUT": may(P.ASSET_EDIT, _DRAFT, values=_MAIN, quiet=_OWN),
        "DELETE": may(P.ASSET_EDIT, values=_MAIN, quiet=_OWN),
    },
}
