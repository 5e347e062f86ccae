"""Changes to requests and reviews. Applying an approval is the business of the app whose alias moves."""

from django.db import IntegrityError, transaction

from accounts.access import Actor, InTeam, can, require, roles_on
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import ApiKey, User
from accounts.roles import Permission
from governance import attestations, policies
from governance.digests import digest_of
from governance.gate import is_protected
from governance.ledger.actions import Action, Target, record
from governance.models import ApprovalRequest, Attestation, Review
from governance.moves import Move
from governance.transitions import State, advance

MAX_COMMENT = 5_000


def targets_of(request: ApprovalRequest) -> list[Target]:
    """The asset and the version that a request is about, for the ledger."""
    version_kind = "prompt_version" if request.kind == "prompt" else "version"
    return [
        Target(request.kind, request.asset_id, request.asset_label),
        Target(
            version_kind, request.version_id, f"{request.asset_label} version {request.version_number}", request.digest
        ),
    ]


def request_target(request: ApprovalRequest) -> Target:
    return Target("request", request.pk, str(request), request.digest)


@transaction.atomic
def open_request(*, move: Move, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for a protected alias or label to move. The caller has checked that `by` may ask on this asset."""
    if by.user is None:
        raise Forbidden("Sign in to ask for an approval.")
    if not is_protected(move.team, move.kind, move.asset_label, move.slot):
        raise Invalid("alias", f"'{move.slot}' is not protected: move it directly.")
    if move.previous and move.previous.digest == move.digest:
        raise Conflict(f"'{move.slot}' of {move.asset_label} points at version {move.version_number} already.")
    try:
        with transaction.atomic():
            request = ApprovalRequest.objects.create(
                team=move.team,
                kind=move.kind,
                asset_id=move.asset_id,
                asset_label=move.asset_label,
                version_id=move.version_id,
                version_number=move.version_number,
                digest=move.digest,
                slot=move.slot,
                stage=move.stage,
                previous_version_id=move.previous.version_id if move.previous else None,
                previous_number=move.previous.number if move.previous else None,
                previous_digest=move.previous.digest if move.previous else "",
                policy_version=policies.policy_for(move.team, move.kind, move.asset_label, move.stage),
                reason=reason.strip(),
                author_ids=sorted(set(move.author_ids)),
                requested_by=by.user,
            )
    except IntegrityError:
        existing = ApprovalRequest.objects.filter(
            kind=move.kind, asset_id=move.asset_id, slot=move.slot, digest=move.digest, state=State.OPEN
        ).first()
        raise Conflict(
            "There is an open request for this already.", link=f"/requests/{existing.pk}" if existing else ""
        ) from None
    record(
        Action.REQUEST_OPENED,
        by=by,
        team=move.team.name,
        target=request_target(request),
        also=targets_of(request),
        before={"version": request.previous_number, "digest": request.previous_digest},
        after={"slot": move.slot, "version": move.version_number, "digest": move.digest},
        reason=request.reason,
    )
    return request


def lock(request_id: int) -> ApprovalRequest:
    """The request, its row locked until the transaction ends."""
    return (
        ApprovalRequest.objects.select_for_update(of=("self",))
        .select_related("team", "requested_by")
        .get(pk=request_id)
    )


def check_may_decide(request: ApprovalRequest, *, by: Actor, on: InTeam) -> None:
    """Raise, with the reason, when this person may not approve or reject this request. `on` is the asset it is about."""
    require(by, Permission.REQUEST_REVIEW, on, stage=request.stage)
    if by.user is None or by.user.kind != User.Kind.PERSON:
        raise Forbidden(
            "A service account does not review: an approval is a person's word.",
            permission=Permission.REQUEST_REVIEW.value,
        )
    if by.id in request.author_ids:
        raise Forbidden("You made this version: somebody else reviews it.", permission=Permission.REQUEST_REVIEW.value)
    if by.id == request.requested_by_id:
        raise Forbidden("You asked for this: somebody else reviews it.", permission=Permission.REQUEST_REVIEW.value)
    behind = [*request.author_ids, request.requested_by_id]
    if ApiKey.objects.filter(user_id__in=behind, user__kind=User.Kind.SERVICE, made_by=by.user).exists():
        raise Forbidden(
            "You made a key of the service account behind this: somebody else reviews it.",
            permission=Permission.REQUEST_REVIEW.value,
        )
    steps = policies.evaluate(request).rules.reviews.steps
    held = roles_on(by, on, stage=request.stage)
    if not any(step.role in held for step in steps):
        raise Forbidden(f"The policy asks for {steps[0].who}.", permission=Permission.REQUEST_REVIEW.value)
    if request.state != State.OPEN:
        raise Conflict(
            f"This request is {request.state}: there is nothing left to decide.", link=f"/requests/{request.pk}"
        )


@transaction.atomic
def review(
    *, request: ApprovalRequest, verdict: str, comment: str, by: Actor, on: InTeam, shown: str = ""
) -> ApprovalRequest:
    """Record a review and move the request on. The last approval that the policy asks for makes it `approved`; the caller
    applies it in the same transaction. `shown` is the seal of what the reviewer looked at (see `seal`)."""
    request = lock(request.pk)
    if verdict not in set(Review.Verdict):
        raise Invalid("verdict", f"Use one of {', '.join(Review.Verdict)}.")
    if len(comment) > MAX_COMMENT:
        raise Invalid("comment", f"Use at most {MAX_COMMENT} characters.")
    if verdict == Review.Verdict.COMMENT:
        return _comment(request, comment=comment, by=by, on=on)
    check_may_decide(request, by=by, on=on)
    judged = policies.evaluate(request)
    if shown and shown != seal(request, judged):
        raise Conflict(
            "The evidence or the policy changed since you opened this page. Look at it again, then decide.",
            link=f"/requests/{request.pk}",
        )
    if verdict == Review.Verdict.APPROVE and not judged.checks_pass:
        wrong = [f"{line.title}: {line.detail}" for line in judged.checks if line.state != policies.PASSED]
        raise Conflict(f"The policy does not allow it. {'; '.join(wrong)}", errors={"verdict": wrong})
    _keep(request, verdict=verdict, comment=comment, by=by, on=on, judged=judged)
    if verdict == Review.Verdict.REJECT:
        advance(request, State.REJECTED)
        _record_state(Action.REQUEST_REJECTED, request, by, comment)
    elif policies.evaluate(request).passed:
        advance(request, State.APPROVED)
        _record_state(Action.REQUEST_APPROVED, request, by, comment)
    return request


def seal(request: ApprovalRequest, judged: policies.Verdict) -> str:
    """What a decision binds to: digest, policy version and evidence, as one short value."""
    policy = judged.policy_version.pk if judged.policy_version else None
    return digest_of([request.digest, policy, judged.evidence_digests])


def _comment(request: ApprovalRequest, *, comment: str, by: Actor, on: InTeam) -> ApprovalRequest:
    if by.user is None:
        raise Forbidden("Sign in to comment.")
    if not can(by, Permission.REQUEST_CREATE, on, stage=request.stage):
        require(by, Permission.REQUEST_REVIEW, on, stage=request.stage)
    if not comment.strip():
        raise Invalid("comment", "Write something.")
    _keep(request, verdict=Review.Verdict.COMMENT, comment=comment, by=by, on=on, judged=policies.evaluate(request))
    return request


def _keep(
    request: ApprovalRequest, *, verdict: str, comment: str, by: Actor, on: InTeam, judged: policies.Verdict
) -> None:
    assert by.user is not None
    try:
        with transaction.atomic():
            Review.objects.create(
                request=request,
                reviewer=by.user,
                verdict=verdict,
                comment=comment.strip(),
                roles=sorted(roles_on(by, on, stage=request.stage)),
                digest=request.digest,
                policy_version=judged.policy_version,
                evidence_digests=judged.evidence_digests,
            )
    except IntegrityError:
        raise Conflict("You have decided on this request already.", link=f"/requests/{request.pk}") from None
    record(
        Action.REQUEST_REVIEWED,
        by=by,
        team=request.team.name,
        target=request_target(request),
        also=targets_of(request),
        after={
            "verdict": str(verdict),
            "digest": request.digest,
            "policy_version": judged.policy_version.pk if judged.policy_version else None,
            "evidence": judged.evidence_digests,
        },
        reason=comment.strip(),
    )


def _record_state(action: Action, request: ApprovalRequest, by: Actor, reason: str = "") -> None:
    record(
        action,
        by=by,
        team=request.team.name,
        target=request_target(request),
        also=targets_of(request),
        after={"state": request.state},
        reason=reason.strip(),
    )


@transaction.atomic
def mark_applied(*, request: ApprovalRequest, by: Actor) -> Attestation:
    """The slot has moved (in this transaction): close the request, sign the statement, and supersede its rivals."""
    request = lock(request.pk)
    advance(request, State.APPLIED)
    judged = policies.evaluate(request)
    approvals = [review for step in judged.steps for review in step.counted]
    predicate = {
        "slot": request.slot,
        "stage": request.stage,
        "version": request.version_number,
        "previousDigest": request.previous_digest,
        "request": request.pk,
        "requestedBy": request.requested_by.email,
        "approvals": [
            {"by": r.reviewer.email, "at": r.created_at.isoformat(), "comment": r.comment} for r in approvals
        ],
        "policy": {"version": judged.policy_version.pk if judged.policy_version else None, **judged.rules.as_json()},
        "evidence": judged.evidence_digests,
        "appliedAt": request.closed_at.isoformat() if request.closed_at else "",
    }
    envelope = attestations.sign(
        subject=f"{request.kind}:{request.asset_label}", digest=request.digest, predicate=predicate
    )
    attestation = Attestation.objects.create(request=request, subject_digest=request.digest, envelope=envelope)
    _record_state(Action.REQUEST_APPLIED, request, by)
    rivals = ApprovalRequest.objects.select_for_update(of=("self",)).select_related("team", "requested_by")
    for rival in rivals.filter(kind=request.kind, asset_id=request.asset_id, slot=request.slot, state=State.OPEN):
        advance(rival, State.SUPERSEDED)
        _record_state(Action.REQUEST_SUPERSEDED, rival, by, f"Request {request.pk} was applied.")
    return attestation


@transaction.atomic
def withdraw(*, request: ApprovalRequest, by: Actor) -> ApprovalRequest:
    """The requester takes a request back."""
    request = lock(request.pk)
    if by.id != request.requested_by_id:
        raise Forbidden("Only the person who asked withdraws a request.")
    require(by, Permission.REQUEST_CREATE, request.team)
    advance(request, State.WITHDRAWN)
    _record_state(Action.REQUEST_WITHDRAWN, request, by)
    return request
