"""Asking for a change to a policy that is itself governed."""

from typing import Any

from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.actions.policies import change_of, draft, label_of, state_of
from governance.actions.requests import open_change
from governance.models import ApprovalRequest, Policy

ACTIONS = ("create", "update", "remove")


@transaction.atomic
def ask_for_policy(
    *,
    team: Team,
    action: str,
    reason: str,
    by: Actor,
    policy: Policy | None = None,
    kind: str = "",
    pattern: str = "",
    stage: str = "",
    checks: Any = None,
    reviews: Any = None,
    terms: Any = None,
) -> ApprovalRequest:
    """A request of kind policy: make, change or remove a policy exactly so. Needs policy.edit. `policy`: which one, but to create."""
    require(by, Permission.POLICY_EDIT, team)
    if action not in ACTIONS:
        raise Invalid("action", f"Use one of {', '.join(ACTIONS)}.")
    if (policy is None) != (action == "create"):
        raise Invalid("policy", "Name the policy that is to be changed or removed; a new one has no number yet.")
    if policy is not None:
        kind, pattern, stage = policy.kind, policy.pattern, policy.stage
        if action == "remove" and policy.current is not None:
            checks, reviews, terms = policy.current.checks, policy.current.reviews, policy.current.terms
    found = draft(team=team, kind=kind, pattern=pattern, stage=stage, checks=checks, reviews=reviews, terms=terms)
    return open_change(
        team=team,
        kind="policy",
        label=label_of(team, found.kind),
        asset_id=policy.pk if policy else 0,
        slot="rules",
        stage="",
        change=change_of(action, found, policy),
        previous=state_of(policy),
        author_ids=[by.id] if by.id else [],
        reason=reason,
        by=by,
    )
