"""Handing one's reviewing to a colleague while away."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.access import Actor, can, require
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import Team, User
from accounts.roles import Permission
from governance import clock
from governance.ledger.actions import Action, Target, record
from governance.models import Delegation

LONGEST = timedelta(days=366)
MAX_REASON = 300


@transaction.atomic
def delegate(
    *, to: User, team: Team, starts_at: datetime, ends_at: datetime, reason: str = "", by: Actor
) -> Delegation:
    """Let somebody else review for `by` in this team for a while: with the roles and groups that `by` has then, and bound by what
    binds both. What was handed to `by` is not handed on."""
    require(by, Permission.DELEGATION_CREATE, team)
    if by.user is None or by.user.kind != User.Kind.PERSON or by.key is not None:
        raise Forbidden("Sign in to hand your reviewing to somebody.", permission=Permission.DELEGATION_CREATE.value)
    reason, now = reason.strip(), clock.now()
    if len(reason) > MAX_REASON or "\0" in reason:
        raise Invalid("reason", f"Use at most {MAX_REASON} characters.")
    if ends_at <= starts_at:
        raise Invalid("ends_at", "The end comes after the beginning.")
    if ends_at <= now:
        raise Invalid("ends_at", f"This has passed: it is {now:%Y-%m-%d %H:%M:%S} UTC on the server.")
    if ends_at - starts_at > LONGEST or starts_at > now + LONGEST:
        raise Invalid("ends_at", f"Use at most {LONGEST.days} days.")
    if to == by.user:
        raise Invalid("to", "That is you.")
    if to.kind != User.Kind.PERSON or not to.is_active or not can(Actor(to), Permission.TEAM_VIEW, team):
        raise Invalid("to", f"{to.email} is nobody who is in the team '{team}' and can review: choose a person of it.")
    # One at a time in a team: two who name each other at once would both see no cycle.
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    overlapping = Delegation.objects.filter(team=team, ended_at=None, starts_at__lt=ends_at, ends_at__gt=starts_at)
    if overlapping.filter(delegator=by.user, delegate=to).exists():
        raise Conflict(f"{to} reviews for you in that time already.")
    if chain := _path(list(overlapping.select_related("delegator", "delegate")), to, by.user):
        raise Conflict(
            f"A circle: {' for '.join(str(user) for user in chain)} review for each other in that time. "
            "Somebody of them has to be there.",
            errors={"to": ["This would close a circle."]},
        )
    row = Delegation.objects.create(
        team=team, delegator=by.user, delegate=to, starts_at=starts_at, ends_at=ends_at, reason=reason
    )
    _record(Action.DELEGATION_CREATED, row, by, reason)
    return row


@transaction.atomic
def end_delegation(*, delegation: Delegation, by: Actor) -> Delegation:
    """End it before its time: who gave it, who received it, or an administrator of the team. Twice is once."""
    row = (
        Delegation.objects.select_for_update(of=("self",))
        .select_related("team", "delegator", "delegate")
        .get(pk=delegation.pk)
    )
    if by.id is None or by.id not in (row.delegator_id, row.delegate_id) or by.key is not None:
        require(by, Permission.TEAM_MANAGE, row.team)
    if row.ended_at is None:
        row.ended_at = clock.now()
        row.save(update_fields=["ended_at"])
        _record(Action.DELEGATION_ENDED, row, by)
    return row


def _path(delegations: list[Delegation], start: User, goal: User) -> list[User]:
    """The people from `start` to `goal` along who reviews for whom by whose wish; empty when there is no such way."""
    ways: list[list[User]] = [[start]]
    seen = {start.pk}
    while ways:
        way = ways.pop(0)
        for row in delegations:
            if row.delegator_id == way[-1].pk:
                if row.delegate_id == goal.pk:
                    return [*way, goal]
                if row.delegate_id not in seen:
                    seen.add(row.delegate_id)
                    ways.append([*way, row.delegate])
    return []


def _record(action: Action, row: Delegation, by: Actor, reason: str = "") -> None:
    facts = {
        "delegator": row.delegator.email,
        "delegate": row.delegate.email,
        "starts_at": row.starts_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
    }
    record(
        action,
        by=by,
        team=row.team.name,
        target=Target("delegation", row.pk, f"{row.delegator.email} to {row.delegate.email}"),
        also=[
            Target("user", row.delegator_id, row.delegator.email),
            Target("user", row.delegate_id, row.delegate.email),
        ],
        after=facts,
        reason=reason,
    )
