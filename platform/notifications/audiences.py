"""Whom an event of the ledger concerns, and in which words. Reads only; the tail writes the notices."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from accounts.models import Team
from accounts.roles import Permission
from governance.ledger.actions import Action
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from notifications import holders
from notifications.kinds import Kind

MAX_BODY = 2_000
_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z0-9._%+-]+(?:@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)?)")


@dataclass(frozen=True)
class Told:
    """One thing to tell one person."""

    user_id: int
    kind: Kind
    title: str
    body: str
    link: str


def told_of(event: AuditEvent) -> list[Told]:
    """Everybody whom the event concerns, each once; whoever acted is not told of their own act."""
    tell = _TELLERS.get(event.action)
    if tell is None:
        return []
    seen: dict[int, Told] = {}
    for told in tell(event):
        if told.user_id != event.actor_id:
            seen.setdefault(told.user_id, told)
    return list(seen.values())


# Who is who


def mentioned(text: str, team: str) -> set[int]:
    """Members of the team whom a text names, as @address or by the part of it before the @."""
    names = {name.rstrip(".").lower() for name in _MENTION.findall(text)}
    if not names:
        return set()
    people = holders.members(team).items()
    return {key for key, email in people if {email.lower(), email.lower().partition("@")[0]} & names}


def _request_of(event: AuditEvent) -> ApprovalRequest | None:
    if event.target_kind != "request" or not event.target_id.isdigit():
        return None
    rows = ApprovalRequest.objects.select_related("team")
    return rows.filter(pk=int(event.target_id)).first()


def _tell(people: Iterable[int], kind: Kind, event: AuditEvent, title: str, *, link: str = "") -> Iterable[Told]:
    body = (event.reason or "").strip()[:MAX_BODY]
    address = link or f"/requests/{event.target_id}"
    for person in sorted(people):
        yield Told(person, kind, title[:300], body, address)


def _mentions(event: AuditEvent, request: ApprovalRequest) -> Iterable[Told]:
    named = mentioned(event.reason or "", event.team)
    yield from _tell(named, Kind.MENTION, event, f"{event.actor_name} mentions you: {request}")


# What each event says to whom


def _opened(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is None:
        return
    yield from _mentions(event, request)
    if request.state == ApprovalRequest.State.OPEN:
        title = f"{event.actor_name} asks for your review: {request}"
        yield from _tell(holders.reviewers_of(request), Kind.REVIEW_WANTED, event, title)


def _reviewed(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is None:
        return
    verdict = (event.after or {}).get("verdict", "")
    yield from _mentions(event, request)
    # A rejection or the last approval has an event of its own.
    words = {"comment": "comments on", "changes": "asks for changes to", "approve": "approves"}.get(verdict)
    if words:
        title = f"{event.actor_name} {words} your request: {request}"
        yield from _tell([request.requested_by_id], Kind.DISCUSSION, event, title)


def _decided(word: str) -> Callable[[AuditEvent], Iterable[Told]]:
    def tell(event: AuditEvent) -> Iterable[Told]:
        request = _request_of(event)
        if request is not None:
            title = f"Your request is {word}: {request}"
            yield from _tell([request.requested_by_id], Kind.DECISION, event, title)

    return tell


def _glass_broken(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is None:
        return
    title = f"{event.actor_name} broke the glass: {request}"
    loud = holders.reviewers_of(request) | holders.holders(request.team, Permission.TEAM_MANAGE)
    loud |= holders.holders(request.team, Permission.LEDGER_VIEW) | {request.requested_by_id}
    yield from _tell(loud, Kind.GLASS_BROKEN, event, title)


def _escalated(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is None:
        return
    title = f"Still waiting, and escalated to you: {request}"
    named = {key for key in (event.after or {}).get("people", []) if isinstance(key, int)}
    people = named or holders.reviewers_of(request) | holders.holders(request.team, Permission.TEAM_MANAGE)
    yield from _tell(people - {request.requested_by_id}, Kind.ESCALATION, event, title)


def _lapsed(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is not None:
        people = {request.requested_by_id} | holders.holders(request.team, Permission.TEAM_MANAGE)
        yield from _tell(people, Kind.SHELF_LIFE, event, f"The approval ran out: {request}")


def _webhook_disabled(event: AuditEvent) -> Iterable[Told]:
    team = Team.objects.filter(name=event.team).first()
    if team is None:
        return
    title = f"The webhook {event.target_label} of {event.team} is disabled"
    people = holders.holders(team, Permission.WEBHOOK_MANAGE)
    yield from _tell(people, Kind.WEBHOOK_DISABLED, event, title, link=f"/settings/webhooks/{event.target_id}/")


_TELLERS: dict[str, Callable[[AuditEvent], Iterable[Told]]] = {
    Action.REQUEST_OPENED: _opened,
    Action.REQUEST_REVIEWED: _reviewed,
    Action.REQUEST_APPROVED: _decided("approved"),
    Action.REQUEST_APPLIED: _decided("applied"),
    Action.REQUEST_REJECTED: _decided("rejected"),
    Action.REQUEST_SUPERSEDED: _decided("superseded"),
    Action.WEBHOOK_DISABLED: _webhook_disabled,
    # Of the life of requests beyond a decision.
    "request.expired": _decided("expired"),
    "request.glass_broken": _glass_broken,
    "request.escalated": _escalated,
    "request.lapsed": _lapsed,
}
