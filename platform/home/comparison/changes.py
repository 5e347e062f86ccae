"""Requests that move no version: what a deployment, a policy or a role would be, beside what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    """The change that a request of kind deployment, policy or role asks for."""
    before, after = _mapping(request.previous), _mapping(request.change)
    if request.kind == ApprovalRequest.Kind.POLICY:
        removing = after.get("action") == "remove"
        return Change(policy_sentences(before), [] if removing else policy_sentences(after))
    shown_before = {key: value for key, value in before.items() if key not in _INTERNAL}
    shown_after = {key: value for key, value in after.items() if key not in _INTERNAL}
    if after.get("action") == "remove":
        shown_after = {}
    return Change(rows=value_changes(shown_before, shown_after)[:MOST_ROWS])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def policy_sentences(policy: Mapping[str, Any]) -> list[str]:
    """A policy's rules as sentences; [] for none. Rules that are no longer understood are shown as they are."""
    if not policy:
        return []
    try:
        parsed = rules.parse(policy.get("checks", []), policy.get("reviews", {}))
    except rules.InvalidRules as problem:
        return [f"These rules are not understood any more: {problem.detail}"]
    return [*(check.title for check in parsed.checks), parsed.reviews.title]
