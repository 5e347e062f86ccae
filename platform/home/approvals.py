"""Requests across apps: governance judges them, the app that owns the alias or label moves it, in one transaction."""

from django.db import transaction
from django.db.models import Q, QuerySet

import prompts.actions
import prompts.reads
import registry.actions
import registry.reads
from accounts.access import Actor, InTeam, can, lent, visible
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.roles import STAGES, Permission
from governance import actions
from governance.models import ApprovalRequest, Review
from prompts.models import Prompt
from registry.models import Asset

OWNERS: dict[str, type[Asset] | type[Prompt]] = {"model": Asset, "dataset": Asset, "prompt": Prompt}


def _about(actor: Actor, permission: Permission, *, single: bool = True) -> Q:
    """A filter: requests about assets on which the actor has the permission, by team or (single) on the asset itself."""
    rows = visible(actor, permission, ApprovalRequest, own=False, stage_field="stage")
    if not rows or not single or not actor.in_scope(permission):  # an empty filter lets a site administrator see all
        return rows
    for kinds, model in ((("model", "dataset"), Asset), (("prompt",), Prompt)):
        for stage in ("", *STAGES):
            granted = lent(actor, permission, model, stage=stage)
            if granted is not None and (not stage or granted != lent(actor, permission, model)):
                own = Q(kind__in=kinds, asset_id__in=model._default_manager.filter(granted).order_by().values("pk"))
                own &= Q(stage=stage) if stage else Q()
                rows |= own & Q(team_id=actor.key.team_id) if actor.key and actor.key.team_id else own
    return rows


def visible_requests(actor: Actor) -> QuerySet[ApprovalRequest]:
    """The requests about assets that the actor sees."""
    return ApprovalRequest.objects.filter(_about(actor, Permission.ASSET_VIEW)).select_related("team", "requested_by")


def get_request(actor: Actor, request_id: int) -> ApprovalRequest:
    request = visible_requests(actor).filter(pk=request_id).first()
    if request is None:
        raise NotFound("There is no such request that you can see.")
    return request


def asset_of(request: ApprovalRequest) -> Asset | Prompt:
    """The model, dataset or prompt that a request is about."""
    if request.kind == "prompt":
        return Prompt.objects.select_related("team").get(pk=request.asset_id)
    return Asset.objects.select_related("team").get(pk=request.asset_id)


def inbox(actor: Actor, *, single: bool = True) -> QuerySet[ApprovalRequest]:
    """The open requests that wait for this person: they may review them, and neither made nor asked for them.

    `single` False leaves out those that they review by a grant on the one asset: every page counts, with one query less.
    """
    return (
        ApprovalRequest.objects.select_related("team", "requested_by")
        .filter(_about(actor, Permission.REQUEST_REVIEW, single=single), state=ApprovalRequest.State.OPEN)
        .exclude(requested_by_id=actor.id)
        .exclude(author_ids__contains=[actor.id or 0])
        .exclude(reviews__in=Review.objects.filter(reviewer_id=actor.id or 0).exclude(verdict=Review.Verdict.COMMENT))
    )


def open_request(*, kind: str, asset: str, version: int, alias: str, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for version `version` of `asset` (team/name) to take `alias` (a model's or dataset's alias, a prompt's label)."""
    if kind == "prompt":
        return prompts.actions.request_move(
            version=prompts.reads.get_version(by, prompts.reads.get_prompt(by, asset), version),
            slot=alias,
            reason=reason,
            by=by,
        )
    if kind in ("model", "dataset"):
        found = registry.reads.get_asset(by, kind, asset)
        return registry.actions.request_move(
            version=registry.reads.get_version(by, found, version), slot=alias, reason=reason, by=by
        )
    raise Invalid("kind", "Use model, dataset or prompt.")


@transaction.atomic
def decide(*, request: ApprovalRequest, verdict: str, comment: str, by: Actor, shown: str = "") -> ApprovalRequest:
    """Record a review; when it is the last that the policy asks for, the alias or label moves in this very transaction."""
    # The asset's row first, as every other change to it does: rival requests of one asset then wait for each other
    # instead of locking each other out.
    OWNERS[request.kind]._default_manager.select_for_update(of=("self",)).get(pk=request.asset_id)
    on: InTeam = asset_of(request)
    request = actions.review(request=request, verdict=verdict, comment=comment, by=by, on=on, shown=shown)
    if request.state == ApprovalRequest.State.APPROVED:
        if request.kind == "prompt":
            prompts.actions.apply_request(request=request, by=by)
        else:
            registry.actions.apply_request(request=request, by=by)
        actions.mark_applied(request=request, by=by)
        request.refresh_from_db()
    return request


def may_decide(request: ApprovalRequest, by: Actor) -> tuple[bool, str]:
    """Whether this person may approve or reject it, and if not, why not in words."""
    asset = asset_of(request)
    if not can(by, Permission.REQUEST_REVIEW, asset, stage=request.stage):
        return False, ""
    try:
        actions.check_may_decide(request, by=by, on=asset)
    except (Conflict, Forbidden) as reason:
        return False, reason.detail
    return True, ""
