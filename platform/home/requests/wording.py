"""Requests in words: what moves from where to where, and who has to do something next."""

from collections.abc import Iterable, Mapping
from typing import Any

from governance.models import ApprovalRequest, Review

Kind = ApprovalRequest.Kind
_OPEN = (ApprovalRequest.State.OPEN, ApprovalRequest.State.APPROVED)


def _said(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def headline(request: ApprovalRequest) -> str:
    """What would change, in one sentence without a full stop."""
    change, previous = _said(request.change), _said(request.previous)
    if request.version_number is not None:
        if request.renews_id:
            return f"Renew the approval of {request.asset_label} version {request.version_number} for {request.slot}"
        start = f" from version {request.previous_number}" if request.previous_number else ""
        return f"Move {request.slot} of {request.asset_label}{start} to version {request.version_number}"
    if request.kind == Kind.DEPLOYMENT:
        verb = "Change the deployment" if previous else "Deploy"
        return f"{verb} {request.asset_label}{f' in {request.stage}' if request.stage else ''}"
    if request.kind == Kind.POLICY:
        verb = {"create": "Add a policy", "remove": "Remove the policy"}.get(
            str(change.get("action", "")), "Change the policy"
        )
        return f"{verb}: {request.asset_label}"
    if request.kind == Kind.ROLE:
        who = change.get("person") or change.get("email") or change.get("user") or request.asset_label
        role = change.get("role") or request.slot
        where = change.get("on") or change.get("asset") or change.get("prefix") or request.team.name
        return f"Give {who} the role {role} on {where}"
    if change.get("action") == "remove":
        return f"Take {request.slot} away from {request.asset_label}"
    return f"Change {request.slot} of {request.asset_label}"


def movement(request: ApprovalRequest) -> str:
    """The same for a table's cell, beside the asset's name: 'v1 → v2', 'removed', 'rules'."""
    if request.version_number is None:
        action = str(_said(request.change).get("action", "")).replace("_", " ")
        return action or request.slot
    before = f"v{request.previous_number} → " if request.previous_number else ""
    return f"{before}v{request.version_number}"


def outcome(request: ApprovalRequest) -> str:
    """What was done, for the person whose act it was."""
    if request.version_number is None:
        return f"Approved and done: {headline(request)}."
    if request.renews_id:
        return f"Renewed: version {request.version_number} stays approved for {request.slot}."
    return f"Approved: '{request.slot}' points at version {request.version_number} now."


def decisions_in_force(reviews: Iterable[Review]) -> list[Review]:
    """Approvals, rejections and wishes for changes that nobody has replaced."""
    return [review for review in reviews if review.verdict != Review.Verdict.COMMENT and review.replaced_at is None]


def waits_for(request: ApprovalRequest, reviews: Iterable[Review]) -> str:
    """Who has to do something next, without judging the policy: for lists, where the page of the request says it exactly."""
    if request.afterwards == ApprovalRequest.Afterwards.PENDING:
        return "a reviewer to confirm it or roll it back"
    if request.state not in _OPEN:
        return ""
    if request.state == ApprovalRequest.State.APPROVED:
        if request.apply_after_evaluation:
            return f"evaluation {request.apply_after_evaluation}"
        return "its time"
    decided = decisions_in_force(reviews)
    if asked := next((review for review in decided if review.verdict == Review.Verdict.CHANGES), None):
        return f"{request.requested_by} to answer {asked.reviewer}"
    given = sum(review.verdict == Review.Verdict.APPROVE for review in decided)
    who = _asked_for(request)
    return f"{who}, {given} approval{'s' if given > 1 else ''} so far" if given else who


def _asked_for(request: ApprovalRequest) -> str:
    """'a reviewer', '2 reviewers and 1 of legal', from the policy in force when the row was read."""
    policy = request.policy_version.policy.current if request.policy_version else None
    rules = _said(policy.reviews if policy else None)
    steps = rules.get("steps") if isinstance(rules.get("steps"), list) else [rules] if rules else []
    parts = []
    for step in steps or []:
        count, group = step.get("count", 1), step.get("group")
        role = str(step.get("role") or "reviewer").replace("-", " ")
        if group:
            parts.append(f"{count} of {group}")
        else:
            parts.append(f"a {role}" if count == 1 else f"{count} {role}s")
    joined = (" then " if rules.get("ordered") else " and ").join(parts)
    return joined or "a reviewer"
