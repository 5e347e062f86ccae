"""Asking for the files of a gated asset, and deciding. What is given is a grant on that one asset, with an end."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import Actor, can, require
from accounts.actions import grant
from accounts.actions.common import user_target
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.models import User
from accounts.roles import Permission, Role
from governance.ledger.actions import Action, Target, record
from registry import gates
from registry.actions.common import asset_target, lock_asset, person
from registry.models import AccessRequest, Asset

MAX_REASON = 2_000
State = AccessRequest.State


@transaction.atomic
def ask_for_access(*, asset: Asset, reason: str, by: Actor) -> AccessRequest:
    """Ask for the files of a gated asset that one sees. Asked once at a time; whoever has them already has nothing to ask."""
    asker = _writer(by)
    asset = lock_asset(asset)
    if asset.deleted_at or not (can(by, Permission.ASSET_VIEW, asset) or gates.is_shown_to(by, asset)):
        raise NotFound(f"There is no {asset.kind} '{asset}' that you can see.")
    if not asset.gated:
        raise Conflict(f"{asset} is not gated: whoever sees it may download its files.", code="not_gated")
    if can(Actor(asker), Permission.FILE_DOWNLOAD, asset):
        raise Conflict(f"You may download the files of {asset} already.", code="has_access")
    reason = _text("reason", reason)
    if not reason:
        raise Invalid("reason", "Say what you need the files for: whoever decides reads it.")
    try:
        with transaction.atomic():
            request = AccessRequest.objects.create(asset=asset, person=asker, reason=reason)
    except IntegrityError:
        raise Conflict(
            f"You have asked for {asset} already. Wait for the answer, or withdraw it and ask again.",
            link=gates.ask_address(asset),
            code="asked_already",
        ) from None
    _record(Action.ACCESS_ASKED, request, by, after={"reason": reason})
    return request


@transaction.atomic
def grant_access(
    *, request: AccessRequest, until: datetime | None = None, answer: str = "", by: Actor
) -> AccessRequest:
    """Give what was asked for: the role `downloader` on this asset, until then (90 days without it). Nobody decides on their own."""
    request = _lock_open(request, by)
    until = until or timezone.now() + timedelta(days=gates.DEFAULT_DAYS)
    if until <= timezone.now():
        raise Invalid("until", "Use a time in the future.")
    if until > timezone.now() + timedelta(days=gates.MAX_DAYS):
        raise Invalid("until", f"Access is given for at most {gates.MAX_DAYS} days at a time.")
    if not request.person.is_active:
        raise Conflict(f"{request.person} is deactivated.")
    answer = _text("answer", answer)
    # A grant for longer that somebody gave by hand stays as it is given here: the end that was decided last holds.
    row, _ = grant(
        user=request.person, role=Role.DOWNLOADER, on=request.asset, expires_at=until, reason=request.reason, by=by
    )
    request.until, request.grant = until, row
    _decide(request, State.GRANTED, answer, by)
    _record(Action.ACCESS_GRANTED, request, by, after={"until": until.isoformat(), "reason": answer})
    return request


@transaction.atomic
def refuse_access(*, request: AccessRequest, answer: str = "", by: Actor) -> AccessRequest:
    """Say no, and why."""
    request = _lock_open(request, by)
    answer = _text("answer", answer)
    if not answer:
        raise Invalid("answer", "Say why: it is what the person reads.")
    _decide(request, State.REFUSED, answer, by)
    _record(Action.ACCESS_DENIED, request, by, after={"reason": answer})
    return request


@transaction.atomic
def withdraw_access_request(*, request: AccessRequest, by: Actor) -> AccessRequest:
    """Take back what one asked."""
    if by.id is None or request.person_id != by.id:
        raise Forbidden("Only who asked withdraws it.", permission="")
    _writer(by)
    request = _lock(request)
    _decide(request, State.WITHDRAWN, "", by)
    _record(Action.ACCESS_WITHDRAWN, request, by, after={})
    return request


def _writer(by: Actor) -> User:
    """Who asks or takes it back: whoever signs in, but by no key that was made to read only."""
    if not by.in_scope(Permission.REQUEST_CREATE):
        raise Forbidden(
            "This key's scopes leave out asking for anything. Use one with the scope 'write'.",
            permission=Permission.REQUEST_CREATE.value,
        )
    return person(by)


def _lock_open(request: AccessRequest, by: Actor) -> AccessRequest:
    """The request, locked after its asset, for somebody who may decide it."""
    require(by, Permission.TEAM_MANAGE, request.asset)
    if request.person_id == by.id:
        raise Forbidden("Somebody else decides on what you asked for.", permission=Permission.TEAM_MANAGE.value)
    return _lock(request)


def _lock(request: AccessRequest) -> AccessRequest:
    asset = lock_asset(request.asset)
    found = AccessRequest.objects.select_for_update(of=("self",)).select_related("person").get(pk=request.pk)
    found.asset = asset
    if not found.is_open:
        raise Conflict(f"This was decided already: {found.get_state_display().lower()}.", code="decided_already")
    if asset.deleted_at:
        raise Conflict(f"{asset} is deleted.")
    return found


def _decide(request: AccessRequest, state: str, answer: str, by: Actor) -> None:
    request.state, request.answer = state, answer
    request.decided_at, request.decided_by = timezone.now(), person(by)
    request.save(update_fields=["state", "answer", "decided_at", "decided_by", "until", "grant"])


def _record(action: Action, request: AccessRequest, by: Actor, *, after: dict[str, str]) -> None:
    asset, asker = request.asset, request.person
    reason = after.pop("reason", "")
    record(
        action,
        by=by,
        team=asset.team.name,
        target=Target("access_request", request.pk, f"{asset}"),
        also=[asset_target(asset), user_target(asker)],
        after={"kind": asset.kind, "person": asker.email, **after},
        reason=reason,
    )


def _text(field: str, text: str) -> str:
    text = text.strip()
    if len(text) > MAX_REASON or "\0" in text:
        raise Invalid(field, f"Use at most {MAX_REASON} characters of text.")
    return text
