"""What a check is held against: the bytes that are to take a stage, and what is in production now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from governance.models import ApprovalRequest
from governance.moves import Move
from governance.rules import MetricCheck, Rules
from governance.stages import Stage


@dataclass(frozen=True)
class Incumbent:
    """What production holds of the same asset."""

    digest: str
    name: str  # 'version 3'


@dataclass(frozen=True)
class Subject:
    """The bytes to judge, in production's company. `incumbent` None: nothing is in production."""

    kind: str
    digest: str
    incumbent: Incumbent | None = None


def asks_for_production(rules: Rules) -> bool:
    return any(isinstance(check, MetricCheck) and check.against for check in rules.checks)


def subject_of(move: Move | ApprovalRequest, rules: Rules, as_of: datetime | None) -> Subject:
    incumbent = incumbent_of(move, as_of) if asks_for_production(rules) else None
    return Subject(move.kind, move.digest, incumbent)


def incumbent_of(
    move: Move | ApprovalRequest, as_of: datetime | None, applied: Sequence[ApprovalRequest] | None = None
) -> Incumbent | None:
    """What is in production of this asset. `applied`: the applied requests for production of it, newest first, where they are
    at hand; else they are asked for."""
    if move.stage == Stage.PRODUCTION:
        if isinstance(move, Move):
            return Incumbent(move.previous.digest, f"version {move.previous.number}") if move.previous else None
        return Incumbent(move.previous_digest, f"version {move.previous_number}") if move.previous_digest else None
    if applied is None:
        rows = moves_to_production(move.kind, [move.asset_id])
        applied = list((rows.filter(closed_at__lte=as_of) if as_of else rows)[:1])
    for row in applied:
        if row.closed_at and (as_of is None or row.closed_at <= as_of):
            return Incumbent(row.digest, f"version {row.version_number}") if row.version_number else None
    return None


def moves_to_production(kind: str, asset_ids: Collection[int]) -> QuerySet[ApprovalRequest]:
    """What put these assets' production where it is, newest first: it is always protected, so that what is there came by a
    request (without a number: it was emptied). A renewal moves nothing, and what was rolled back is not there."""
    rows = ApprovalRequest.objects.filter(
        kind=kind, asset_id__in=asset_ids, stage=Stage.PRODUCTION, state=ApprovalRequest.State.APPLIED, renews=None
    )
    return rows.exclude(afterwards=ApprovalRequest.Afterwards.ROLLED_BACK).order_by("-closed_at", "-id")
