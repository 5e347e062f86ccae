"""Changes to API keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import keys
from accounts.access import Actor, require, require_site_admin, visible_teams
from accounts.actions.common import user_target
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import ApiKey, Grant, Team, User
from accounts.networks import read_network
from accounts.roles import Permission, Scope
from governance.ledger.actions import Action, Target, record

MAX_NETWORKS = 64
MAX_OVERLAP = timedelta(days=30)


@transaction.atomic
def create_key(
    *,
    name: str,
    by: Actor,
    team: Team | None = None,
    user: User | None = None,
    scopes: Sequence[str] = (),
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key for oneself, or, as the team's administrator, for a service account. Returns the row and the whole key, which is
    shown this once. `networks`: in CIDR form, from where alone it works; none: from everywhere."""
    owner = user or by.user
    _check_may_make(owner, team, by)
    assert owner is not None
    if not name.strip():
        raise Invalid("name", "Name the key after what will use it.")
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise Invalid(
            "scopes", f"Unknown: {', '.join(unknown)}. Use {', '.join(Scope)}, or none for all that you may do."
        )
    if expires_at and expires_at <= timezone.now():
        raise Invalid("expires_at", "Use a time in the future.")
    row, whole = _new(
        user=owner,
        made_by=by.user,
        team=team,
        name=name.strip(),
        scopes=list(scopes),
        networks=checked_networks(networks),
        expires_at=expires_at,
    )
    record(
        Action.KEY_CREATED,
        by=by,
        team=team.name if team else "",
        target=key_target(row),
        also=[user_target(owner)],
        after={"owner": owner.email, **_described(row)},
    )
    return row, whole


@transaction.atomic
def rotate_key(*, key: ApiKey, overlap_s: int, by: Actor) -> tuple[ApiKey, str]:
    """A new key in the place of this one, with the same owner, team, scopes, networks and length of life; the old one works for
    `overlap_s` seconds more. Who may make the key anew may rotate it."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("team", "user").get(pk=key.pk)
    _check_may_make(key.user, key.team, by)
    if not 0 <= overlap_s <= MAX_OVERLAP.total_seconds():
        raise Invalid(
            "overlap_s", f"Use a number of seconds between 0 and {int(MAX_OVERLAP.total_seconds())} (30 days)."
        )
    if key.replaced_by_id:
        raise Conflict(f"The key {key.key_id} was rotated already: {key.replaced_by} took its place.")
    now = timezone.now()
    if key.state(now) != "active":
        raise Conflict(f"The key {key.key_id} is {key.state(now)}: there is nothing to rotate. Make a new one.")
    row, whole = _new(
        user=key.user,
        made_by=by.user,
        team=key.team,
        name=key.name,
        scopes=key.scopes,
        networks=key.networks,
        expires_at=now + (key.expires_at - key.created_at) if key.expires_at else None,
    )
    before = _described(key)
    until = now + timedelta(seconds=overlap_s)
    key.expires_at, key.replaced_by = min(key.expires_at or until, until), row
    key.save(update_fields=["expires_at", "replaced_by"])
    record(
        Action.KEY_ROTATED,
        by=by,
        team=key.team.name if key.team else "",
        target=key_target(key),
        also=[key_target(row), user_target(key.user)],
        before=before,
        after={**_described(key), "replaced_by": row.key_id},
    )
    return row, whole


@transaction.atomic
def limit_key(*, key: ApiKey, networks: Sequence[str], by: Actor) -> ApiKey:
    """Other networks for a key: who may make it anew may say so."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("team", "user").get(pk=key.pk)
    _check_may_make(key.user, key.team, by)
    before, key.networks = _described(key), checked_networks(networks)
    if before != _described(key):
        key.save(update_fields=["networks"])
        record(
            Action.KEY_CHANGED,
            by=by,
            team=key.team.name if key.team else "",
            target=key_target(key),
            also=[user_target(key.user)],
            before=before,
            after=_described(key),
        )
    return key


def checked_networks(networks: Sequence[str]) -> list[str]:
    """The networks as they are kept; Invalid names the one that is wrong."""
    found = []
    for text in networks:
        try:
            found.append(str(read_network(text)))
        except ValueError as error:
            raise Invalid("networks", str(error)) from None
    if len(found) > MAX_NETWORKS:
        raise Invalid("networks", f"Use at most {MAX_NETWORKS} networks.")
    return list(dict.fromkeys(found))


def key_target(key: ApiKey) -> Target:
    return Target("key", key.key_id, key.name)


def _check_may_make(owner: User | None, team: Team | None, by: Actor) -> None:
    """Oneself for oneself; an administrator of the team for a service account of it. Never with a key."""
    if owner is None:
        raise Forbidden("Sign in to make a key.")
    if by.key is not None:
        raise Forbidden("A key cannot make keys: sign in for that.")
    if owner != by.user:
        if owner.kind != User.Kind.SERVICE:
            raise Forbidden("A person's keys are made by that person alone.")
        if team is None:
            raise Invalid("team", "A service account's key belongs to a team: name it.")
        require(by, Permission.TEAM_MANAGE, team)
        if not Grant.objects.filter(user=owner, team=team).live().exists():
            raise Invalid("service_account", f"{owner.email} has no role in '{team}'. Give it one first.")
    elif (
        team is not None
        and not Team.objects.filter(visible_teams(by), pk=team.pk).exists()
        and not Grant.objects.filter(user=owner, team=team).live().exists()
    ):
        raise Invalid("team", f"You have no role in '{team}'.")


def _new(**fields: Any) -> tuple[ApiKey, str]:
    key_id, whole, hashed = keys.new_key()
    return ApiKey.objects.create(key_id=key_id, secret_sha256=hashed, **fields), whole


def _described(key: ApiKey) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "scopes": list(key.scopes),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
    return facts | ({"networks": list(key.networks)} if key.networks else {})


@transaction.atomic
def revoke_key(*, key: ApiKey, by: Actor) -> None:
    """End a key: one's own, or as administrator any key of the team. Twice is once.

    A key that is narrower than its person (a team, scopes) ends itself and nothing wider than itself."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("team", "user").get(pk=key.pk)
    with_whole_power = by.key is None or by.key.pk == key.pk or (not by.key.scopes and by.key.team_id is None)
    if key.user_id != by.id or not with_whole_power:
        if key.team is None:
            require_site_admin(by)
        else:
            require(by, Permission.TEAM_MANAGE, key.team)
    if key.revoked_at:
        return
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    record(
        Action.KEY_REVOKED,
        by=by,
        team=key.team.name if key.team else "",
        target=key_target(key),
        also=[user_target(key.user)],
    )
