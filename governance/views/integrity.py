"""The page on which an auditor checks the ledger as a whole: checkpoints, keys, anchors, and how to verify offline."""

import base64
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound, Problem
from accounts.rest import keyset_page
from governance.access import ledger_teams
from governance.ledger.commits import Position
from governance.ledger.models import Anchor, Checkpoint, Leaf, SigningKey
from governance.ledger.search.tail import tail

_CHECKPOINTS = 20
_ANCHORS = 10
_MOST_WAITING = 10_000


@login_required
@require_safe
def integrity(request: HttpRequest) -> HttpResponse:
    """Checkpoints, keys and anchors; `from` and `to` choose two checkpoints that the browser then compares."""
    ledger_teams(actor_of(request))
    problem = None
    compared: list[Checkpoint] = []
    try:
        compared = _compared(request.GET.get("from", ""), request.GET.get("to", ""))
    except Problem as wrong:
        problem = wrong
    checkpoints, following = keyset_page(
        Checkpoint.objects.all(), order=["-tree_size"], cursor=request.GET.get("cursor", ""), limit=_CHECKPOINTS
    )
    latest = Checkpoint.objects.order_by("-tree_size").first()
    keys = [_key(key) for key in SigningKey.objects.order_by("-id")]
    shown = compared or ([latest] if latest else [])
    context = {
        "problem": problem,
        "latest": latest,
        "waiting": _waiting(),
        "checkpoints": checkpoints,
        "next": following,
        "compared": compared,
        "keys": keys,
        "anchors": list(Anchor.objects.order_by("-id")[:_ANCHORS]),
        "shown": {"notes": [one.note for one in shown], "keys": keys},
        "commands": _commands(request, keys[0]["verifier"] if keys else "KEY"),
    }
    return render(request, "governance/integrity.html", context, status=problem.status if problem else 200)


def _commands(request: HttpRequest, key: str) -> str:
    """What to type, with this site's address and its key."""
    api = request.build_absolute_uri("/api/v1/ledger")
    curl = 'curl -sH "Authorization: Bearer $API_KEY"'
    return "\n".join(
        (
            f"{curl} -o countersign_verify.py {api}/verifier",
            f"{curl} -o ledger.jsonl '{api}/export?format=jsonl'",
            f"{curl} -o checkpoints.txt {api}/checkpoint",
            f"python3 countersign_verify.py ledger.jsonl checkpoints.txt --key '{key}'",
        )
    )


def _compared(first: str, second: str) -> list[Checkpoint]:
    """The two checkpoints of these sizes, the smaller first; none when none were asked for."""
    if not first and not second:
        return []
    found = []
    for field, text in (("from", first), ("to", second)):
        if not text.isdecimal() or len(text) > 18:
            raise Invalid(field, "Give the number of events that the checkpoint was signed over.")
        checkpoint = Checkpoint.objects.filter(tree_size=int(text)).first()
        if checkpoint is None:
            raise NotFound(f"There is no checkpoint over {text} events.")
        found.append(checkpoint)
    return sorted(found, key=lambda one: one.tree_size)


def _waiting() -> dict[str, Any]:
    """How many events wait for their seal, and for how long the oldest has."""
    last = Leaf.objects.order_by("-index").values_list("event__xid", "event_id").first()
    times = list(
        tail(Position(*last) if last else Position()).order_by("xid", "id").values_list("at", flat=True)[:_MOST_WAITING]
    )
    return {
        "count": len(times),
        "more": len(times) == _MOST_WAITING,
        "lag_s": max(0.0, (timezone.now() - min(times)).total_seconds()) if times else 0.0,
    }


def _key(key: SigningKey) -> dict[str, Any]:
    """A key as the page lists it and as the browser uses it; `verifier` is what C2SP tools and the offline verifier take."""
    public = bytes(key.public_key)
    return {
        "name": key.name,
        "hash": key.hash,
        "public_key": base64.b64encode(public).decode(),
        "verifier": f"{key.name}+{key.hash}+{base64.b64encode(bytes([1]) + public).decode()}",
        "active_from": key.active_from,
        "from_size": key.from_size,
    }
