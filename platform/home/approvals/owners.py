"""The apps that make the changes that requests ask for, by kind of request."""

from types import ModuleType

import prompts.actions
import prompts.reads
import registry.actions
import registry.reads
import serving.actions
from accounts.access import Actor
from accounts.actions import grant_role
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import User
from governance import actions, gate, policies
from governance.models import ApprovalRequest
from home.approvals.roles import granting
from prompts.models import PromptVersion
from registry.models import Version

VERSIONED = ("model", "dataset", "prompt")


def owner(kind: str) -> ModuleType:
    """The app that owns the alias or label."""
    return prompts.actions if kind == "prompt" else registry.actions


def find_version(kind: str, asset: str, version: int, by: Actor) -> Version | PromptVersion:
    """Version `version` of `asset` (team/name), if the actor may see it."""
    if kind == "prompt":
        return prompts.reads.get_version(by, prompts.reads.get_prompt(by, asset), version)
    if kind in VERSIONED:
        return registry.reads.get_version(by, registry.reads.get_asset(by, kind, asset), version)
    raise Invalid("kind", f"Use one of {', '.join(VERSIONED)}.")


def carry_out(request: ApprovalRequest, by: Actor) -> None:
    """Make the approved change in the caller's transaction and close the request. Each owner asks the gate itself."""
    kind, judged = request.kind, policies.evaluate(request)
    if request.renews_id is not None:
        gate.require_approved(request)  # the bytes are there already: only their approval is renewed
    elif kind in VERSIONED:
        apply = owner(kind).apply_removal if request.change is not None else owner(kind).apply_request
        apply(request=request, by=by)
    else:
        _change(request, _as_requester(request, by))
    actions.mark_applied(request=request, by=by, judged=judged)


def _change(request: ApprovalRequest, by: Actor) -> None:
    """Changes are made with the rights of who asked for them: an approval lets pass what they may do, and adds none."""
    try:
        if request.kind == "deployment":
            serving.actions.apply_request(request=request, by=by)
        elif request.kind == "policy":
            actions.apply_change(request, by)
        else:
            user, facts = granting(request, by)
            grant_role(user=user, request_id=request.pk, reason=request.reason, by=by, **facts)
    except Forbidden as refused:
        raise Conflict(
            f"{request.requested_by}, who asked for it, may not do it any more: {refused.detail}",
            link=f"/requests/{request.pk}",
        ) from None


def _as_requester(request: ApprovalRequest, by: Actor) -> Actor:
    requester: User = request.requested_by
    return Actor(requester, via=by.via, request_id=by.request_id)
