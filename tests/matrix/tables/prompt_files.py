"""Prompts as files."""

from accounts.roles import Permission as P
from tests.matrix.rules import NO_CHANGE, TEAM, Table, current, may, sees

_FILE = {"files": [{"path": "fresh.yaml", "text": "prompt: fresh\ntemplate: hi\n"}]}

PROMPT_FILES: Table = {
    "api-prompt-export": {"GET": sees(TEAM, records="prompts.exported")},
    "api-prompt-import": {"POST": may(P.ASSET_CREATE, _FILE, see=TEAM)},
    "prompt-files": {"GET": current(P.ASSET_VIEW)},
    "prompt-export": {"GET": current(P.ASSET_VIEW, records="prompts.exported")},
    "prompt-import": {"POST": current(P.ASSET_CREATE, {"preview": "1"}, ok=(422,), quiet=NO_CHANGE)},
}
