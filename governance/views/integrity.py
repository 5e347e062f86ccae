"""The page on which an auditor checks the ledger as a whole: checkpoints, keys, anchors, and how to verify offline."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, NotFound, Problem
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance import actions
from governance.access import ledger_teams
from governance.ledger import keys, sealer, state
from governance.ledger.commits import Position
from governance.ledger.models import Anchor, Checkpoint, Leaf
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
    known = keys.shown()
    shown = compared or ([latest] if latest else [])
    context = {
        "problem": problem,
        "latest": latest,
        "waiting": _waiting(),
        "may_erase": actor_of(request).is_site_admin,
        "problem_sealing": state.problem(),
        "checkpoints": checkpoints,
        "next": following,
        "compared": compared,
        "keys": known[::-1],
        "anchors": list(Anchor.objects.order_by("-id")[:_ANCHORS]),
        "shown": {"notes": [one.note for one in shown], "keys": known},
        "commands": _commands(request, known[-1]["text"] if known else "KEY"),
    }
    return render(request, "governance/integrity.html", context, status=problem.status if problem else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest) -> HttpResponse:
    """Erase what the ledger says of one person, for site administrators."""
    by = actor_of(request)
    if not by.is_site_admin:
        raise Forbidden(
            f"This needs the permission {Permission.LEDGER_ERASE.value}: site administrators have it.",
            permission=Permission.LEDGER_ERASE.value,
        )
    problem = None
    if request.method == "POST":
        try:
            if "sure" not in request.POST:
                raise Invalid("sure", "Tick the box: what is erased can't be brought back.")
            done = actions.erase_personal_data(
                email=request.POST.get("email", ""),
                reason=request.POST.get("reason", ""),
                mentions="mentions" in request.POST,
                by=by,
            )
        except Problem as wrong:
            problem = wrong
        else:
            messages.success(request, f"{done.events} events lost what they said of this person. Their proofs hold.")
            return redirect("ledger-integrity")
    given = {name: request.POST.get(name, "") for name in ("email", "reason")}
    mentions = request.method != "POST" or "mentions" in request.POST
    context = {"problem": problem, "given": given, "mentions": mentions}
    return render(request, "governance/erase.html", context, status=problem.status if problem else 200)


def _commands(request: HttpRequest, key: str) -> str:
    """What to type, with this site's address and its key."""
    api = request.build_absolute_uri("/api/v1/ledger")
    curl = 'curl -sH "Authorization: Bearer $API_KEY"'
    return "\n".join(
        (
            f"{curl} -o countersign_verify.py {api}/verifier",
            f"{curl} -o ledger.jsonl '{api}/export?format=jsonl'",
            f"{curl} -o checkpoints.txt {api}/checkpoints.txt",
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
    count = tail(Position(*last) if last else Position()).values("pk")[:_MOST_WAITING].count()
    return {"count": count, "more": count == _MOST_WAITING, "lag_s": sealer.lag_s()}
