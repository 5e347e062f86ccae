"""The quick door: a prompt's version by label or number with a key, answered by one SQL statement before any other layer.

The statement decides everything that can change (the key, its owner's grants, where the label points, what was deleted), so that
whatever was revoked or moved holds at the next fetch. The text of a version never changes: this process keeps the answers that
it gave, and the statement need not read them again.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict

from django.http import HttpRequest, HttpResponse

from accounts import quick
from prompts import answers, uses
from prompts.checks import LATEST
from prompts.models import MAIN, PromptVersion

_ADDRESS = re.compile(r"/api/v1/prompts/([^/]+)/(.+)/(?:labels/([^/]+)|versions/([1-9][0-9]{0,8}))")
_SELECT = """
SELECT {key_columns}, u.id, v.id, c.email, {labels},
       %(resolve)s::boolean AND EXISTS (SELECT 1 FROM prompts_include i WHERE i.version_id = v.id)
FROM {key_joins}
JOIN prompts_prompt a ON a.team_id = t.id AND a.name = %(name)s AND a.deleted_at IS NULL
{version}
JOIN accounts_user c ON c.id = v.created_by_id
WHERE {may_view}
"""
_SHARED = {
    "key_columns": quick.KEY_COLUMNS,
    "key_joins": quick.KEY_JOINS,
    "may_view": quick.key_may_view(app="prompts", model="prompt", kind="'prompt'", row="a"),
}
_BY_LABEL = _SELECT.format(
    **_SHARED,
    labels="NULL",
    version="JOIN prompts_label l ON l.prompt_id = a.id AND l.name = %(label)s\n"
    "JOIN prompts_promptversion v ON v.id = l.version_id AND v.deleted_at IS NULL",
)
_LATEST = _SELECT.format(
    **_SHARED,
    labels="NULL",
    version="JOIN LATERAL (SELECT n.id, n.created_by_id FROM prompts_promptversion n WHERE n.prompt_id = a.id "  # noqa: S608
    f"AND n.branch = '{MAIN}' AND n.deleted_at IS NULL ORDER BY n.number DESC LIMIT 1) v ON true",
)
_BY_NUMBER = _SELECT.format(
    **_SHARED,
    labels="ARRAY(SELECT l.name FROM prompts_label l WHERE l.version_id = v.id ORDER BY l.name)",
    version="JOIN prompts_promptversion v ON v.prompt_id = a.id AND v.number = %(number)s AND v.deleted_at IS NULL",
)
# Version, its author's address (which can be erased), the prompt's address, the labels that are shown, whether resolved.
_Key = tuple[int, str, str, tuple[str, ...] | None, bool]


class Kept:
    """Answers of this process by what they depend on; those asked for longest ago go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._size = most_bytes, 0
        self._answers: OrderedDict[_Key, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> tuple[bytes, str] | None:
        with self._lock:
            if (found := self._answers.get(key)) is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: _Key, body: bytes) -> tuple[bytes, str]:
        answer = body, answers.etag_of(body)
        with self._lock:
            if len(body) <= self._most // 8 and key not in self._answers:
                self._answers[key] = answer
                self._size += len(body)
                while self._size > self._most:
                    self._size -= len(self._answers.popitem(last=False)[1][0])
        return answer

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()
            self._size = 0


kept = Kept(32 * 1024**2)


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to `GET /api/v1/prompts/{team}/{name}/labels/{label}` or `…/versions/{n}` with a good key and the permission;
    None for everything else."""
    if request.method != "GET" or not request.path_info.startswith("/api/v1/prompts/"):
        return None
    match = _ADDRESS.fullmatch(request.path_info)
    query = request.META.get("QUERY_STRING", "")
    if match is None or query not in ("", "resolve=1"):
        return None
    asked = quick.asked(request)
    if asked is None:
        return None
    team, name, label, number = match.groups()
    resolve = bool(query)
    values = {**asked.values, "team": team, "name": name, "resolve": resolve}
    if number:
        row = quick.fetch(_BY_NUMBER, values | {"number": min(int(number), 2**31 - 1)})
    elif label == LATEST:
        row = quick.fetch(_LATEST, values)
    else:
        row = quick.fetch(_BY_LABEL, values | {"label": label})
    if row is None or not asked.opens(row):
        return None
    _, _, _, user_id, version_id, email, labels, includes = row
    if includes:  # what they point at now is more than one statement
        return None
    key: _Key = (version_id, email, f"{team}/{name}", None if labels is None else tuple(labels), resolve)
    found = kept.get(key)
    if found is None:
        rows = PromptVersion.objects.select_related("prompt__team", "created_by")
        version = rows.filter(pk=version_id).first()
        if version is None:
            return None
        found = kept.put(key, answers.body_of(version, labels, answers.NOTHING_INCLUDED if resolve else None))
    uses.note(version_id, user_id, asked.key_id, label or "")
    return answers.tagged(request, team, *found)
