"""Whom an event of the ledger concerns, and in which words. Reads only; the tail writes the notices."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from accounts.models import Team, User
from accounts.roles import Permission
from governance.ledger.actions import Action
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from notifications import holders
from notifications.kinds import Kind
from notifications.models import Notice

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
    """Everybody whom the event concerns, each once; whoever acted is not told of their own act (but of their key's)."""
    tell = _TELLERS.get(event.action)
    if tell is None:
        return []
    seen: dict[int, Told] = {}
    for told in tell(event):
        if told.user_id != event.actor_id or told.kind == Kind.KEY_USED:
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


def _wanted(event: AuditEvent, request: ApprovalRequest, why: str, *, again: bool = False) -> Iterable[Told]:
    """Those whom the request waits for now; without `again` those alone who have not been asked before."""
    people = holders.reviewers_of(request)
    if not again:
        asked = Notice.objects.filter(kind=Kind.REVIEW_WANTED, link=f"/requests/{request.pk}", user_id__in=people)
        people -= set(asked.values_list("user_id", flat=True))
    yield from _tell(people, Kind.REVIEW_WANTED, event, why)


def _opened(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is not None:
        yield from _mentions(event, request)
        yield from _wanted(event, request, f"{event.actor_name} asks for your review: {request}")


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
    if verdict == "approve":  # the next step's reviewers are asked in their turn
        yield from _wanted(event, request, f"{event.actor_name} has approved, and it is your turn: {request}")


def _answered(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is None:
        return
    yield from _mentions(event, request)
    asked_by = set((event.after or {}).get("asked_by", []))
    people = [key for key, email in holders.members(event.team).items() if email in asked_by]
    yield from _tell(people, Kind.REVIEW_WANTED, event, f"{event.actor_name} answers what you asked for: {request}")


def _reopened(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    if request is not None:
        yield from _tell([request.requested_by_id], Kind.DECISION, event, f"Your request is open again: {request}")
        yield from _wanted(event, request, f"Open again, and it waits for you: {request}", again=True)


def _stale(event: AuditEvent) -> Iterable[Told]:
    request = _request_of(event)
    reviewer = (event.after or {}).get("reviewer", "")
    if request is not None:
        people = [key for key, email in holders.members(event.team).items() if email == reviewer]
        yield from _tell(people, Kind.REVIEW_WANTED, event, f"Your approval no longer counts: {request}")


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
    people, to = holders.reviewers_of(request), (event.after or {}).get("to")
    people |= holders.party(request, to) if to else holders.holders(request.team, Permission.TEAM_MANAGE)
    title = f"Still waiting, and escalated to you: {request}"
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


def _delegated(event: AuditEvent) -> Iterable[Told]:
    after = event.after or {}
    people = [key for key, email in holders.members(event.team).items() if email == after.get("delegate")]
    title = f"{event.actor_name} asks you to review for them until {str(after.get('ends_at', ''))[:10]}"
    yield from _tell(people, Kind.DELEGATION, event, title, link="/requests/")


def _access_wanted(event: AuditEvent) -> Iterable[Told]:
    team = Team.objects.filter(name=event.team).first()
    if team is not None:
        title = f"{event.actor_name} asks for the files of {event.target_label}"
        people = holders.holders(team, Permission.TEAM_MANAGE)
        yield from _tell(people, Kind.ACCESS_WANTED, event, title, link=_access_page(event))


def _access_decided(word: str) -> Callable[[AuditEvent], Iterable[Told]]:
    def tell(event: AuditEvent) -> Iterable[Told]:
        after = event.after or {}
        people = User.objects.filter(email=after.get("person", ""), is_active=True).values_list("pk", flat=True)
        until = f" until {str(after['until'])[:10]}" if after.get("until") else ""
        title = f"{event.actor_name} {word} the files of {event.target_label}{until}"
        yield from _tell(people, Kind.ACCESS_DECIDED, event, title, link=_access_page(event))

    return tell


def _access_page(event: AuditEvent) -> str:
    return f"/{(event.after or {}).get('kind', 'model')}s/{event.target_label}/access"


def _key_used(event: AuditEvent) -> Iterable[Told]:
    if event.actor_id is not None:
        where = (event.after or {}).get("address") or event.address
        title = f"Your API key '{event.target_label}' is used from {where} for the first time"
        yield from _tell([event.actor_id], Kind.KEY_USED, event, title, link="/settings/keys/")


_TELLERS: dict[str, Callable[[AuditEvent], Iterable[Told]]] = {
    Action.REQUEST_OPENED: _opened,
    Action.REQUEST_REVIEWED: _reviewed,
    Action.REQUEST_APPROVED: _decided("approved"),
    Action.REQUEST_APPLIED: _decided("applied"),
    Action.REQUEST_REJECTED: _decided("rejected"),
    Action.REQUEST_SUPERSEDED: _decided("superseded"),
    Action.WEBHOOK_DISABLED: _webhook_disabled,
    Action.ACCESS_ASKED: _access_wanted,
    Action.ACCESS_GRANTED: _access_decided("gives you"),
    Action.ACCESS_DENIED: _access_decided("does not give you"),
    Action.KEY_FIRST_USED_FROM: _key_used,
    Action.REQUEST_EXPIRED: _decided("expired"),
    Action.REQUEST_REOPENED: _reopened,
    Action.REQUEST_ANSWERED: _answered,
    Action.REQUEST_ESCALATED: _escalated,
    Action.REQUEST_GLASS_BROKEN: _glass_broken,
    Action.REQUEST_GLASS_CONFIRMED: _decided("confirmed afterwards"),
    Action.REQUEST_GLASS_ROLLED_BACK: _decided("rolled back"),
    Action.REVIEW_STALE: _stale,
    Action.APPROVAL_LAPSED: _lapsed,
    Action.DELEGATION_CREATED: _delegated,
}
