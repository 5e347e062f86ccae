"""The one way to ask 'may this actor do this to that': used by pages, REST, tasks and (as SQL) the gateway."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from django.db.models import Model, Q
from guardian.models import UserObjectPermission

from accounts.errors import Forbidden, NotFound
from accounts.models import ApiKey, Team, TeamUserObjectPermission, User
from accounts.roles import ALL_ROLE_CODENAMES, ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Permission, Role, Scope


class InTeam(Protocol):
    """Anything that belongs to a team, a team itself included."""

    @property
    def team_id(self) -> int: ...


@dataclass(eq=False)
class Actor:
    """Who acts, and by which door. `user` None is anonymous; roles are read once per actor, so make one per request."""

    user: User | None
    key: ApiKey | None = None
    via: str = "ui"
    address: str = ""
    request_id: str = ""
    _object_roles: dict[type[Model], dict[str, set[Role]]] = field(default_factory=dict, repr=False)

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
    def team_roles(self) -> dict[int, set[Role]]:
        """Roles by team id; with a key of one team, that team's only."""
        if not self.user or not self.user.is_active:
            return {}
        rows = TeamUserObjectPermission.objects.filter(user_id=self.user.pk)
        if self.key and self.key.team_id:
            rows = rows.filter(content_object_id=self.key.team_id)
        roles: dict[int, set[Role]] = {}
        for team_id, codename in rows.values_list("content_object_id", "permission__codename"):
            if codename in ALL_ROLE_CODENAMES:
                roles.setdefault(team_id, set()).add(ALL_ROLE_CODENAMES[codename])
        return roles

    def object_roles(self, model: type[Model]) -> dict[str, set[Role]]:
        """Roles granted on single objects of this kind, by the object's key as text."""
        if not self.user or not self.user.is_active:
            return {}
        if model not in self._object_roles:
            rows = UserObjectPermission.objects.filter(
                user_id=self.user.pk,
                content_type__app_label=model._meta.app_label,
                content_type__model=model._meta.model_name,
            )
            roles: dict[str, set[Role]] = {}
            for key, codename in rows.values_list("object_pk", "permission__codename"):
                if codename in ALL_ROLE_CODENAMES:
                    roles.setdefault(key, set()).add(ALL_ROLE_CODENAMES[codename])
            self._object_roles[model] = roles
        return self._object_roles[model]

    def in_scope(self, permission: Permission) -> bool:
        if not self.key or not self.key.scopes:
            return True
        return any(permission in SCOPE_PERMISSIONS[Scope(scope)] for scope in self.key.scopes)


SYSTEM = Actor(user=None, via="task")


def roles_on(actor: Actor, obj: InTeam) -> set[Role]:
    """The actor's roles on a team or an asset, those of its team included."""
    roles = set(actor.team_roles.get(obj.team_id, set()))
    if (
        isinstance(obj, Model)
        and not isinstance(obj, Team)
        and (not actor.key or actor.key.team_id in (None, obj.team_id))
    ):
        roles |= actor.object_roles(type(obj)).get(str(obj.pk), set())
    if (
        actor.user
        and actor.user.is_active
        and actor.user.is_superuser
        and (not actor.key or actor.key.team_id in (None, obj.team_id))
    ):
        roles.add(Role.ADMIN)
    return roles


def can(actor: Actor, permission: Permission, obj: InTeam) -> bool:
    """May this actor do this to that team or asset?"""
    if not actor.in_scope(permission):
        return False
    return any(permission in ROLE_PERMISSIONS[role] for role in roles_on(actor, obj))


def require(actor: Actor, permission: Permission, obj: InTeam) -> None:
    """Raise Forbidden, naming the missing permission."""
    if not can(actor, permission, obj):
        scoped = "" if actor.in_scope(permission) else " and this key's scopes leave it out"
        raise Forbidden(
            f"This needs the permission {permission.value}, which you don't have here{scoped}. "
            "Ask an administrator of the team for a role that includes it.",
            permission=permission.value,
        )


def require_site_admin(actor: Actor) -> None:
    if not actor.is_site_admin:
        raise Forbidden("This needs a site administrator.", permission="site.manage")


def visible(
    actor: Actor, permission: Permission, model: type[Model], *, team_field: str = "team_id", own: bool = True
) -> Q:
    """A filter for lists: the rows of `model` on which the actor has the permission. Costs no query per row: the ids come from the actor's own grants, which are read once.

    `own`: whether single objects of this model may carry grants themselves.
    """
    nothing = Q(pk__in=[])
    if not actor.in_scope(permission) or not actor.user or not actor.user.is_active:
        return nothing
    if actor.user.is_superuser and permission in ROLE_PERMISSIONS[Role.ADMIN]:
        return Q(**{team_field: actor.key.team_id}) if actor.key and actor.key.team_id else Q()
    teams = team_ids(actor, permission)
    found = Q(**{f"{team_field}__in": teams}) if teams else nothing
    if own:
        keys = [int(key) for key, roles in actor.object_roles(model).items() if _any_allows(roles, permission)]
        if keys:
            shared = Q(pk__in=keys)
            found |= shared & Q(**{team_field: actor.key.team_id}) if actor.key and actor.key.team_id else shared
    return found


def team_ids(actor: Actor, permission: Permission) -> list[int]:
    """The teams on which the actor's own grants include the permission (a site administrator has more: use `visible`)."""
    return [team_id for team_id, roles in actor.team_roles.items() if _any_allows(roles, permission)]


def require_anywhere(actor: Actor, permission: Permission, *models: type[Model]) -> None:
    """Raise Forbidden for somebody who has the permission on no team and on no single object of these models: they need
    no form for it."""
    own = any(_any_allows(roles, permission) for model in models for roles in actor.object_roles(model).values())
    if not (actor.in_scope(permission) and (actor.is_site_admin or team_ids(actor, permission) or own)):
        raise Forbidden(
            f"This needs the permission {permission.value}, which none of your roles includes.",
            permission=permission.value,
        )


def _any_allows(roles: Iterable[Role], permission: Permission) -> bool:
    return any(permission in ROLE_PERMISSIONS[role] for role in roles)


def visible_teams(actor: Actor) -> Q:
    """A filter for teams: those the actor sees."""
    return visible(actor, Permission.TEAM_VIEW, Team, team_field="pk", own=False)


def get_team(actor: Actor, name: str) -> Team:
    """The team of this name, if the actor may see it; else NotFound."""
    team = Team.objects.filter(visible_teams(actor), name=name).first()
    if team is None:
        raise NotFound(f"There is no team '{name}' that you can see.")
    return team
