"""Where people are signed in. allauth keeps a row per session; here is what is read of them, and the stamp of their last use."""

import time
from typing import Any

from allauth.usersessions.models import UserSession
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.access import Actor
from accounts.errors import NotFound
from accounts.models import User

_SEEN = "seen"
NO_ADDRESS = "0.0.0.0"  # noqa: S104  what allauth keeps of a request by a Unix socket, which has none
# A session's last use is written at most this often, so that pages stay reads.
_STEP_S = 60
_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ("curl/", "curl"), ("python", "Python"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def device(user_agent: str) -> str:
    """A browser's own description in three words: 'Firefox on Linux'."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if browser and system else browser or system or "Unknown device"


def shown(user: User, current: str = "") -> list[dict[str, Any]]:
    """Somebody's sessions that are still open, the last used first. `current`: the key of the one that asks."""
    rows = UserSession.objects.purge_and_list(user)
    return [
        {
            "id": row.pk,
            "device": device(row.user_agent),
            "address": row.ip,
            "signed_in_at": row.created_at,
            "last_seen_at": row.last_seen_at,
            "current": row.session_key == current,
        }
        for row in sorted(rows, key=lambda row: row.last_seen_at, reverse=True)
    ]


def find(actor: Actor, session_id: int) -> UserSession:
    """One of the actor's sessions; any, for a site administrator."""
    rows = UserSession.objects.select_related("user")
    if not actor.is_site_admin:
        rows = rows.filter(user_id=actor.id or 0)
    row = rows.filter(pk=session_id).first()
    if row is None:
        raise NotFound("There is no such session.")
    return row  # type: ignore[no-any-return]  # allauth is untyped


def begin(request: HttpRequest) -> None:
    """From now on the session's last use is noted."""
    request.session[_SEEN] = int(time.time())


def touch(request: HttpRequest, address: str) -> None:
    """Note that a session is in use. Costs nothing but once a minute, and nothing for sessions that `begin` never saw."""
    seen = request.session.get(_SEEN) if hasattr(request, "session") else None
    now = int(time.time())
    if seen is None or now - seen < _STEP_S:
        return
    request.session[_SEEN] = now
    rows = UserSession.objects.filter(session_key=request.session.session_key)
    rows.update(last_seen_at=Now(), ip=address or NO_ADDRESS)
