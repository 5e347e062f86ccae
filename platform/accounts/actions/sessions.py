"""Ending sessions."""

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction

from accounts.access import Actor, require_site_admin
from accounts.actions.common import user_target
from accounts.errors import Forbidden
from accounts.models import User
from accounts.sessions import device
from governance.ledger.actions import Action, record


@transaction.atomic
def revoke_session(*, session: UserSession, by: Actor, reason: str = "") -> None:
    """Sign one session out: one's own, or as a site administrator anybody's. Twice is once."""
    _check(session.user, by)
    row = UserSession.objects.select_for_update(of=("self",)).select_related("user").filter(pk=session.pk).first()
    if row is not None:
        _end(row, by, reason)


@transaction.atomic
def revoke_sessions(*, user: User, by: Actor, keep: str = "", reason: str = "") -> int:
    """Sign somebody out everywhere but in the session `keep`. How many sessions that ended."""
    _check(user, by)
    return end_sessions(user, by=by, keep=keep, reason=reason)


def end_sessions(user: User, *, by: Actor, keep: str = "", reason: str = "") -> int:
    """As `revoke_sessions`, for an act that ends them (a new password, a deactivation). Inside its transaction."""
    rows = list(UserSession.objects.select_for_update().filter(user=user).exclude(session_key=keep))
    for row in rows:
        row.user = user
        _end(row, by, reason)
    return len(rows)


def _check(user: User, by: Actor) -> None:
    if by.user != user:
        require_site_admin(by)
    elif by.key is not None and (by.key.scopes or by.key.team_id):
        raise Forbidden("A key that is narrower than its person ends no sessions: sign in for that.")


def _end(row: UserSession, by: Actor, reason: str) -> None:
    SessionStore().delete(row.session_key)
    row.delete()
    record(
        Action.SESSION_REVOKED,
        by=by,
        target=user_target(row.user),
        before={
            "device": device(row.user_agent),
            "address": row.ip,
            "signed_in_at": row.created_at.isoformat(),
        },
        reason=reason,
    )
