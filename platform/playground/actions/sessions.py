"""Workbenches: saved by their author, copied by others."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team
from playground.actions.common import require_play
from playground.models import PlaygroundSession
from prompts.checks import check_note

MAX_NAME = 120
MAX_BYTES = 2 * 1024 * 1024


def save_session(
    *,
    session: PlaygroundSession | None = None,
    team: Team,
    name: str,
    columns: Sequence[Mapping[str, Any]],
    inputs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    by: Actor,
) -> PlaygroundSession:
    """Keep a workbench as it stands, finished or not: what is wrong with it is said when it is run."""
    author = require_play(by, session or team)
    name = check_note("name", name, MAX_NAME) or "Untitled"
    _check_size(columns, inputs, options)
    fields = {"name": name, "columns": list(columns), "inputs": list(inputs), "options": dict(options)}
    if session is None:
        return PlaygroundSession.objects.create(team=team, created_by=author, **fields)
    with transaction.atomic():
        locked = _lock(session)
        _require_author(locked, by)
        for field, value in fields.items():
            setattr(locked, field, value)
        locked.updated_at = timezone.now()
        locked.save(update_fields=[*fields, "updated_at"])
    return locked


def copy_session(*, session: PlaygroundSession, by: Actor) -> PlaygroundSession:
    """One's own, to run and to change."""
    return save_session(
        team=session.team,
        name=f"{session.name[: MAX_NAME - 7]} (copy)",
        columns=session.columns,
        inputs=session.inputs,
        options=session.options,
        by=by,
    )


@transaction.atomic
def delete_session(*, session: PlaygroundSession, by: Actor) -> None:
    """Its runs stay."""
    require_play(by, session)
    locked = _lock(session)
    _require_author(locked, by)
    locked.deleted_at = timezone.now()
    locked.save(update_fields=["deleted_at"])


def is_author(session: PlaygroundSession, by: Actor) -> bool:
    return by.user is not None and session.created_by_id == by.user.pk


def _require_author(session: PlaygroundSession, by: Actor) -> None:
    if not is_author(session, by):
        raise Forbidden("This session is somebody else's: copy it, and change the copy.")


def _lock(session: PlaygroundSession) -> PlaygroundSession:
    rows = PlaygroundSession.objects.select_for_update(of=("self",)).select_related("team", "created_by")
    found: PlaygroundSession | None = rows.filter(pk=session.pk, deleted_at=None).first()
    if found is None:
        raise Conflict("This session was deleted meanwhile.")
    return found


def _check_size(*values: Any) -> None:
    size = sum(len(repr(value)) for value in values)
    if size > MAX_BYTES:
        raise Invalid("inputs", f"A session holds at most {MAX_BYTES:,} characters, here {size:,}: use a dataset.")
    if any("\\x00" in repr(value) for value in values):
        raise Invalid("inputs", "Take out the NUL character.")
