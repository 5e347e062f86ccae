"""Requests that move no version: what a deployment, a policy or a role would be, beside what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.dateparse import parse_datetime

from governance import rules
from governance.models import ApprovalRequest
from home.comparison.content import MOST_ROWS, ValueChange, value_changes

# Keys that name things to the machine; a reviewer reads the rest.
_INTERNAL = {"action", "policy", "id"}


@dataclass(frozen=True)
class Change:
    """Sentences of what it is now and would be, and the values that differ."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    rows: list[ValueChange] = field(default_factory=list)

    @property
    def sentences(self) -> bool:
        return bool(self.before or self.after)


def describe(request: ApprovalRequest) -> Change:
    """The change that a request of kind deployment, policy or role asks for, or the emptying of an alias."""
    before, after = _mapping(request.previous), _mapping(request.change)
    removing = after.get("action") == "remove"
    if request.kind == ApprovalRequest.Kind.POLICY:
        # What a policy is for never changes, and what is kept of the one before does not repeat it.
        scope = {name: after[name] for name in ("kind", "pattern", "stage") if name in after}
        was = policy_sentences({**scope, **before}) if before else []
        return Change(was, [] if removing else policy_sentences(after))
    if request.kind == ApprovalRequest.Kind.ROLE:
        held = role_sentences(before, request.team.name)
        return Change(held, [*held, role_sentence(after, request.team.name)])
    shown_before = {key: value for key, value in before.items() if key not in _INTERNAL}
    shown_after = {} if removing else {key: value for key, value in after.items() if key not in _INTERNAL}
    return Change(rows=value_changes(shown_before, shown_after)[:MOST_ROWS])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def policy_sentences(policy: Mapping[str, Any]) -> list[str]:
    """A policy's rules as sentences; [] for none. Rules that are no longer understood say so."""
    if not policy:
        return []
    stage = f" to {policy['stage']}" if policy.get("stage") else ""
    pattern = policy.get("pattern") or "*"
    named = f" named {pattern}" if pattern != "*" else ""
    scope = f"For each {policy.get('kind', 'asset')}{named}{stage}"
    try:
        parsed = rules.parse(policy.get("checks", []), policy.get("reviews", {}), policy.get("terms"))
    except rules.InvalidRules as problem:
        return [scope, f"These rules are not understood any more: {problem.detail}"]
    return [scope, *(check.title for check in parsed.checks), parsed.reviews.title, *parsed.terms.sentences]


def role_sentences(previous: Mapping[str, Any], team: str) -> list[str]:
    """What somebody holds now, from lines as home.approvals.roles writes them: role/model/key/prefix/kind/stage."""
    found = []
    for line in previous.get("grants", []):
        role, model, _, prefix, kind, stage = [*str(line).split("/"), "", "", "", "", "", ""][:6]
        where = (
            f"{kind or 'name'}s that begin with {team}/{prefix}"
            if prefix
            else team
            if model == "team"
            else f"one {model}"
        )
        found.append(f"{role} on {where}{f' at {stage}' if stage else ''}")
    return found


def role_sentence(change: Mapping[str, Any], team: str) -> str:
    """What would be given: 'reviewer on acme at production until 3 Mar 2027'."""
    on, prefix = str(change.get("on") or ""), change.get("prefix")
    where = on.replace(":", " ", 1) or (
        f"{change.get('kind') or 'name'}s that begin with {team}/{prefix}" if prefix else team
    )
    until = parse_datetime(str(change.get("expires_at") or ""))
    stage = f" at {change['stage']}" if change.get("stage") else ""
    return f"{change.get('role')} on {where}{stage}{f' until {until:%-d %b %Y, %H:%M} UTC' if until else ''}"
