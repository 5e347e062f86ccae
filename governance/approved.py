"""What exactly these bytes are approved for, and by whom: for the pages of assets."""

from dataclasses import dataclass

from django.db.models import Prefetch

from governance.models import ApprovalRequest, Review


@dataclass(frozen=True)
class Approved:
    """One applied approval; `people` such as 'Bob' or 'Erin on behalf of Bob', nobody where the glass was broken."""

    request: ApprovalRequest
    people: list[str]


def approvals_of(*, kind: str, asset_id: int, digest: str) -> list[Approved]:
    """The newest applied approval of these bytes for each slot. Two queries."""
    if not digest:
        return []
    words = Review.objects.filter(verdict=Review.Verdict.APPROVE, replaced_at=None, stale_at=None)
    rows = (
        ApprovalRequest.objects.filter(
            kind=kind, asset_id=asset_id, digest=digest, state=ApprovalRequest.State.APPLIED, version_id__isnull=False
        )
        .order_by("slot", "-closed_at", "-id")
        .distinct("slot")
        .prefetch_related(
            Prefetch("reviews", queryset=words.select_related("reviewer", "on_behalf_of"), to_attr="approving")
        )
    )
    return [Approved(row, [_name(review) for review in getattr(row, "approving", [])]) for row in rows]


def _name(review: Review) -> str:
    return f"{review.reviewer} on behalf of {review.on_behalf_of}" if review.on_behalf_of else str(review.reviewer)
