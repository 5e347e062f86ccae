"""What every foreign door does where an alias is protected: it asks, and the answer carries the request's address."""

from django.conf import settings

from accounts.access import Actor
from accounts.errors import ApprovalRequired
from governance.models import ApprovalRequest
from prompts import actions as prompts
from prompts.models import Prompt, PromptVersion
from registry import actions
from registry.models import Asset, Version


def move_or_ask(*, asset: Asset, name: str, version: Version, reason: str = "", by: Actor) -> ApprovalRequest | None:
    """Move the alias; where only an approval moves it, the request for it: the open one for these bytes, or a new one."""
    try:
        actions.move_alias(asset=asset, name=name, version=version, reason=reason, by=by)
    except ApprovalRequired:
        return _open(asset.kind, asset.pk, name, version.digest) or actions.request_move(
            version=version, slot=name, reason=reason, by=by
        )
    return None


def label_or_ask(
    *, prompt: Prompt, label: str, version: PromptVersion, reason: str = "", by: Actor
) -> ApprovalRequest | None:
    """The same for a prompt's label."""
    try:
        prompts.move_label(prompt=prompt, label=label, version=version, reason=reason, by=by)
    except ApprovalRequired:
        return _open("prompt", prompt.pk, label, version.digest) or prompts.request_move(
            version=version, slot=label, reason=reason, by=by
        )
    return None


def _open(kind: str, asset_id: int, slot: str, digest: str) -> ApprovalRequest | None:
    """The open request for these very bytes."""
    there = ApprovalRequest.objects.filter(
        kind=kind, asset_id=asset_id, slot=slot, digest=digest, state=ApprovalRequest.State.OPEN
    )
    return there.order_by("-pk").first()


def asked(request: ApprovalRequest) -> str:
    """What the client's user reads."""
    return (
        f"'{request.slot}' of {request.asset_label} is protected: it moves when request {request.pk} is approved. "
        f"See {settings.SITE_URL}/requests/{request.pk}"
    )
