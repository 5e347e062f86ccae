"""An approval is carried out: the request closes, the statement is signed, and what competed with it ends."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.access import Actor
from governance import attestations, clock, policies
from governance.actions.requests.common import lock, note
from governance.digests import digest_of
from governance.ledger.actions import Action
from governance.models import ApprovalRequest, Attestation, Review
from governance.transitions import State, advance


@transaction.atomic
def mark_applied(*, request: ApprovalRequest, by: Actor, judged: policies.Verdict | None = None) -> Attestation:
    """The change has been made (in this transaction): close the request, sign the statement, and supersede its rivals.

    `judged`: what the policy said before the change was made, which may have changed what the policy says (it moved production,
    or was about the policy itself)."""
    request = lock(request.pk)
    judged = judged or policies.evaluate(request)
    advance(request, State.APPLIED)
    assert request.closed_at is not None
    days = judged.rules.terms.shelf_life_days
    request.waits_for = []
    if days and request.version_id is not None:
        request.valid_until = request.closed_at + timedelta(days=days)
    request.save(update_fields=["waits_for", "valid_until"])
    envelope = attestations.sign(
        subject=f"{request.kind}:{request.asset_label}", digest=request.digest, predicate=predicate(request, judged)
    )
    attestation = Attestation.objects.create(request=request, subject_digest=request.digest, envelope=envelope)
    note(
        Action.REQUEST_APPLIED,
        request,
        by,
        attestation=digest_of(envelope),
        valid_until=request.valid_until.isoformat() if request.valid_until else None,
    )
    _supersede_rivals(request, by)
    return attestation


def supersede(request: ApprovalRequest, reason: str, by: Actor) -> None:
    advance(request, State.SUPERSEDED)
    note(Action.REQUEST_SUPERSEDED, request, by, reason)


def _supersede_rivals(request: ApprovalRequest, by: Actor) -> None:
    """Others for the same slot were asked for against what is there no more. A renewal changes nothing that is there."""
    if request.renews_id is not None:
        return
    rivals = ApprovalRequest.objects.select_for_update(of=("self",)).select_related("team", "requested_by")
    same = Q(kind=request.kind, asset_id=request.asset_id, asset_label=request.asset_label, slot=request.slot)
    for rival in rivals.filter(same, state__in=[State.OPEN, State.APPROVED]).exclude(pk=request.pk).order_by("pk"):
        supersede(rival, f"Request {request.pk} was applied.", by)


def predicate(request: ApprovalRequest, judged: policies.Verdict) -> dict[str, Any]:
    """What the signed statement says of an applied approval. docs/approvals.md describes each field."""
    steps: list[dict[str, Any]] = [
        {"title": step.title, "satisfied": step.is_satisfied, "approvals": [_spoken(row) for row in step.counted]}
        for step in judged.steps
    ]
    policy, rules = judged.policy_version, judged.rules.as_json()
    said: dict[str, Any] = {
        "request": request.pk,
        "slot": request.slot,
        "stage": request.stage,
        "version": request.version_number,
        "change": request.change,
        "previousDigest": request.previous_digest,
        "requestedBy": request.requested_by.email,
        "approvals": [row for step in steps for row in step["approvals"]],
        "steps": steps,
        "delegations": _delegations([row for step in judged.steps for row in step.counted]),
        "policy": {
            "id": policy.policy_id if policy else None,
            "version": policy.number if policy else None,
            "digest": digest_of(rules),
            **rules,
        },
        "checks": [{"title": line.title, "state": line.state, "detail": line.detail} for line in judged.checks],
        "evidence": judged.evidence_digests,
        "glassBroken": request.glass_broken,
        "renews": request.renews_id,
        "appliedAt": request.closed_at.isoformat() if request.closed_at else "",
        "validUntil": request.valid_until.isoformat() if request.valid_until else None,
        "statedAt": clock.now().isoformat(),
    }
    if request.glass_broken:
        said["glass"] = {
            "by": request.requested_by.email,
            "reason": request.reason,
            "afterwards": request.afterwards,
            "reviewDueAt": request.afterwards_due_at.isoformat() if request.afterwards_due_at else None,
        }
    return said


def _spoken(review: Review) -> dict[str, Any]:
    return {
        "by": review.reviewer.email,
        "onBehalfOf": review.on_behalf_of.email if review.on_behalf_of else None,
        "at": review.created_at.isoformat(),
        "comment": review.comment,
        "roles": review.roles,
        "groups": review.groups,
        "digest": review.digest,
        "evidence": review.evidence_digests,
    }


def _delegations(counted: Sequence[Review]) -> list[dict[str, str]]:
    return [
        {"delegator": review.on_behalf_of.email, "delegate": review.reviewer.email}
        for review in counted
        if review.on_behalf_of
    ]
