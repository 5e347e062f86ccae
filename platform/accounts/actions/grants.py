"""Giving roles and taking them away."""

import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import Permission as Codename
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.access import Actor, can, require, roles_on
from accounts.actions.common import role_target, user_target
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, NotFound
from accounts.models import CustomRole, Grant, Team, User
from accounts.roles import CUSTOM_CODENAME, ROLE_PERMISSIONS, STAGES, Permission, Role, roles_with
from governance.ledger.actions import Action, record

KINDS = ("model", "dataset", "prompt", "deployment")
MAX_REASON = 2_000
_PREFIX_HELP = "Use the beginning of a name, such as 'date-' or 'support/': letters, digits, spaces, '.', '_', '-' and '/', at most 96."
# Of names of any kind: those of prompts hold folders, in any alphabet.
_PREFIX = re.compile(r"[^\W_][\w .()/-]{0,95}")


@transaction.atomic
def grant(
    *,
    user: User,
    role: str,
    on: models.Model,
    by: Actor,
    prefix: str = "",
    kind: str = "",
    stage: str = "",
    expires_at: datetime | None = None,
    reason: str = "",
    request_id: int | None = None,
) -> tuple[Grant, bool]:
    """Give a role on a team (or on its names that begin with `prefix`) or on one asset; and whether that changed anything.

    A grant that is there already gets the new end. A role that the team guards needs an approved request: whoever passes
    `request_id` has checked it, and it stands in for team.manage; it adds nothing to what `by` may hand out.
    """
    team: Team = on.team  # type: ignore[attr-defined]  # teams and assets have it
    if request_id is None:
        require(by, Permission.TEAM_MANAGE, on)  # type: ignore[arg-type]  # teams and assets have team_id
    team = Team.objects.select_for_update().get(pk=team.pk)
    custom = role_of(team, role)
    check_hands_out_own(role, custom, on, by)
    if request_id is None:
        _check_unguarded(team, user, role, custom)
    prefix, reason = _checked_prefix(on, prefix.strip(), kind), reason.strip()
    if stage and stage not in STAGES:
        raise Invalid("stage", f"Use one of {', '.join(STAGES)}, or leave it out: at every stage.")
    if len(reason) > MAX_REASON:
        raise Invalid("reason", f"Use at most {MAX_REASON} characters.")
    if expires_at and expires_at <= timezone.now():
        raise Invalid("expires_at", "Use a time in the future.")
    content_type = ContentType.objects.get_for_model(on)
    where = {"prefix": prefix, "kind": kind, "stage": stage, "object_pk": str(on.pk)}
    found = Grant.objects.filter(user=user, role=role, team=team, content_type=content_type, **where).first()
    if found and found.expires_at == expires_at and not found.has_expired():
        return found, False
    before = described(found) if found and not found.has_expired() else None
    if found and before is None:
        end(found, by=by)
        found = None
    row = found or Grant(
        user=user,
        team=team,
        role=role,
        custom_role=custom,
        content_type=content_type,
        permission=Codename.objects.get(
            content_type=content_type, codename=CUSTOM_CODENAME if custom else f"role_{role}"
        ),
        **where,
    )
    row.expires_at, row.reason, row.request_id = expires_at, reason, request_id
    row.granted_by, row.granted_at = by.user, timezone.now()
    row.save()
    row.team = team
    record(
        Action.ROLE_GRANTED,
        by=by,
        team=team.name,
        target=user_target(user),
        also=[role_target(on)],
        before=before,
        after=described(row),
        reason=reason,
    )
    return row, True


def grant_role(
    *, user: User, role: str, on: models.Model, by: Actor, request_id: int | None = None, **narrower: Any
) -> bool:
    """`grant`, for whom only the answer matters: False when it was there already."""
    return grant(user=user, role=role, on=on, by=by, request_id=request_id, **narrower)[1]


def _check_unguarded(team: Team, user: User, role: str, custom: CustomRole | None) -> None:
    """Raise for a role that is given by an approved request only, and for one that would go around it: a role of the team's
    own with what only guarded roles give."""
    if is_guarded(team, role):
        raise ApprovalRequired(
            f"'{role}' of {team} is given by an approved request only. Ask for one.",
            link=f"/requests/new/role/{team}?" + urlencode({"person": user.email, "role": role}),
        )
    if around := sorted(guarded_permissions(team) & set(custom.permissions if custom else ())):
        raise Conflict(
            f"'{role}' includes {', '.join(around)}, which {team} gives by an approved request only. Let a policy guard "
            f"'{role}' too, then ask for it."
        )


def is_guarded(team: Team, role: str) -> bool:
    """Is this role given by an approved request only?"""
    return any(fnmatchcase(role, pattern) for pattern in team.guarded_roles)


def guarded_permissions(team: Team) -> frozenset[Permission]:
    """What no built-in role gives but those that the team guards."""
    if not team.guarded_roles:
        return frozenset()
    by_role = {permission: roles_with(permission) for permission in Permission}
    return frozenset(
        permission for permission, roles in by_role.items() if roles and all(is_guarded(team, role) for role in roles)
    )


def check_hands_out_own(role: str, custom: CustomRole | None, on: models.Model, by: Actor) -> None:
    """An administrator hands out every role; whoever manages the team by a role of its own, only what they have themselves."""
    if Role.ADMIN in roles_on(by, on):  # type: ignore[arg-type]  # teams and assets have team_id
        return
    given = [Permission(name) for name in custom.permissions] if custom else ROLE_PERMISSIONS[Role(role)]
    lacking = sorted(permission.value for permission in given if not can(by, permission, on))  # type: ignore[arg-type]
    if lacking:
        raise Forbidden(
            f"You can't give a role with what you don't have here yourself: {', '.join(lacking)}.",
            permission=lacking[0],
        )


@transaction.atomic
def revoke_grant(*, grant: Grant, by: Actor, reason: str = "") -> None:
    """Take one grant away. Twice is once; the team's last administrator stays."""
    # The team's row first, as granting does: two administrators who revoke each other wait for one another.
    team = Team.objects.select_for_update().get(pk=grant.team_id)
    row = Grant.objects.select_for_update(of=("self",)).select_related("user").filter(pk=grant.pk).first()
    if row is None:
        return
    on = row.content_object
    require(by, Permission.TEAM_MANAGE, on)
    row.team = team
    check_not_last_administrator(row)
    before = described(row)
    row.delete()
    record(
        Action.ROLE_REVOKED,
        by=by,
        team=team.name,
        target=user_target(row.user),
        also=[role_target(on)],
        before=before,
        reason=reason.strip(),
    )


@transaction.atomic
def revoke_role(*, user: User, role: str, on: models.Model, by: Actor) -> None:
    """Take a role away from just this team or asset, however it was narrowed; without effect, and without an event, where it
    was not held."""
    require(by, Permission.TEAM_MANAGE, on)  # type: ignore[arg-type]  # teams and assets have team_id
    for row in Grant.objects.on(on).filter(user=user, role=role).select_related("team"):
        revoke_grant(grant=row, by=by)


def check_not_last_administrator(row: Grant) -> None:
    """Raise Conflict when, without this grant, the team has nobody who manages it. The caller holds the team's row."""
    if row.role != Role.ADMIN or not row.is_on_team or row.prefix or row.stage or row.has_expired():
        return
    others = Grant.objects.filter(
        team_id=row.team_id, role=Role.ADMIN.value, prefix="", stage="", content_type_id=row.content_type_id,
        user__is_active=True,
    )  # fmt: skip
    if not others.live().exclude(pk=row.pk).exists():
        raise Conflict(f"{row.user} is the last administrator of '{row.team}'. Make somebody else one first.")


def end_expired() -> int:
    """Write down the grants whose time is over and clear them away; they stopped counting when it was. How many."""
    done = 0
    for pk in Grant.objects.filter(expires_at__lte=Now()).values_list("pk", flat=True)[:1000]:
        with transaction.atomic():
            row = (
                Grant.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("user", "team")
                .filter(pk=pk, expires_at__lte=Now())
                .first()
            )
            if row is not None:
                end(row, by=Actor(None, via="task"))
                done += 1
    return done


def end(row: Grant, *, by: Actor) -> None:
    """Clear away an expired grant, with its event. Called inside a transaction that holds its row or its team's."""
    before = described(row)
    on = row.content_object
    row.delete()
    record(
        Action.ROLE_EXPIRED,
        by=by,
        team=row.team.name,
        target=user_target(row.user),
        also=[role_target(on)] if on else [],
        before=before,
    )


def role_of(team: Team, role: str) -> CustomRole | None:
    """The team's own role of this name, None for a built-in one; raises Invalid for neither."""
    if role in set(Role):
        return None
    custom = CustomRole.objects.filter(team=team, slug=role).first()
    if custom is None or custom.archived_at:
        raise Invalid(
            "role",
            f"The role '{role}' is archived: it can't be granted any more."
            if custom
            else f"There is no role '{role}'. Use one of {', '.join(roles_for(team))}.",
        )
    return custom


def roles_for(team: Team) -> list[str]:
    """The slugs of the roles that can be granted in a team."""
    own = CustomRole.objects.filter(team=team, archived_at=None).values_list("slug", flat=True)
    return [*(role.value for role in Role), *own]


def described(row: Grant) -> dict[str, Any]:
    """What the ledger writes down about a grant."""
    facts: dict[str, Any] = {"role": row.role, "on": row.where}
    for name in ("kind", "stage", "request_id"):
        if value := getattr(row, name):
            facts[name] = value
    if row.expires_at:
        facts["expires_at"] = row.expires_at.isoformat()
    return facts


def find_grant(team: Team, grant_id: int) -> Grant:
    row: Grant | None = (
        Grant.objects.filter(pk=grant_id, team=team).live().select_related("user", "team", "custom_role").first()
    )
    if row is None:
        raise NotFound(f"There is no grant {grant_id} in the team '{team}'.")
    return row


def _checked_prefix(on: models.Model, prefix: str, kind: str) -> str:
    if kind and kind not in KINDS:
        raise Invalid("kind", f"Use one of {', '.join(KINDS)}.")
    prefix = prefix.removesuffix("*")
    if not prefix:
        if kind:
            raise Invalid("kind", "A kind narrows a prefix: give one, or leave the kind out.")
        return ""
    if not isinstance(on, Team):
        raise Invalid("prefix", "A prefix is of names in a team; this is a grant on one asset.")
    if prefix.startswith(f"{on.name}/"):  # as it is shown: acme/date-*
        prefix = prefix.removeprefix(f"{on.name}/")
    if not _PREFIX.fullmatch(prefix):
        raise Invalid("prefix", _PREFIX_HELP)
    return prefix
