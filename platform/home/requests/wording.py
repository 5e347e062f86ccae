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
        return f"{verb} for {_scope(change or previous, request)}"
    if request.kind == Kind.ROLE:
        who = change.get("person") or change.get("email") or change.get("user") or request.asset_label
        role = change.get("role") or request.slot
        prefix = f"{request.team.name}/{change['prefix']}*" if change.get("prefix") else ""
        where = str(change.get("on") or "").partition(":")[2] or prefix or request.team.name
        at = f" at {change['stage']}" if change.get("stage") else ""
        return f"Give {who} the role {role} on {where}{at}"
    if change.get("action") == "remove":
        return f"Take {request.slot} away from {request.asset_label}"
    return f"Change {request.slot} of {request.asset_label}"


def _scope(change: Mapping[str, Any], request: ApprovalRequest) -> str:
    """'models named claims-* to production'."""
    kind, pattern, stage = (str(change.get(name) or "") for name in ("kind", "pattern", "stage"))
    if not kind:
        return request.asset_label
    named = f" named {pattern}" if pattern and pattern != "*" else ""
    return f"{'policies' if kind == 'policy' else f'{kind}s'}{named}{f' to {stage}' if stage else ''}"


def movement(request: ApprovalRequest) -> str:
    """The same for a table's cell, beside the asset's name: 'v1 → v2', 'removed', 'rules'."""
    if request.version_number is None:
        change = _said(request.change)
        action = str(change.get("action", "")).replace("_", " ")
        if request.kind == Kind.ROLE:
            return f"to {change.get('person') or request.slot}"
        if request.kind == Kind.POLICY:
            return f"{action}: {_scope(change, request)}"
        return action or request.slot
    if request.renews_id:
        return f"v{request.version_number}"
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
    given = sum(review.verdict == Review.Verdict.APPROVE and review.stale_at is None for review in decided)
    who = " or ".join(dict.fromkeys(party(text) for text in request.waits_for)) or "nobody: a check does not pass"
    return f"{who}, {given} approval{'s' if given > 1 else ''} so far" if given else who


def party(text: str) -> str:
    """'role:reviewer', 'group:legal' or 'escalated:role:admin' as a person would say it."""
    what, _, slug = text.removeprefix("escalated:").partition(":")
    return f"somebody of {slug}" if what == "group" else f"{'an' if slug[:1] in 'aeiou' else 'a'} {slug}"
