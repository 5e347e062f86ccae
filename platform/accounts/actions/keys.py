"""Changes to API keys."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import keys
from accounts.access import Actor, require, require_site_admin, roles_on, visible_teams
from accounts.errors import Forbidden, Invalid
from accounts.models import ApiKey, Grant, Team, User
from accounts.roles import ANY_STAGE, Permission, Scope
from governance.ledger.actions import Action, Target, record


@transaction.atomic
def create_key(
    *,
    name: str,
    by: Actor,
    team: Team | None = None,
    user: User | None = None,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key for oneself, or, as the team's administrator, for a service account. Returns the row and the whole key, which is shown this once."""
    owner = user or by.user
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
        and not roles_on(by, team, stage=ANY_STAGE)
    ):
        raise Invalid("team", f"You have no role in '{team}'.")
    if not name.strip():
        raise Invalid("name", "Name the key after what will use it.")
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise Invalid(
            "scopes", f"Unknown: {', '.join(unknown)}. Use {', '.join(Scope)}, or none for all that you may do."
        )
    if expires_at and expires_at <= timezone.now():
        raise Invalid("expires_at", "Use a time in the future.")
    key_id, whole, hashed = keys.new_key()
    row = ApiKey.objects.create(
        key_id=key_id,
        secret_sha256=hashed,
        user=owner,
        made_by=by.user,
        team=team,
        name=name.strip(),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    record(
        Action.KEY_CREATED,
        by=by,
        team=team.name if team else "",
        target=Target("key", key_id, name),
        also=[Target("user", owner.pk, owner.email)],
        after={
            "owner": owner.email,
            "scopes": list(scopes),
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
    )
    return row, whole


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
        target=Target("key", key.key_id, key.name),
        also=[Target("user", key.user_id, key.user.email)],
    )
