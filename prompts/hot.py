"""The quick door: a prompt's version by label or number with a key, answered by one SQL statement before any other layer. Here it is
decided for all doors (`Reads`); this module translates for the native one, doors.langfuse.hot and doors.mlflow.hot_prompts for theirs.

The statement decides everything that can change (the key, its owner's grants, where the label points, what was deleted), so that
whatever was revoked or moved holds at the next fetch. The text of a version never changes: this process keeps the answers that
it gave, and the statement need not read them again.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts import quick
from prompts import answers, uses
from prompts.checks import LATEST
from prompts.models import MAIN, PromptVersion

_ADDRESS = re.compile(r"/api/v1/prompts/([^/]+)/(.+)/(?:labels/([^/]+)|versions/([1-9][0-9]{0,8}))")
_SELECT = """
SELECT {key_columns}, u.id, v.id, c.email,
       %(resolve)s::boolean AND EXISTS (SELECT 1 FROM prompts_include i WHERE i.version_id = v.id), {columns}
FROM {key_joins}
JOIN prompts_prompt a ON a.team_id = t.id AND a.name = %(name)s AND a.deleted_at IS NULL
{version}
JOIN accounts_user c ON c.id = v.created_by_id
WHERE {may_view} {more}
"""
_AT_LABEL = """JOIN prompts_label l ON l.prompt_id = a.id AND l.name = %(label)s
JOIN prompts_promptversion v ON v.id = l.version_id AND v.deleted_at IS NULL"""
_NEWEST = f"""JOIN LATERAL (
    SELECT n.id, n.created_by_id, n.prompt_id, n.branch, n.number FROM prompts_promptversion n
    WHERE n.prompt_id = a.id AND n.branch = '{MAIN}' AND n.deleted_at IS NULL ORDER BY n.number DESC LIMIT 1) v ON true"""  # noqa: S608
_NUMBERED = "JOIN prompts_promptversion v ON v.prompt_id = a.id AND v.number = %(number)s AND v.deleted_at IS NULL"
MAY_VIEW = quick.key_may_view(app="prompts", model="prompt", kind="'prompt'", row="a")
# Of a version v: the names of its labels.
LABELS = "ARRAY(SELECT l.name FROM prompts_label l WHERE l.version_id = v.id ORDER BY l.name)"

_Key = tuple[Hashable, ...]
Answer = tuple[bytes, str]  # a body and its ETag


@dataclass(frozen=True, slots=True)
class Found:
    """A version that a key may read. `shown`: the columns that the door asked for besides."""

    user_id: int
    version_id: int
    email: str  # of its author: it can be erased
    shown: tuple[Any, ...]


class Reads:
    """How a door reads a version: one statement by label, by number, and for the newest."""

    def __init__(self, columns: str, *, by_label: str = "", joins: str = quick.KEY_JOINS, more: str = "") -> None:
        """columns: what the door shows besides, in SQL of a prompt a in a team t and its version v, all of it that can change;
        `by_label`: the same where a label is asked for. `more`: a further condition."""
        shared = {"key_columns": quick.KEY_COLUMNS, "key_joins": joins, "may_view": MAY_VIEW, "more": more}
        at_label = by_label or columns
        self._by_label = _SELECT.format(**shared, columns=at_label, version=_AT_LABEL)
        self._newest = _SELECT.format(**shared, columns=at_label, version=_NEWEST)
        self._by_number = _SELECT.format(**shared, columns=columns, version=_NUMBERED)

    def find(
        self, asked: quick.Asked, *, label: str = "", number: int = 0, resolve: bool, **values: Any
    ) -> Found | None:
        """The version of `name`; None where there is none for this key, and where what it includes would have to be read too."""
        by_label = self._newest if label == LATEST else self._by_label
        statement = self._by_number if number else by_label
        given = {**asked.values, **values, "label": label, "number": number, "resolve": resolve}
        row = quick.fetch(statement, given)
        if row is None or not asked.opens(row):
            return None
        _, _, _, user_id, version_id, email, includes, *shown = row
        # What they point at now is more than one statement.
        return None if includes else Found(user_id, version_id, email, tuple(shown))


def body_of(
    door: str, found: Found, more: tuple[Hashable, ...], make: Callable[[PromptVersion], bytes]
) -> Answer | None:
    """What this process answered with before, or what `make` makes of the version. `more`: all that it depends on besides the
    version, whose text never changes, and its author."""
    key: _Key = (door, found.version_id, found.email, *more)
    known = kept.get(key)
    if known is None:
        rows = PromptVersion.objects.select_related("prompt__team", "created_by")
        version = rows.filter(pk=found.version_id).first()
        known = None if version is None else kept.put(key, make(version))
    return known


class Kept:
    """Answers of this process by what they depend on; those asked for longest ago go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._size = most_bytes, 0
        self._answers: OrderedDict[_Key, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> Answer | None:
        with self._lock:
            if (found := self._answers.get(key)) is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: _Key, body: bytes) -> Answer:
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
_NATIVE = Reads(LABELS, by_label="NULL")  # labels are shown of a version that is asked for by its number


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
    found = _NATIVE.find(asked, team=team, name=name, label=label or "", number=int(number or 0), resolve=resolve)
    if found is None:
        return None
    (labels,) = found.shown

    def make(version: PromptVersion) -> bytes:
        return answers.body_of(version, labels, answers.NOTHING_INCLUDED if resolve else None)

    dependent = (f"{team}/{name}", None if labels is None else tuple(labels), resolve)
    body = body_of("native", found, dependent, make)
    if body is None:
        return None
    uses.note(found.version_id, found.user_id, asked.key_id, label or "")
    return answers.tagged(request, team, *body)
