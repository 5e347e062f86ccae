"""The one way to ask 'may this actor do this to that': used by pages, REST, tasks and (as SQL) the gateway."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from django.db.models import Model, Q

from accounts.errors import Forbidden, NotFound
from accounts.held import Held, Holdings, Planned, holdings_of
from accounts.models import ApiKey, Team, User
from accounts.prefixes import names_filter
from accounts.roles import (
    ANY_STAGE,
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    SITE_PERMISSIONS,
    Permission,
    Role,
    Scope,
)

__all__ = [
    "ANY_STAGE", "SYSTEM", "Actor", "InTeam", "Planned", "can", "get_team", "lent", "require", "require_anywhere",
    "require_site_admin", "require_stage_permission", "roles_on", "team_ids", "visible", "visible_teams",
]  # fmt: skip
PRODUCTION = "production"


class InTeam(Protocol):
    """Anything that belongs to a team, a team itself included."""

    @property
    def team_id(self) -> int: ...


@dataclass(eq=False)
class Actor:
    """Who acts, and by which door. `user` None is anonymous; grants are read once per actor, so make one per request."""

    user: User | None
    key: ApiKey | None = None
    via: str = "ui"
    address: str = ""
    request_id: str = ""
    _lent: dict[tuple[type[Model], Permission, str], Q | None] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return str(self.user) if self.user else "system"

    @property
    def id(self) -> int | None:
        return self.user.pk if self.user else None

    @property
    def is_site_admin(self) -> bool:
        """With a key of one team nobody is: such a key reaches nothing outside of it."""
        return bool(
            self.user
            and self.user.is_active
            and self.user.is_superuser
            and self.in_scope(Permission.TEAM_MANAGE)
            and not (self.key and self.key.team_id)
        )

    @cached_property
    def holdings(self) -> Holdings:
        """What this actor holds; with a key of one team, in that team only."""
        return holdings_of(self.user, self.key)

    def administers_site_over(self, team_id: int) -> bool:
        """Is this a site administrator, whose key (if any) reaches the team?"""
        return bool(
            self.user
            and self.user.is_active
            and self.user.is_superuser
            and (not self.key or self.key.team_id in (None, team_id))
        )

    def in_scope(self, permission: Permission) -> bool:
        if not self.key or not self.key.scopes:
            return True
        return any(permission in SCOPE_PERMISSIONS[Scope(scope)] for scope in self.key.scopes)


SYSTEM = Actor(user=None, via="task")


def _covering(actor: Actor, obj: InTeam) -> list[Held]:
    if actor.key and actor.key.team_id not in (None, obj.team_id):
        return []
    return actor.holdings.covering(obj, obj.team_id)


def _stage(obj: InTeam, stage: str) -> str:
    """The stage of an act: the one that is named, else the one that the thing itself is in (a deployment)."""
    return stage or str(getattr(obj, "stage", "") or "")


def roles_on(actor: Actor, obj: InTeam, *, stage: str = "") -> set[str]:
    """The slugs of the actor's roles on a team or an asset, those of its team and of its name's prefixes included. Roles that
    are limited to a stage count at that stage alone."""
    stage = _stage(obj, stage)
    roles = {held.role for held in _covering(actor, obj) if held.holds_at(stage)}
    if actor.administers_site_over(obj.team_id):
        roles.add(Role.ADMIN.value)
    return roles


def can(actor: Actor, permission: Permission, obj: InTeam, *, stage: str = "") -> bool:
    """May this actor do this to that team or asset, at this stage ('' : at none; ANY_STAGE: at one or other)?"""
    if not actor.in_scope(permission):
        return False
    if permission in SITE_PERMISSIONS:
        return actor.is_site_admin
    if actor.administers_site_over(obj.team_id) and permission in ROLE_PERMISSIONS[Role.ADMIN]:
        return True
    stage = _stage(obj, stage)
    return any(held.gives(permission, stage) for held in _covering(actor, obj))


def require(actor: Actor, permission: Permission, obj: InTeam, *, stage: str = "") -> None:
    """Raise Forbidden, naming the missing permission."""
    if can(actor, permission, obj, stage=stage):
        return
    scoped = "" if actor.in_scope(permission) else " and this key's scopes leave it out"
    at = _stage(obj, stage)
    there = f"for {at} here" if at and at != ANY_STAGE else "here"
    raise Forbidden(
        f"This needs the permission {permission.value}, which you don't have {there}{scoped}. "
        "Ask an administrator of the team for a role that includes it.",
        permission=permission.value,
        on=obj,
    )


def require_stage_permission(actor: Actor, stage: str, obj: InTeam) -> None:
    """Asked wherever production is asked for, applied or deployed to, beside the permission for the act itself."""
    if stage == PRODUCTION:
        require(actor, Permission.PRODUCTION_SET, obj, stage=stage)


def require_site_admin(actor: Actor) -> None:
    if not actor.is_site_admin:
        raise Forbidden("This needs a site administrator.", permission="site.manage")


def visible(
    actor: Actor,
    permission: Permission,
    model: type[Model],
    *,
    team_field: str = "team_id",
    own: bool = True,
    stage_field: str = "",
) -> Q:
    """A filter for lists: the rows of `model` on which the actor has the permission. Costs no query per row: the ids come from
    the actor's own grants, which are read once.

    `own`: whether single objects of this model may carry grants themselves. `stage_field`: the column that holds the stage of a
    row, against which grants limited to a stage are held.
    """
    nothing = Q(pk__in=[])
    if not actor.in_scope(permission) or not actor.user or not actor.user.is_active:
        return nothing
    if actor.user.is_superuser and permission in ROLE_PERMISSIONS[Role.ADMIN]:
        return Q(**{team_field: actor.key.team_id}) if actor.key and actor.key.team_id else Q()
    teams = team_ids(actor, permission)
    found = Q(**{f"{team_field}__in": teams}) if teams else nothing
    if stage_field:
        for stage in _stages_held(actor):
            more = [team for team in team_ids(actor, permission, stage=stage) if team not in teams]
            if more:
                found |= Q(**{f"{team_field}__in": more, stage_field: stage})
    if own:
        shared = lent(actor, permission, model)
        if shared is not None:
            found |= shared & Q(**{team_field: actor.key.team_id}) if actor.key and actor.key.team_id else shared
    return found


def _stages_held(actor: Actor) -> list[str]:
    return sorted({held.stage for held in actor.holdings.everything() if held.stage})


def lent(actor: Actor, permission: Permission, model: type[Model], *, stage: str = "") -> Q | None:
    """A filter on `model` (assets, prompts, deployments): those on which the actor has the permission by a grant on the single
    one or on a prefix of its name. None where there is no such grant. At most one query, whatever their number."""
    if not actor.in_scope(permission) or not actor.user or not actor.user.is_active:
        return None
    key = (model, permission, stage)
    if key not in actor._lent:
        label = str(model._meta.model_name)
        single = {
            int(pk)
            for (kind, pk), grants in actor.holdings.objects.items()
            if kind == label and any(held.gives(permission, stage) for held in grants)
        }
        wide = set(team_ids(actor, permission, stage=stage))
        prefixes = {
            (team, held.kind, held.prefix)
            for team, grants in actor.holdings.prefixes.items()
            if team not in wide
            for held in grants
            if held.gives(permission, stage)
        }
        actor._lent[key] = names_filter(model, prefixes, single)
    return actor._lent[key]


def team_ids(actor: Actor, permission: Permission, *, stage: str = "") -> list[int]:
    """The teams on which the actor's own grants include the permission (a site administrator has more: use `visible`)."""
    return [
        team_id
        for team_id, grants in actor.holdings.teams.items()
        if any(held.gives(permission, stage) for held in grants)
    ]


def require_anywhere(actor: Actor, permission: Permission, *models: type[Model]) -> None:
    """Raise Forbidden for somebody who has the permission on no team and on no asset of these models, at no stage: they need
    no form for it."""
    labels = {str(model._meta.model_name) for model in models}
    own = any(
        held.gives(permission, ANY_STAGE)
        for held in actor.holdings.everything()
        if held.model == "team" or held.model in labels
    )
    if not (actor.in_scope(permission) and (actor.is_site_admin or own)):
        raise Forbidden(
            f"This needs the permission {permission.value}, which none of your roles includes.",
            permission=permission.value,
        )


def visible_teams(actor: Actor) -> Q:
    """A filter for teams: those the actor sees."""
    return visible(actor, Permission.TEAM_VIEW, Team, team_field="pk", own=False)


def get_team(actor: Actor, name: str) -> Team:
    """The team of this name, if the actor may see it; else NotFound."""
    team = Team.objects.filter(visible_teams(actor), name=name).first()
    if team is None:
        raise NotFound(f"There is no team '{name}' that you can see.")
    return team
