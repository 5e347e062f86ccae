"""Branches, label history, folders, tags and the end of prompts."""

from accounts.roles import Permission as P
from tests.matrix.rules import ASSET, NO_CHANGE, TEAM, Table, may, sees

_BRANCH = {"branch": "side"}
_DELETED = {"version": 3}
_SPARE = {"name": "spare", "number": 1}
PROMPT_HISTORY: Table = {
    "api-prompt-folders": {"GET": sees(TEAM, query="team={team}")},
    "api-prompt-restore": {"POST": may(P.ASSET_EDIT, {}, values={"name": "gone"})},
    "api-prompt-tags": {"GET": sees(ASSET)},
    "api-prompt-tag": {
        "PUT": may(P.ASSET_EDIT, {"value": "new"}, values={"key": "owner"}),
        "DELETE": may(P.ASSET_EDIT, values={"key": "owner"}),
    },
    "api-prompt-version-restore": {"POST": may(P.ASSET_EDIT, values={"number": 3})},
    "api-prompt-version-tags": {"GET": sees(ASSET)},
    "api-prompt-version-tag": {
        "PUT": may(P.ASSET_EDIT, {"value": "new"}, values={"key": "owner"}),
        "DELETE": may(P.ASSET_EDIT, values={"key": "owner"}),
    },
    "api-prompt-branches": {"GET": sees(ASSET), "POST": may(P.ASSET_EDIT, {"name": "fresh"})},
    "api-prompt-branch": {"GET": sees(ASSET, values=_BRANCH), "DELETE": may(P.ASSET_EDIT, values=_BRANCH)},
    "api-prompt-merge-preview": {"POST": sees(ASSET, body={}, values=_BRANCH, quiet=NO_CHANGE)},
    "api-prompt-merge": {"POST": may(P.ASSET_EDIT, {}, values=_BRANCH)},
    "api-label-rollback": {"POST": may(P.ALIAS_MOVE, {}, values={"label": "moved"})},
    "prompt-version-weights": {"GET": sees(ASSET, query="from=1&to=2")},
    "prompt-archive": {"POST": may(P.ASSET_EDIT)},
    "prompt-restore": {"POST": may(P.ASSET_EDIT, values={"name": "gone"})},
    "prompt-delete": {"POST": may(P.ASSET_EDIT, values=_SPARE)},
    "prompt-tag-set": {"POST": may(P.ASSET_EDIT, {"key": "new"})},
    "prompt-tag-remove": {"POST": may(P.ASSET_EDIT, {"key": "owner"})},
    "prompt-version-tag-set": {"POST": may(P.ASSET_EDIT, {"key": "new"}, values={"number": 1})},
    "prompt-version-tag-remove": {"POST": may(P.ASSET_EDIT, {"key": "owner"}, values={"number": 1})},
    "prompt-version-delete": {"POST": may(P.ASSET_EDIT, values=_SPARE)},
    "prompt-version-restore": {"POST": may(P.ASSET_EDIT, _DELETED)},
    "prompt-branches": {"GET": sees(ASSET), "POST": may(P.ASSET_EDIT, {"name": "fresh"})},
    "prompt-branch-merge": {
        "GET": may(P.ASSET_EDIT, values=_BRANCH),
        "POST": may(P.ASSET_EDIT, {"seen_source": 4, "seen_target": 2}, values=_BRANCH),
    },
    "prompt-branch-close": {"POST": may(P.ASSET_EDIT, values=_BRANCH)},
    "label-roll-back": {"POST": may(P.ALIAS_MOVE, values={"label": "moved"})},
}
PROMPT_HISTORY = {
    name: {m: rule.but(values={"name": "p", **rule.values}) for m, rule in rules.items()}
    for name, rules in PROMPT_HISTORY.items()
}
