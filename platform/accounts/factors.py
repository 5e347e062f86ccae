"""Second factors as events. allauth tells of them only after the commit; what changed is seen inside the transaction instead."""

from collections.abc import Iterator
from contextlib import contextmanager

from allauth.mfa.models import Authenticator

from accounts.access import Actor
from accounts.actions.common import user_target
from governance.ledger.actions import Action, record

_NAMES = {"totp": "authenticator app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


@contextmanager
def changes_told(by: Actor) -> Iterator[None]:
    """Write an event for each second factor that comes, goes or is renamed inside of this block. Called inside a transaction."""
    user = by.user
    before = _held(user.pk) if user else {}
    yield
    if user is None:
        return
    after = _held(user.pk)
    for pk in before.keys() ^ after.keys():
        action, (kind, _) = (Action.MFA_ENABLED, after[pk]) if pk in after else (Action.MFA_DISABLED, before[pk])
        record(action, by=by, target=user_target(user), after={"factor": _NAMES.get(kind, kind)})
    for pk in before.keys() & after.keys():
        if before[pk] != after[pk]:
            names = ({"name": before[pk][1]}, {"name": after[pk][1]})
            record(Action.MFA_RENAMED, by=by, target=user_target(user), before=names[0], after=names[1])


def _held(user_id: int) -> dict[int, tuple[str, str]]:
    """Kind and name of each second factor."""
    rows = Authenticator.objects.filter(user_id=user_id).values_list("pk", "type", "data")
    return {pk: (kind, str(data.get("name", ""))) for pk, kind, data in rows}
