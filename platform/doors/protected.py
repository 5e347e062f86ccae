"""What every foreign door does where an alias is protected: it asks, and the answer carries the request's address."""

from django.conf import settings

from accounts.access import Actor
from accounts.errors import ApprovalRequired
from governance.models import ApprovalRequest
from registry import actions
from registry.models import Asset, Version


def move_or_ask(*, asset: Asset, name: str, version: Version, reason: str = "", by: Actor) -> ApprovalRequest | None:
    """Move the alias; where only an approval moves it, the request for it: the open one for these bytes, or a new one."""
    try:
        actions.move_alias(asset=asset, name=name, version=version, reason=reason, by=by)
    except ApprovalRequired:
        there = ApprovalRequest.objects.filter(
            kind=asset.kind, asset_id=asset.pk, slot=name, digest=version.digest, state=ApprovalRequest.State.OPEN
        )
        return there.order_by("-pk").first() or actions.request_move(version=version, slot=name, reason=reason, by=by)
    return None


def asked(request: ApprovalRequest) -> str:
    """What the client's user reads."""
    return (
        f"'{request.slot}' of {request.asset_label} is protected: it moves when request {request.pk} is approved. "
        f"See {settings.SITE_URL}/requests/{request.pk}"
    )
