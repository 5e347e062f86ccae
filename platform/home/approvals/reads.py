"""Which requests somebody sees, and what one is about."""

from django.db.models import Q, QuerySet

from accounts.access import Actor, InTeam, lent, visible
from accounts.errors import NotFound
from accounts.roles import STAGES, Permission
from governance.models import ApprovalRequest
from governance.subjects import subject_of
from prompts.models import Prompt
from registry.models import Asset


def about(actor: Actor, permission: Permission, *, single: bool = True) -> Q:
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
    return ApprovalRequest.objects.filter(about(actor, Permission.ASSET_VIEW)).select_related("team", "requested_by")


def get_request(actor: Actor, request_id: int) -> ApprovalRequest:
    request = visible_requests(actor).filter(pk=request_id).first()
    if request is None:
        raise NotFound("There is no such request that you can see.")
    return request


def asset_of(request: ApprovalRequest) -> InTeam:
    """What a request is about: the model, dataset, prompt or deployment; else the team whose policy or role it is."""
    return subject_of(request)
