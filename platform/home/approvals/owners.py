"""The apps that make the changes that requests ask for, by kind of request."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import prompts.actions
import prompts.reads
import registry.actions
import registry.reads
import serving.actions
from accounts.access import Actor, require, require_stage_permission
from accounts.actions import grant_role
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.models import User
from accounts.roles import Permission
from governance import actions, gate, policies
from governance.models import ApprovalRequest
from governance.subjects import subject_of
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
    kind, judged, requester = request.kind, policies.evaluate(request), _as_requester(request, by)
    with _rights_of_requester(request):
        if kind in VERSIONED:
            on = subject_of(request)
            require(requester, Permission.REQUEST_CREATE, on, stage=request.stage)
            require_stage_permission(requester, request.stage, on)
        else:
            _change(request, requester)
    if request.renews_id is not None:
        gate.require_approved(request)  # the bytes are there already: only their approval is renewed
    elif kind in VERSIONED:
        apply = owner(kind).apply_removal if request.change is not None else owner(kind).apply_request
        apply(request=request, by=by)
    actions.mark_applied(request=request, by=by, judged=judged)


def _change(request: ApprovalRequest, by: Actor) -> None:
    if request.kind == "deployment":
        serving.actions.apply_request(request=request, by=by)
    elif request.kind == "policy":
        actions.apply_change(request, by)
    else:
        user, facts = granting(request, by)
        grant_role(user=user, request_id=request.pk, reason=request.reason, by=by, **facts)


@contextmanager
def _rights_of_requester(request: ApprovalRequest) -> Iterator[None]:
    """Changes are made with the rights of who asked for them: an approval lets pass what they may do, and adds none."""
    try:
        yield
    except Forbidden as refused:
        raise Conflict(
            f"{request.requested_by}, who asked for it, may not do it any more: {refused.detail}",
            link=f"/requests/{request.pk}",
        ) from None


def _as_requester(request: ApprovalRequest, by: Actor) -> Actor:
    requester: User = request.requested_by
    return Actor(requester, via=by.via, request_id=by.request_id)
