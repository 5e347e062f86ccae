"""Asking for what is protected, breaking the glass, and renewing."""

from datetime import datetime

from django.db import transaction

import prompts.actions
import prompts.reads
import registry.actions
import registry.reads
from accounts.access import Actor, require, require_stage_permission
from accounts.errors import Invalid
from accounts.roles import Permission
from evaluation.models import Evaluation
from governance import actions
from governance.models import ApprovalRequest
from governance.subjects import lock_subject, subject_of
from home.approvals.owners import VERSIONED, find_version, owner
from prompts.models import PromptVersion
from registry.models import Version


def open_request(
    *,
    kind: str,
    asset: str,
    version: int,
    alias: str,
    reason: str,
    by: Actor,
    apply_at: datetime | None = None,
    apply_after_evaluation: int | None = None,
) -> ApprovalRequest:
    """Ask for version `version` of `asset` (team/name) to take `alias` (a model's or dataset's alias, a prompt's label): at once
    when approved, at a time, or when an evaluation of these bytes ends green."""
    found = find_version(kind, asset, version, by)
    if isinstance(found, PromptVersion):
        if apply_after_evaluation is not None:
            raise Invalid("apply_after_evaluation", "Prompts have no evaluations. Choose a time, or leave it out.")
        return prompts.actions.request_move(version=found, slot=alias, reason=reason, by=by, apply_at=apply_at)
    if apply_after_evaluation is not None:
        _check_evaluation(apply_after_evaluation, found, by)
    return registry.actions.request_move(
        version=found, slot=alias, reason=reason, by=by,
        apply_at=apply_at, apply_after_evaluation=apply_after_evaluation,
    )  # fmt: skip


def _check_evaluation(number: int, version: Version, by: Actor) -> None:
    evaluation = Evaluation.objects.visible_to(by).select_related("version").filter(pk=number).first()
    if evaluation is None:
        raise Invalid("apply_after_evaluation", f"There is no evaluation {number} that you can see.")
    if evaluation.version.digest != version.digest or evaluation.model_id != version.asset_id:
        raise Invalid(
            "apply_after_evaluation", f"Evaluation {number} is not of these bytes, but of {evaluation.version}."
        )
    if evaluation.state in (Evaluation.State.FAILED, Evaluation.State.CANCELLED):
        raise Invalid("apply_after_evaluation", f"Evaluation {number} has {evaluation.state} already.")


def open_removal(*, kind: str, asset: str, alias: str, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for a protected alias or label to be emptied."""
    if kind == "prompt":
        return prompts.actions.request_removal(
            prompt=prompts.reads.get_prompt(by, asset), label=alias, reason=reason, by=by
        )
    if kind in VERSIONED:
        found = registry.reads.get_asset(by, kind, asset)
        return registry.actions.request_removal(asset=found, name=alias, reason=reason, by=by)
    raise Invalid("kind", f"Use one of {', '.join(VERSIONED)}.")


@transaction.atomic
def break_glass(*, kind: str, asset: str, version: int, alias: str, reason: str, by: Actor) -> ApprovalRequest:
    """Move a protected alias or label at once, in an emergency; reviewers look at it afterwards, within the time of the policy."""
    found = find_version(kind, asset, version, by)
    request: ApprovalRequest = owner(kind).break_glass(version=found, slot=alias, reason=reason, by=by)
    actions.mark_applied(request=request, by=by)
    actions.ask_for_glass_review(request=request, by=by)
    request.refresh_from_db()
    return request


@transaction.atomic
def renew(*, request: ApprovalRequest, by: Actor) -> ApprovalRequest:
    """Ask anew for bytes whose approval has lapsed or soon will; what is there does not move."""
    lock_subject(request)
    on = subject_of(request)
    require(by, Permission.REQUEST_CREATE, on, stage=request.stage)
    require_stage_permission(by, request.stage, on)
    return actions.open_renewal(request=request, by=by, requested_by=by)
