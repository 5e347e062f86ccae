"""What somebody was refused, as events: written when the answer is ready, outside of the transaction that the refusal rolled back."""

import hashlib
import logging

from django.core.cache import cache
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase

from accounts.access import Actor
from accounts.errors import Forbidden
from accounts.held import Planned
from accounts.models import Team
from governance.ledger.actions import Action, Target, record

logger = logging.getLogger(__name__)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# One event for the same thing in so many seconds: who knocks a thousand times fills no ledger.
STEP_S = 60


def note(request: HttpRequest, error: Exception) -> None:
    """Remember a refusal that is about to be shown. Of one request the first counts."""
    if isinstance(error, Forbidden) and error.permission and not hasattr(request, "_refusal"):
        request._refusal = error  # type: ignore[attr-defined]


def write(request: HttpRequest, response: HttpResponseBase) -> None:
    """The event of a refused attempt to change something, by somebody who is signed in or sent a key."""
    error: Forbidden | None = getattr(request, "_refusal", None)
    if error is None or request.method in _SAFE or response.status_code < 400:
        return
    by: Actor = request.actor  # type: ignore[attr-defined]
    if by.user is None:
        return
    team, target = _about(error.on, request)
    words = f"{by.id}:{by.key.key_id if by.key else ''}:{error.permission}:{target.subject}"
    if not _is_news(hashlib.sha256(words.encode()).hexdigest()):
        return
    record(
        Action.ACCESS_REFUSED,
        by=by,
        team=team,
        target=target,
        after={"permission": error.permission, "door": f"{request.method} {request.path[:300]}"},
        reason=error.detail[:500],
    )


def _about(on: object, request: HttpRequest) -> tuple[str, Target]:
    if isinstance(on, Planned):
        on = Team.objects.filter(pk=on.team_id).first()
    if isinstance(on, Model):
        team = getattr(on, "team", None)
        kind = str(getattr(on, "kind", "") if on._meta.model_name == "asset" else on._meta.model_name)
        return team.name if team else "", Target(kind, on.pk, str(on))
    return "", Target("address", request.path[:200], request.path)


def _is_news(name: str) -> bool:
    try:
        return bool(cache.add(f"refused:{name}", 1, STEP_S))
    except Exception:
        # Without Redis every attempt is an event: rather too many than none.
        logger.warning("Refused attempts can't be told apart: Redis does not answer")
        return True
