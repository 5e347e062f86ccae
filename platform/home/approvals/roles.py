"""Asking for a role that the team gives by approved requests only."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

import prompts.reads
import registry.reads
from accounts.access import Actor, require
from accounts.actions.grants import check_hands_out_own, role_of
from accounts.errors import Conflict, Invalid
from accounts.models import Grant, Team, User
from accounts.roles import Permission
from governance import actions, gate
from governance.models import ApprovalRequest

_ON = ("model", "dataset", "prompt")


def open_role(
    *,
    team: Team,
    person: User,
    role: str,
    reason: str,
    by: Actor,
    asset_kind: str = "",
    asset: str = "",
    prefix: str = "",
    kind: str = "",
    stage: str = "",
    expires_at: datetime | None = None,
    apply_at: datetime | None = None,
) -> ApprovalRequest:
    """Ask that a guarded role be given: on the team, on its names that begin with `prefix`, or on one asset (team/name)."""
    require(by, Permission.TEAM_MANAGE, team)
    change = {
        "action": "grant",
        "person": person.email,
        "role": role,
        "on": f"{asset_kind}:{asset}" if asset else "",
        "prefix": prefix,
        "kind": kind,
        "stage": stage,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    check_hands_out_own(role, role_of(team, role), _on(change, team, by), by)
    return actions.open_change(
        team=team,
        kind="role",
        label=f"{team.name}/{role}",
        asset_id=0,
        slot=person.email[:96],
        stage="",
        change=change,
        previous=_held(person, team),
        author_ids=[person.pk],
        reason=reason,
        by=by,
        apply_at=apply_at,
    )


def granting(request: ApprovalRequest, by: Actor) -> tuple[User, dict[str, Any]]:
    """Whom an approved request gives what, as arguments of `grant_role`; Conflict where that has changed since."""
    change = dict(request.change)
    person = User.objects.filter(email__iexact=change["person"], is_active=True).first()
    if person is None:
        raise Conflict(f"There is no active account of {change['person']} any more.")
    require(by, Permission.TEAM_MANAGE, request.team)
    gate.require_change(
        team=request.team, kind="role", label=request.asset_label, stage="", change=request.change, request=request,
        previous=_held(person, request.team),
    )  # fmt: skip
    return person, {
        "role": change["role"],
        "on": _on(change, request.team, by),
        "prefix": change["prefix"],
        "kind": change["kind"],
        "stage": change["stage"],
        "expires_at": parse_datetime(change["expires_at"]) if change["expires_at"] else None,
    }


def _on(change: dict[str, Any], team: Team, by: Actor) -> Any:
    kind, _, asset = str(change["on"]).partition(":")
    if not asset:
        return team
    if kind not in _ON:
        raise Invalid("asset_kind", f"Use one of {', '.join(_ON)}.")
    found = prompts.reads.get_prompt(by, asset) if kind == "prompt" else registry.reads.get_asset(by, kind, asset)
    if found.team_id != team.pk:
        raise Invalid("asset", f"{asset} belongs to another team.")
    return found


def _held(person: User, team: Team) -> dict[str, Any]:
    """The roles that somebody holds in the team now, each as a line."""
    grants = Grant.objects.filter(user=person, team=team).live()
    rows = grants.values_list("role", "content_type__model", "object_pk", "prefix", "kind", "stage")
    return {"grants": sorted("/".join(row) for row in rows)}
