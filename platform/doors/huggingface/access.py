"""Who may have the files of a gated repository. The Hub's access requests are ours; what is given here is a grant with an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.access import Actor, can, require
from accounts.actions import grant, revoke_grant
from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound
from accounts.models import Grant, User
from accounts.roles import Permission, Role
from accounts.who import get_person
from doors.huggingface.door import answer, door, json_of, text_of
from doors.huggingface.repos import base, moment, repo_of
from registry import actions, gates
from registry.models import AccessRequest, Asset

STATES = {"pending": AccessRequest.State.OPEN, "rejected": AccessRequest.State.REFUSED}
ACCEPTED = "accepted"
PAGE = 100
_GRANT = "grant-"  # what somebody was given has an id of its own: nobody need have asked


@door("GET")
def listed(request: HttpRequest, kind: str, team: str, name: str, status: str) -> HttpResponse:
    """Who waits for access, who has it (asked or not), who was refused; the last first, the next page in `Link`."""
    asset = _managed(request, kind, team, name)
    rows: Any
    if status == ACCEPTED:
        rows = Grant.objects.on(asset).live().filter(role=Role.DOWNLOADER).select_related("user")
    elif status in STATES:
        rows = AccessRequest.objects.filter(asset=asset, state=STATES[status]).select_related("person")
    else:
        raise Invalid("status", f"Use one of {', '.join([*STATES, ACCEPTED])}.")
    cursor = request.GET.get("cursor", "")
    if cursor:
        if not cursor.isdecimal() or len(cursor) > 18:
            raise Invalid("cursor", "'cursor' is what the last page's Link says.")
        rows = rows.filter(pk__lt=int(cursor))
    found = list(rows.order_by("-pk")[: PAGE + 1])
    headers = {}
    if len(found) > PAGE:
        here = f"{base(request)}/api/{kind}s/{asset}/user-access-request/{status}"
        headers["Link"] = f'<{here}?cursor={found[PAGE - 1].pk}>; rel="next"'
    body = [_held(row, status) if isinstance(row, Grant) else _asked(row, status) for row in found[:PAGE]]
    return answer(body, headers=headers)


@door("POST")
def handle(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Accept, refuse or take back what `user` (an email address) or `requestId` asked for."""
    asset, body, by = _managed(request, kind, team, name), json_of(request), actor_of(request)
    status, reason = text_of(body, "status"), text_of(body, "rejectionReason", default="")
    if status != ACCEPTED and status not in STATES:
        raise Invalid("status", f"Use one of {', '.join([*STATES, ACCEPTED])}.")
    waiting, held = _found(asset, body)
    if status == ACCEPTED and waiting:
        actions.grant_access(request=waiting, by=by)
    elif status == "rejected" and waiting:
        actions.refuse_access(
            request=waiting, answer=reason or "Refused without a word, by a client of the Hub.", by=by
        )
    elif status != ACCEPTED and held:
        revoke_grant(grant=held, reason=reason, by=by)
    else:
        raise NotFound(f"{asset} has no such request. See {gates.ask_address(asset)}")
    return answer({})


@door("POST")
def given(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """Access for somebody who did not ask, for as long as where nobody says: 90 days."""
    asset, by = _managed(request, kind, team, name), actor_of(request)
    user = get_person(by, text_of(json_of(request), "user", limit=300))
    if can(Actor(user), Permission.FILE_DOWNLOAD, asset):
        raise Invalid("user", f"{user} may download the files of {asset} already.")
    waiting, _ = _found(asset, {"user": user.email})
    if waiting:
        actions.grant_access(request=waiting, by=by)
    else:
        until = timezone.now() + timedelta(days=gates.DEFAULT_DAYS)
        grant(
            user=user, role=Role.DOWNLOADER, on=asset, expires_at=until, reason="Given by a client of the Hub.", by=by
        )
    return answer({})


def _managed(request: HttpRequest, kind: str, team: str, name: str) -> Asset:
    """The repository, for somebody who decides about access to it."""
    asset = repo_of(request, kind, team, name)
    require(actor_of(request), Permission.TEAM_MANAGE, asset)
    if not asset.gated:
        raise Invalid("gated", f"{asset} is not gated: whoever sees it may download its files.")
    return asset


def _found(asset: Asset, body: dict[str, Any]) -> tuple[AccessRequest | None, Grant | None]:
    """What of this person waits for a decision, and what they were given and still have."""
    rows = AccessRequest.objects.filter(asset=asset).open().select_related("asset__team", "person")
    held = Grant.objects.on(asset).live().filter(role=Role.DOWNLOADER).select_related("user", "team")
    number = text_of(body, "requestId", default="", limit=40)
    if not number:
        user = text_of(body, "user", limit=300)
        return rows.filter(person__email__iexact=user).first(), held.filter(user__email__iexact=user).first()
    pk = number.removeprefix(_GRANT)
    if not pk.isdecimal() or len(pk) > 18:
        raise NotFound(f"There is no request '{number}'.")
    if number.startswith(_GRANT):
        return None, held.filter(pk=int(pk)).first()
    return rows.filter(pk=int(pk)).first(), None


def _asked(row: AccessRequest, status: str) -> dict[str, Any]:
    fields = {"reason": row.reason} | ({"rejection reason": row.answer} if row.answer else {})
    return _row(row.person, str(row.pk), status, moment(row.asked_at)) | {"fields": fields}


def _held(row: Grant, status: str) -> dict[str, Any]:
    until = {"until": moment(row.expires_at)} if row.expires_at else {}
    return _row(row.user, f"{_GRANT}{row.pk}", status, moment(row.granted_at)) | {"fields": until}


def _row(user: User, number: str, status: str, at: str) -> dict[str, Any]:
    return {
        "requestId": number,
        "user": {"user": user.email, "fullname": user.name, "email": user.email},
        "status": status,
        "timestamp": at,
    }
