"""Changes to a team's own roles."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, can, require
from accounts.actions.common import check_name, team_target
from accounts.actions.grants import guarded_permissions
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import CustomRole, Grant, Team
from accounts.roles import SITE_PERMISSIONS, Permission, Role
from governance.ledger.actions import Action, Target, record

MAX_SLUG = 48


@transaction.atomic
def create_role(
    *, team: Team, slug: str, title: str = "", description: str = "", permissions: Sequence[str], by: Actor
) -> CustomRole:
    """A role of the team's own. Its maker can put in only what they have themselves."""
    require(by, Permission.TEAM_MANAGE, team)
    check_name(slug, "slug")
    if len(slug) > MAX_SLUG or slug in set(Role):
        raise Invalid(
            "slug", f"'{slug}' is a built-in role." if slug in set(Role) else f"Use at most {MAX_SLUG} characters."
        )
    chosen = _checked(permissions, set(), team, by)
    try:
        with transaction.atomic():
            role = CustomRole.objects.create(
                team=team,
                slug=slug,
                title=_title(title, slug),
                description=description.strip(),
                permissions=chosen,
                created_by=by.user,
            )
    except IntegrityError:
        raise Conflict(
            f"The team '{team}' has a role '{slug}' already.", errors={"slug": ["This name is taken."]}
        ) from None
    _record(Action.ROLE_CREATED, role, by, after=_described(role))
    return role


@transaction.atomic
def change_role(
    *,
    role: CustomRole,
    title: str | None = None,
    description: str | None = None,
    permissions: Sequence[str] | None = None,
    by: Actor,
) -> CustomRole:
    """Another title, description or set of permissions: whoever holds the role has the new ones at once."""
    require(by, Permission.TEAM_MANAGE, role.team)
    team = Team.objects.select_for_update().get(pk=role.team_id)  # granting holds it too
    role = _locked(role)
    if role.archived_at:
        raise Conflict("This role is archived: it can't be changed any more.")
    before = _described(role)
    if title is not None:
        role.title = _title(title, role.slug)
    if description is not None:
        role.description = description.strip()
    if permissions is not None:
        chosen = _checked(permissions, set(role.permissions), role.team, by)
        _check_gives_nothing_guarded(role, set(chosen) - set(role.permissions), team)
        role.permissions = chosen
    after = _described(role)
    if before != after:
        role.save(update_fields=["title", "description", "permissions"])
        _record(Action.ROLE_CHANGED, role, by, before=before, after=after)
    return role


@transaction.atomic
def archive_role(*, role: CustomRole, by: Actor) -> None:
    """Take a role out of use; refused while somebody holds it, naming who. Twice is once."""
    require(by, Permission.TEAM_MANAGE, role.team)
    Team.objects.select_for_update().get(pk=role.team_id)  # granting holds it too
    role = _locked(role)
    if role.archived_at:
        return
    holders = list(Grant.objects.filter(custom_role=role).live().select_related("user").order_by("user__email")[:6])
    if holders:
        names = ", ".join(dict.fromkeys(row.user.email for row in holders[:5])) + (", …" if len(holders) > 5 else "")
        raise Conflict(f"'{role.slug}' is still held by {names}. Take it away from them first.")
    role.archived_at = timezone.now()
    role.save(update_fields=["archived_at"])
    _record(Action.ROLE_ARCHIVED, role, by)


def _locked(role: CustomRole) -> CustomRole:
    return CustomRole.objects.select_for_update(of=("self",)).select_related("team").get(pk=role.pk)


def _title(title: str, slug: str) -> str:
    title = title.strip() or slug
    if len(title) > 120:
        raise Invalid("title", "Use at most 120 characters.")
    return title


def _checked(permissions: Sequence[str], before: set[str], team: Team, by: Actor) -> list[str]:
    """The permissions, in the order of the table. What was in the role already may stay; what is new its maker must have."""
    unknown = sorted(set(permissions) - set(Permission))
    if unknown:
        raise Invalid("permissions", f"Unknown: {', '.join(unknown)}. Use {', '.join(Permission)}.")
    chosen = set(permissions)
    if not chosen:
        raise Invalid("permissions", "Choose at least one.")
    if site := sorted(chosen & SITE_PERMISSIONS):
        raise Invalid("permissions", f"{', '.join(site)} comes with being a site administrator; no role holds it.")
    lacking = sorted(name for name in chosen - before if not can(by, Permission(name), team))
    if lacking:
        raise Forbidden(
            f"You can't put into a role what you don't have in '{team}' yourself: {', '.join(lacking)}.",
            permission=lacking[0],
        )
    return [permission.value for permission in Permission if permission in chosen]


def _check_gives_nothing_guarded(role: CustomRole, added: set[str], team: Team) -> None:
    """Whoever holds a role gets at once what is put into it: not what the team gives by an approved request only."""
    around = sorted(guarded_permissions(team) & added)
    if around and Grant.objects.filter(custom_role=role).live().exists():
        raise Conflict(
            f"'{role.slug}' is held by somebody, who would get {', '.join(around)}: {team} gives that by an approved request "
            "only. Make another role for it."
        )


def _described(role: CustomRole) -> dict[str, Any]:
    return {"title": role.title, "description": role.description, "permissions": list(role.permissions)}


def _record(action: Action, role: CustomRole, by: Actor, **facts: Any) -> None:
    record(
        action,
        by=by,
        team=role.team.name,
        target=Target("role", role.pk, f"{role.team.name}/{role.slug}"),
        also=[team_target(role.team)],
        **facts,
    )
