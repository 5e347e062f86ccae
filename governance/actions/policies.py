"""Changes to policies: each one is a new version; what held before stays readable. Policies can be governed by policies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.db import IntegrityError, transaction

from accounts.access import Actor, require
from accounts.errors import Conflict, Invalid
from accounts.models import CustomRole, Team
from accounts.roles import Permission, Role
from governance import clock, gate
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest, Policy, PolicyVersion
from governance.policies.people import check_people
from governance.rules import Rules, check_sense, parse
from governance.stages import Stage

KINDS = tuple(kind.value for kind in Policy.Kind)
# Policies and roles have no stages; a policy of theirs holds everywhere.
STAGELESS = frozenset({Policy.Kind.POLICY.value, Policy.Kind.ROLE.value})
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789._-"


@dataclass(frozen=True)
class Draft:
    """A policy that makes sense, but is not there (yet)."""

    team: Team
    kind: str
    pattern: str
    stage: str
    rules: Rules


def draft(*, team: Team, kind: str, pattern: str, stage: str, checks: Any, reviews: Any, terms: Any = None) -> Draft:
    """What was written, parsed and refused where it contradicts itself or could never be met. Also for a dry run."""
    if kind not in KINDS:
        raise Invalid("kind", f"Use one of {', '.join(KINDS)}.")
    pattern = _pattern(team, kind, pattern)
    if kind in STAGELESS:
        if stage:
            raise Invalid("stage", f"A {kind} belongs to no stage: leave it empty.")
    elif stage not in set(Stage):
        raise Invalid("stage", f"Use one of {', '.join(Stage)}.")
    return Draft(team, kind, pattern, stage, _rules(team, kind, checks, reviews, terms))


def _rules(team: Team, kind: str, checks: Any, reviews: Any, terms: Any) -> Rules:
    rules = parse(checks, reviews, terms)
    check_sense(rules, kind=kind)
    check_people(team, rules)
    return rules


def _pattern(team: Team, kind: str, pattern: str) -> str:
    pattern = pattern.strip()
    if kind == Policy.Kind.PROMPT:
        return _prompt_pattern(pattern)
    if not pattern or len(pattern) > 120 or "/" in pattern:
        raise Invalid("pattern", "Use a name without its team; '*' stands for any letters, '?' for one.")
    if wrong := sorted({letter for letter in pattern if letter not in _NAME + "*?"}):
        raise Invalid(
            "pattern",
            f"No name has {', '.join(repr(letter) for letter in wrong[:5])} in it, so that this would match nothing. Names "
            "have lower-case letters, digits, '.', '_' and '-'.",
        )
    if len(pattern.replace("*", "")) > 96 or (pattern[0] in "._-" or pattern[-1] in "._-"):
        raise Invalid(
            "pattern", "Names have at most 96 characters and begin and end with a letter or digit: this matches none."
        )
    options: list[str] = []
    if kind == Policy.Kind.POLICY:
        options = list(KINDS)
    elif kind == Policy.Kind.ROLE:
        own = CustomRole.objects.filter(team=team, archived_at=None).values_list("slug", flat=True)
        options = [*(role.value for role in Role), *own]
    if options and not any(fnmatchcase(name, pattern) for name in options):
        raise Invalid("pattern", f"This matches none of {', '.join(options)}.")
    return pattern


def _prompt_pattern(pattern: str) -> str:
    """Prompts stand in folders, and have letters of any alphabet (prompts.names)."""
    if not re.fullmatch(r"(?:[\w .()*?-]+/)*[\w .()*?-]+", pattern) or len(pattern) > 120:
        raise Invalid(
            "pattern",
            "Use a prompt's name without its team, with its folders, such as 'support/*'; '*' stands for any letters, '?' for one "
            "(at most 120).",
        )
    return pattern


def _target(policy: Policy) -> Target:
    return Target("policy", policy.pk, str(policy))


def change_of(action: str, found: Draft, policy: Policy | None = None) -> dict[str, Any]:
    """The change as a request of kind policy asks for it: what its approval is bound to."""
    change: dict[str, Any] = {"action": action, "policy": policy.pk if policy else None}
    change |= {"kind": found.kind, "pattern": found.pattern, "stage": found.stage}
    return change if action == "remove" else change | found.rules.as_json()


def label_of(team: Team, kind: str) -> str:
    """What a request about a policy is about: the team's rules for this kind."""
    return f"{team.name}/{kind}"


def state_of(policy: Policy | None) -> dict[str, Any] | None:
    """What there is now, as a request keeps it beside the change."""
    if policy is None or policy.current is None:
        return None
    return {"version": policy.current.number, **_current(policy).as_json()}


def is_guarded(team: Team, kind: str) -> bool:
    """Does changing this team's policies for this kind need an approval?"""
    return gate.is_guarded(team, "policy", label_of(team, kind), "")


def _require_approved(found: Draft, action: str, policy: Policy | None, request: ApprovalRequest | None) -> None:
    gate.require_change(
        team=found.team,
        kind="policy",
        label=label_of(found.team, found.kind),
        stage="",
        change=change_of(action, found, policy),
        previous=state_of(policy),
        request=request,
    )


@transaction.atomic
def create_policy(
    *,
    team: Team,
    kind: str,
    pattern: str,
    stage: str,
    checks: Any,
    reviews: Any,
    by: Actor,
    terms: Any = None,
    request: ApprovalRequest | None = None,
) -> Policy:
    """A policy for one stage of the team's assets of a kind, whose names match the pattern. `request`: the approval of exactly this,
    where the team's policies are governed."""
    if request is None:
        require(by, Permission.POLICY_EDIT, team)
    found = draft(team=team, kind=kind, pattern=pattern, stage=stage, checks=checks, reviews=reviews, terms=terms)
    _lock_team(team)
    _require_approved(found, "create", None, request)
    try:
        with transaction.atomic():
            policy = Policy.objects.create(
                team=team, kind=found.kind, pattern=found.pattern, stage=found.stage, created_at=clock.now()
            )
    except IntegrityError:
        raise Conflict(
            "There is a policy for this kind, pattern and stage already: change that one.",
            errors={"pattern": ["This pattern has a policy for this stage."]},
        ) from None
    version = _add_version(policy, found.rules, by)
    record(
        Action.POLICY_CREATED,
        by=by,
        team=team.name,
        target=_target(policy),
        after={"version": version.number, **found.rules.as_json()},
        also=_also(request),
    )
    _guard_roles(policy)
    return policy


@transaction.atomic
def update_policy(
    *,
    policy: Policy,
    checks: Any,
    reviews: Any,
    by: Actor,
    terms: Any = None,
    request: ApprovalRequest | None = None,
) -> PolicyVersion:
    """New rules from now on. Approvals given under the old ones no longer count for requests that are open."""
    if request is None:
        require(by, Permission.POLICY_EDIT, policy.team)
    _lock_team(policy.team)
    policy = _lock(policy)
    rules = _rules(policy.team, policy.kind, checks, reviews, terms)
    before, old = policy.current, _current(policy)
    assert before is not None
    if old == rules:
        return before
    _require_approved(Draft(policy.team, policy.kind, policy.pattern, policy.stage, rules), "update", policy, request)
    version = _add_version(policy, rules, by)
    record(
        Action.POLICY_CHANGED,
        by=by,
        team=policy.team.name,
        target=_target(policy),
        before={"version": before.number, **old.as_json()},
        after={"version": version.number, **rules.as_json()},
        also=_also(request),
    )
    return version


@transaction.atomic
def remove_policy(*, policy: Policy, by: Actor, request: ApprovalRequest | None = None) -> None:
    """End a policy. A stage that is always protected falls back to the built-in rule of one review."""
    if request is None:
        require(by, Permission.POLICY_EDIT, policy.team)
    _lock_team(policy.team)
    policy = _lock(policy)
    old = _current(policy)
    _require_approved(Draft(policy.team, policy.kind, policy.pattern, policy.stage, old), "remove", policy, request)
    policy.removed_at = clock.now()
    policy.save(update_fields=["removed_at"])
    assert policy.current is not None
    record(
        Action.POLICY_REMOVED,
        by=by,
        team=policy.team.name,
        target=_target(policy),
        before={"version": policy.current.number, **old.as_json()},
        also=_also(request),
    )
    _guard_roles(policy)


@transaction.atomic
def apply_change(request: ApprovalRequest, by: Actor) -> None:
    """Carry out an approved request of kind policy with the rights of `by`, who asked for it. Whether the approval covers exactly
    this is checked by the gate."""
    require(by, Permission.POLICY_EDIT, request.team)
    change = request.change
    if request.kind != "policy" or not isinstance(change, Mapping):
        raise Conflict("This request is not about a policy.", link=f"/requests/{request.pk}")
    rules: dict[str, Any] = {name: change.get(name) for name in ("checks", "reviews", "terms")}
    if change["action"] == "create":
        scope: dict[str, Any] = {name: change[name] for name in ("kind", "pattern", "stage")}
        create_policy(team=request.team, **scope, **rules, by=by, request=request)
        return
    policy = Policy.objects.select_related("team").filter(team=request.team, pk=change["policy"]).first()
    if policy is None:
        raise Conflict("The policy that was to be changed is not there any more.", link=f"/requests/{request.pk}")
    if change["action"] == "remove":
        remove_policy(policy=policy, by=by, request=request)
    else:
        update_policy(policy=policy, **rules, by=by, request=request)


def _also(request: ApprovalRequest | None) -> list[Target]:
    return [Target("request", request.pk, str(request), request.digest)] if request else []


def _lock_team(team: Team) -> None:
    """One change of a team's policies at a time: whether one is governed is asked of the others."""
    Team.objects.select_for_update(of=("self",)).get(pk=team.pk)


def _lock(policy: Policy) -> Policy:
    found = Policy.objects.select_for_update(of=("self",)).select_related("team", "current").get(pk=policy.pk)
    if found.removed_at:
        raise Conflict("This policy has been removed.")
    return found


def _current(policy: Policy) -> Rules:
    assert policy.current is not None
    return parse(policy.current.checks, policy.current.reviews, policy.current.terms)


def _add_version(policy: Policy, rules: Rules, by: Actor) -> PolicyVersion:
    version = PolicyVersion.objects.create(
        policy=policy,
        number=(policy.current.number if policy.current else 0) + 1,
        created_by=by.user,
        created_at=clock.now(),
        **rules.as_json(),
    )
    policy.current = version
    policy.save(update_fields=["current"])
    return version


def _guard_roles(policy: Policy) -> None:
    """What policies of kind role name is granted by approved requests only; accounts reads it off the team. Patterns as they are, so
    that a role made tomorrow is guarded too."""
    if policy.kind != Policy.Kind.ROLE:
        return
    rows = Policy.objects.filter(team=policy.team_id, kind=Policy.Kind.ROLE, removed_at=None)
    patterns = sorted(set(rows.values_list("pattern", flat=True)))
    Team.objects.filter(pk=policy.team_id).update(guarded_roles=patterns)
