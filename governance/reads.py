"""Reads of evidence and requests."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from accounts.access import Actor, visible
from accounts.models import Team
from accounts.roles import Permission
from governance.models import ApprovalRequest, Evidence


def has_evidence(team: Team, kind: str, digest: str, **payload: object) -> bool:
    """Is there evidence of this kind about these bytes, with these fields in its payload?"""
    return Evidence.objects.filter(team=team, kind=kind, subject_digest=digest, payload__contains=payload).exists()


def newest_payload(team: Team, kind: str, digest: str) -> dict[str, Any] | None:
    """What the newest evidence of this kind says of these bytes; None where there is none."""
    rows = Evidence.objects.filter(team=team, kind=kind, subject_digest=digest)
    return rows.order_by("-id").values_list("payload", flat=True).first()


def digests_with_evidence(
    team_ids: Iterable[int], kind: str, digests: Iterable[str], **payload: object
) -> set[tuple[int, str]]:
    """Of these digests, (team id, digest) of those with evidence of this kind, with these fields in its payload."""
    rows = Evidence.objects.filter(team_id__in=set(team_ids), kind=kind, subject_digest__in=set(digests))
    rows = rows.filter(payload__contains=payload) if payload else rows
    return set(rows.order_by().values_list("team_id", "subject_digest").distinct())


def visible_evidence(actor: Actor) -> QuerySet[Evidence]:
    """What speaks for and against the versions of the actor's teams."""
    return Evidence.objects.filter(visible(actor, Permission.ASSET_VIEW, Evidence, own=False)).select_related("team")


def open_request_for(kind: str, asset_id: int, slot: str, digest: str) -> ApprovalRequest | None:
    """The open request for these very bytes."""
    there = ApprovalRequest.objects.filter(
        kind=kind, asset_id=asset_id, slot=slot, digest=digest, state=ApprovalRequest.State.OPEN
    )
    return there.order_by("-pk").first()
