"""The life of a request in one list: what people said, what evidence came, what the policy and the clock did."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from governance.actions import request_target
from governance.ledger.actions import Target
from governance.ledger.models import AuditEvent
from governance.ledger.reads import events_about
from governance.models import ApprovalRequest, Evidence, Review

# A request with more has a button for the rest.
MOST = 60
_MOST_READ = 1000


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `who` is a person or their name; `review` set for what somebody said."""

    at: datetime
    who: Any
    icon: str
    tone: str
    text: str
    detail: str = ""
    link: str = ""
    review: Review | None = None
    stale: str = ""


# action -> (icon, tone, what happened). Actions that are not here are said by their name.
_WORDS: dict[str, tuple[str, str, str]] = {
    "request.opened": ("git-pull-request", "info", "asked for this"),
    "request.approved": ("check", "good", "gave the last approval that the policy asks for"),
    "request.rejected": ("circle-x", "bad", "rejected the request"),
    "request.withdrawn": ("arrow-back-up", "quiet", "withdrew the request"),
    "request.applied": ("rubber-stamp", "good", "applied it"),
    "request.superseded": ("git-merge", "quiet", "applied another request for the same place"),
    "request.expired": ("hourglass", "quiet", "closed it: its time ran out"),
    "request.escalated": ("alert-triangle", "warn", "escalated it: nobody had decided in time"),
    "request.answered": ("corner-down-right", "info", "answered the changes that were asked for"),
    "request.reopened": ("rotate", "warn", "opened it again"),
    "request.scheduled": ("clock", "info", "scheduled it"),
    "request.glass_broken": ("alert-triangle", "bad", "broke the glass: applied without a review"),
    "request.glass_confirmed": ("circle-check", "good", "confirmed it afterwards"),
    "request.glass_rolled_back": ("arrow-back-up", "bad", "rolled it back"),
    "review.stale": ("clock", "warn", "noticed that an approval no longer counts"),
    "approval.lapsed": ("hourglass", "warn", "noticed that the approval has lapsed"),
    "alias.moved": ("tag", "good", "moved the alias"),
    "alias.removed": ("tag", "quiet", "removed the alias"),
    "label.moved": ("tag", "good", "moved the label"),
    "label.removed": ("tag", "quiet", "removed the label"),
    "policy.changed": ("checklist", "warn", "changed the policy"),
    "policy.removed": ("checklist", "warn", "removed the policy"),
    "policy.created": ("checklist", "warn", "wrote the policy"),
    "deployment.created": ("rocket", "good", "deployed it"),
    "deployment.changed": ("rocket", "good", "changed the deployment"),
    "role.granted": ("user-plus", "good", "granted the role"),
}
_VERDICTS: dict[str, tuple[str, str, str]] = {
    Review.Verdict.APPROVE: ("circle-check", "good", "approved"),
    Review.Verdict.REJECT: ("circle-x", "bad", "rejected"),
    Review.Verdict.CHANGES: ("edit", "warn", "asked for changes"),
    Review.Verdict.COMMENT: ("message-circle", "quiet", "commented"),
}
# What a review or the applying of the same moment says already.
_SAID_BY_REVIEW = {"request.reviewed", "request.rejected"}
_SAID_BY_APPLYING = {"request.approved", "alias.moved", "alias.removed", "label.moved", "label.removed"}


def timeline(
    request: ApprovalRequest, reviews: Sequence[Review], stale: Mapping[int, str], *, everything: bool = False
) -> tuple[list[Entry], int]:
    """Oldest first, and how many older ones are left out. stale: why a review no longer counts, by its id. Two queries."""
    events, answers = _events(request)
    entries = [_said(review, stale.get(review.pk, ""), answers) for review in reviews]
    entries += events
    entries += _evidence(request)
    entries.sort(key=lambda entry: entry.at)
    left_out = 0 if everything else max(0, len(entries) - MOST)
    return entries[left_out:], left_out


def _said(review: Review, stale: str, answers: Collection[tuple[int | None, str]]) -> Entry:
    icon, tone, text = _VERDICTS[review.verdict]
    if review.verdict == Review.Verdict.COMMENT and (review.reviewer_id, review.comment) in answers:
        icon, tone, text = _WORDS["request.answered"]
    if review.on_behalf_of:
        text += f" on behalf of {review.on_behalf_of}"
    if stale:
        icon, tone = "clock", "warn"
    return Entry(review.created_at, review.reviewer, icon, tone, text, review=review, stale=stale)


def _events(request: ApprovalRequest) -> tuple[list[Entry], set[tuple[int | None, str]]]:
    """What the ledger has about the request, and what became of its policy while it was open; and the answers of the
    requester, whose words stand among the comments already."""
    target = request_target(request)
    policy = Target("policy", request.policy_version.policy_id if request.policy_version else 0, "")
    events = list(events_about(target, policy) if request.policy_version else events_about(target))
    applied = {event.xid for event in events if event.action == "request.applied"}
    until = request.closed_at or timezone.now()
    told = []
    answers = set()
    for event in events:
        if target.subject not in event.subjects:
            if event.action.startswith("policy.") and request.created_at <= event.at <= until:
                told.append(_told(event))
        elif event.action == "request.answered":
            answers.add((event.actor_id, event.reason))
        elif event.action not in _SAID_BY_REVIEW and not (event.xid in applied and event.action in _SAID_BY_APPLYING):
            entry = _told(event)
            # The last approval's comment stands with the approval itself, just above.
            told.append(replace(entry, detail="") if event.action == "request.approved" else entry)
    return told, answers


def _told(event: AuditEvent) -> Entry:
    verb = event.action.partition(".")[2].replace("_", " ")
    icon, tone, text = _WORDS.get(event.action, ("timeline-event", "quiet", f"{verb} it"))
    return Entry(event.at, event.actor_name, icon, tone, text, detail=event.reason or "", link=f"/ledger/{event.pk}")


def _evidence(request: ApprovalRequest) -> list[Entry]:
    """What was deposited about these bytes since the request was made."""
    if request.version_id is None:
        return []
    rows = Evidence.objects.filter(
        team_id=request.team_id, subject_digest=request.digest, created_at__gt=request.created_at
    ).order_by("id")
    if request.closed_at:
        rows = rows.filter(created_at__lte=request.closed_at)
    return [
        Entry(row.created_at, "", "report-analytics", "info", f"New evidence: {row.label}", link=row.link)
        for row in rows[:_MOST_READ]
    ]
