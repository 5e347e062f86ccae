"""The quick way to a prompt, as MLflow's clients ask for it: prompts.hot decides in one statement, ahead of every other layer.
Loading a prompt is two requests to them, for the registered model and for the version.

A name may be a model's as well, which comes first: only names that were prompts' in this process lately are looked up here before
the models', and no answer is given where there is a model of that name. Whatever is not in order goes on to the views.
"""

import json
import threading

from django.http import HttpRequest, HttpResponse, QueryDict

from accounts import quick
from doors.mlflow.base import encoded, send, send_bytes
from doors.mlflow.prompt_entities import prompt_json, version_json
from prompts import hot, uses
from prompts.models import PromptVersion

API = "/api/2.0/mlflow/"
_NO_MODEL = """AND NOT EXISTS (
    SELECT 1 FROM registry_asset m WHERE m.team_id = t.id AND m.kind = 'model' AND m.name = %(name)s AND m.deleted_at IS NULL)"""
_TAGS = "SELECT json_agg(json_build_array(g.key, g.value) ORDER BY g.key)::text FROM"
_READS = hot.Reads(
    f"{hot.LABELS}, ({_TAGS} prompts_promptversiontag g WHERE g.version_id = v.id), t.name",
    joins=quick.OWN_TEAM_JOINS,
    more=_NO_MODEL,
)


def _ms(column: str) -> str:
    return f"trunc(extract(epoch FROM {column}) * 1000)::bigint"


_PROMPT = f"""
SELECT {quick.KEY_COLUMNS}, t.name, {_ms("a.created_at")}, {_ms("a.updated_at")}, a.description,
    ({_TAGS} prompts_prompttag g WHERE g.prompt_id = a.id),
    (SELECT json_agg(json_build_array(l.name, v.number) ORDER BY l.name)::text
     FROM prompts_label l JOIN prompts_promptversion v ON v.id = l.version_id WHERE l.prompt_id = a.id)
FROM {quick.OWN_TEAM_JOINS}
JOIN prompts_prompt a ON a.team_id = t.id AND a.name = %(name)s AND a.deleted_at IS NULL
WHERE {hot.MAY_VIEW} {_NO_MODEL}
"""  # noqa: S608  constants of ours


class Names:
    """Names that were prompts' lately. It says what to try first, and never what to answer."""

    def __init__(self, most: int) -> None:
        self._most, self._names, self._lock = most, dict[str, None](), threading.Lock()

    def add(self, name: str) -> None:
        with self._lock:
            self._names[name] = None
            if len(self._names) > self._most:
                del self._names[next(iter(self._names))]

    def __contains__(self, name: object) -> bool:
        return name in self._names


known = Names(20_000)


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to a read of a prompt or of one of its versions with a key of one team that may; None for everything else."""
    read = _QUESTIONS.get(request.path_info) if request.method == "GET" else None
    given = quick.query(request) if read is not None else None
    if read is None or given is None or given.get("name") not in known:
        return None
    asked = quick.asked(request)
    return None if asked is None else read(request, asked, given)


def _prompt(request: HttpRequest, asked: quick.Asked, given: QueryDict) -> HttpResponse | None:
    name = given.get("name", "")
    row = quick.fetch(_PROMPT, {**asked.values, "name": name})
    if row is None or not asked.opens(row) or not _in_workspace(request, row[3]):
        return None
    created, updated, description, tags, labels = row[4:]
    shown = prompt_json(
        name=name, created=created, updated=updated, description=description,
        tags=json.loads(tags or "[]"), labels=json.loads(labels or "[]"),
    )  # fmt: skip
    return send({"registered_model": shown})


def _by_alias(request: HttpRequest, asked: quick.Asked, given: QueryDict) -> HttpResponse | None:
    label = given.get("alias", "").lower()
    return _version(request, asked, given.get("name", ""), label=label) if label else None


def _by_number(request: HttpRequest, asked: quick.Asked, given: QueryDict) -> HttpResponse | None:
    text = given.get("version", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return _version(request, asked, given.get("name", ""), number=number) if number else None


def _version(
    request: HttpRequest, asked: quick.Asked, name: str, *, label: str = "", number: int = 0
) -> HttpResponse | None:
    found = _READS.find(asked, name=name, label=label, number=number, resolve=True)
    if found is None:
        return None
    labels, tags, team = found.shown
    if not _in_workspace(request, team):
        return None

    def make(version: PromptVersion) -> bytes:
        shown = version_json(version, tags=json.loads(tags or "[]"), labels=labels, template=version.template)
        return encoded({"model_version": shown})

    body = hot.body_of("mlflow", found, (name, tuple(labels), tags), make)
    if body is None:
        return None
    uses.note(found.version_id, found.user_id, asked.key_id, label)
    return send_bytes(body[0])


def _in_workspace(request: HttpRequest, team: str) -> bool:
    return request.META.get("HTTP_X_MLFLOW_WORKSPACE", "").strip() in ("", "default", team)


_QUESTIONS = {
    f"{API}registered-models/get": _prompt,
    f"{API}registered-models/alias": _by_alias,
    f"{API}model-versions/get": _by_number,
}
