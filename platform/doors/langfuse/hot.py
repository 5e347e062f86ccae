"""The quick way to a prompt by label or number, as Langfuse's SDKs ask for it: prompts.hot decides in one statement, ahead of every
other layer. Whatever is not in order goes on to the views, which word the errors."""

import re

from django.http import HttpRequest, HttpResponse

from accounts import quick
from doors.langfuse import references
from doors.langfuse.base import encoded, send_bytes
from doors.langfuse.prompts import DEFAULT_LABEL
from doors.langfuse.shapes import shape
from prompts import hot, uses
from prompts.checks import LATEST
from prompts.models import MAIN, PromptVersion

_ADDRESS = "/api/public/v2/prompts/"
_OLD = "/api/public/prompts"  # of SDKs of the second generation: ?name=
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_RESOLVE = {"": True, "true": True, "1": True, "false": False, "0": False}
_READS = hot.Reads(
    f"""{hot.LABELS}, (SELECT max(l.updated_at) FROM prompts_label l WHERE l.version_id = v.id),
    v.branch = '{MAIN}' AND NOT EXISTS (
        SELECT 1 FROM prompts_promptversion n
        WHERE n.prompt_id = a.id AND n.branch = '{MAIN}' AND n.number > v.number AND n.deleted_at IS NULL),
    ARRAY(SELECT g.key FROM prompts_prompttag g WHERE g.prompt_id = a.id AND g.value = '' ORDER BY g.key), t.id""",  # noqa: S608
    joins=quick.OWN_TEAM_JOINS,
)


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to a read of one version with a key of one team that may; None for everything else."""
    path = request.path_info
    if request.method != "GET" or not (path.startswith(_ADDRESS) or path == _OLD):
        return None
    given = quick.query(request)
    asked = quick.asked(request)
    if asked is None or given is None:
        return None
    name = given.get("name", "") if path == _OLD else path.removeprefix(_ADDRESS)
    number, label = given.get("version", ""), given.get("label", "")
    resolve = _RESOLVE.get(given.get("resolve", "").lower())
    if not name or resolve is None or (number and (label or not _NUMBER.fullmatch(number))):
        return None
    label = "" if number else label or DEFAULT_LABEL
    found = _READS.find(asked, name=name, label=label, number=int(number or 0), resolve=resolve)
    if found is None:
        return None
    labels, moved, newest, words, team = found.shown
    labels = [*labels, LATEST] if newest else labels

    def make(version: PromptVersion) -> bytes:
        template = None if resolve else references.raw(version)
        return encoded(shape(version, name=name, labels=labels, moved=moved, words=words, template=template))

    body = hot.body_of("langfuse", found, (name, tuple(labels), moved, tuple(words), team, resolve), make)
    if body is None:
        return None
    uses.note(found.version_id, found.user_id, asked.key_id, label)
    return send_bytes(body[0])
