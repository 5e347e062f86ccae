"""Settings: who reviews for me while I am away, and for whom I review."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.access import can, require
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.errors import Problem
from accounts.members import members
from accounts.models import User
from accounts.pages import add_problem
from accounts.roles import Permission
from governance import actions, clock
from governance.models import Delegation, Review
from home.requests.forms import DelegationForm

_MOST = 50


@login_required
def delegation_list(request: HttpRequest) -> HttpResponse:
    """Mine, those handed to me, what was decided on my behalf, and a form for a new one in the current team."""
    by, team = actor_of(request), current_team(request)
    if request.method == "POST":
        if team is None:
            raise Http404
        require(by, Permission.DELEGATION_CREATE, team)
    may = team is not None and can(by, Permission.DELEGATION_CREATE, team)
    form = None
    if team is not None and may:
        people = (
            members(team).filter(is_active=True, kind=User.Kind.PERSON).exclude(pk=by.id or 0).order_by("name", "email")
        )
        form = DelegationForm(request.POST or None, people=people, initial={"starts_at": clock.now()})
        if request.method == "POST" and form.is_valid():
            try:
                made = actions.delegate(team=team, by=by, **form.cleaned_data)
            except Problem as problem:
                if problem.status == 403:
                    raise
                add_problem(form, problem)
            else:
                messages.success(
                    request, f"{made.delegate} reviews for you from {made.starts_at:%-d %b, %H:%M} UTC on."
                )
                return redirect("delegation-list")
    rows = Delegation.objects.select_related("team", "delegator", "delegate")
    context = {
        "team": team,
        "may": may,
        "form": form,
        "given": [(row, state_of(row)) for row in rows.filter(delegator_id=by.id)[:_MOST]],
        "received": [(row, state_of(row)) for row in rows.filter(delegate_id=by.id)[:_MOST]],
        "decided": Review.objects.filter(on_behalf_of_id=by.id)
        .select_related("reviewer", "request__team")
        .order_by("-id")[:_MOST],
    }
    return render(request, "home/requests/delegations.html", context, status=422 if form and form.errors else 200)


def state_of(row: Delegation) -> str:
    """active, planned or over, by the database’s clock."""
    now = clock.now()
    if row.ended_at is not None or row.ends_at <= now:
        return "over"
    return "planned" if row.starts_at > now else "active"


@login_required
@require_POST
def delegation_end(request: HttpRequest, delegation_id: int) -> HttpResponse:
    by = actor_of(request)
    row = Delegation.objects.filter(pk=delegation_id).select_related("team").first()
    if row is None or (
        by.id not in (row.delegator_id, row.delegate_id) and not can(by, Permission.TEAM_MANAGE, row.team)
    ):
        raise Http404
    actions.end_delegation(delegation=row, by=by)
    messages.success(request, "Ended.")
    return redirect("delegation-list")
