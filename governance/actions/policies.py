"""Changes to policies: each one is a new version; what held before stays readable."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action, Target, record
from governance.models import Policy, PolicyVersion
from governance.rules import Rules, parse
from governance.stages import Stage

KINDS = ("model", "dataset", "prompt")


def _target(policy: Policy) -> Target:
    return Target("policy", policy.pk, str(policy))


@transaction.atomic
def create_policy(*, team: Team, kind: str, pattern: str, stage: str, checks: Any, reviews: Any, by: Actor) -> Policy:
    """A policy for one stage of the team's assets of a kind, whose names match the pattern."""
    require(by, Permission.POLICY_EDIT, team)
    if kind not in KINDS:
        raise Invalid("kind", f"Use one of {', '.join(KINDS)}.")
    if stage not in set(Stage):
        raise Invalid("stage", f"Use one of {', '.join(Stage)}.")
    pattern = pattern.strip()
    if not pattern or len(pattern) > 120 or "/" in pattern:
        raise Invalid("pattern", "Use a name of an asset without its team; '*' stands for any letters.")
    rules = parse(checks, reviews)
    try:
        with transaction.atomic():
            policy = Policy.objects.create(team=team, kind=kind, pattern=pattern, stage=stage)
    except IntegrityError:
        raise Conflict(
            "There is a policy for this kind, pattern and stage already: change that one.",
            errors={"pattern": ["This pattern has a policy for this stage."]},
        ) from None
    version = _add_version(policy, rules, by)
    record(
        Action.POLICY_CREATED,
        by=by,
        team=team.name,
        target=_target(policy),
        after={"version": version.number, **rules.as_json()},
    )
    return policy


@transaction.atomic
def update_policy(*, policy: Policy, checks: Any, reviews: Any, by: Actor) -> PolicyVersion:
    """New rules from now on. Approvals given under the old ones no longer count for requests that are open."""
    policy = _lock(policy)
    require(by, Permission.POLICY_EDIT, policy.team)
    rules = parse(checks, reviews)
    before = policy.current
    assert before is not None
    old = parse(before.checks, before.reviews)
    if old == rules:
        return before
    version = _add_version(policy, rules, by)
    record(
        Action.POLICY_CHANGED,
        by=by,
        team=policy.team.name,
        target=_target(policy),
        before={"version": before.number, **old.as_json()},
        after={"version": version.number, **rules.as_json()},
    )
    return version


@transaction.atomic
def remove_policy(*, policy: Policy, by: Actor) -> None:
    """End a policy. A stage that is always protected falls back to the built-in rule of one review."""
    policy = _lock(policy)
    require(by, Permission.POLICY_EDIT, policy.team)
    policy.removed_at = timezone.now()
    policy.save(update_fields=["removed_at"])
    assert policy.current is not None
    record(
        Action.POLICY_REMOVED,
        by=by,
        team=policy.team.name,
        target=_target(policy),
        before={"version": policy.current.number, **parse(policy.current.checks, policy.current.reviews).as_json()},
    )


def _lock(policy: Policy) -> Policy:
    found = Policy.objects.select_for_update(of=("self",)).select_related("team", "current").get(pk=policy.pk)
    if found.removed_at:
        raise Conflict("This policy has been removed.")
    return found


def _add_version(policy: Policy, rules: Rules, by: Actor) -> PolicyVersion:
    data = rules.as_json()
    version = PolicyVersion.objects.create(
        policy=policy,
        number=(policy.current.number if policy.current else 0) + 1,
        checks=data["checks"],
        reviews=data["reviews"],
        created_by=by.user,
    )
    policy.current = version
    policy.save(update_fields=["current"])
    return version
