"""Pages: saved views of the ledger."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import can
from accounts.authentication import actor_of
from accounts.current import current_team, teams_of
from accounts.errors import Forbidden, Problem
from accounts.models import Team
from accounts.roles import Permission
from governance import actions
from governance.access import get_view, ledger_teams, visible_views

_MOST = 200


def team_for_views(request: HttpRequest) -> Team | None:
    """The team that a new view belongs to: the current one if its ledger may be read, else the first such."""
    by, now = actor_of(request), current_team(request)
    teams = [now] if now else []
    return next((team for team in [*teams, *teams_of(request)[0]] if can(by, Permission.LEDGER_VIEW, team)), None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def view_list(request: HttpRequest) -> HttpResponse:
    """The saved views; a POST keeps the filter in `query` under `name`."""
    by = actor_of(request)
    ledger_teams(by)
    problem = None
    if request.method == "POST":
        team = team_for_views(request)
        query = request.POST.get("query", "")
        try:
            if team is None:
                raise Forbidden("You read no team's ledger.", permission=Permission.LEDGER_VIEW.value)
            view = actions.save_view(
                team=team, name=request.POST.get("name", ""), query=query, shared="shared" in request.POST, by=by
            )
        except Problem as wrong:
            problem = wrong
        else:
            messages.success(request, f"The view '{view.name}' is kept.")
            return redirect(f"/ledger/?{view.query}")
    rows = [(view, view.owner_id == by.id) for view in visible_views(by)[:_MOST]]
    context = {"views": rows, "problem": problem}
    return render(request, "governance/saved_views.html", context, status=problem.status if problem else 200)


@login_required
@require_POST
def view_change(request: HttpRequest, view_id: int) -> HttpResponse:
    by = actor_of(request)
    view = get_view(by, view_id)
    try:
        actions.change_view(view=view, name=request.POST.get("name", ""), shared="shared" in request.POST, by=by)
    except Forbidden:
        raise
    except Problem as problem:
        messages.error(
            request, "; ".join(text for texts in problem.errors.values() for text in texts) or problem.detail
        )
    else:
        messages.success(request, "View saved.")
    return redirect("saved-view-list")


@login_required
@require_POST
def view_remove(request: HttpRequest, view_id: int) -> HttpResponse:
    by = actor_of(request)
    actions.remove_view(view=get_view(by, view_id), by=by)
    messages.success(request, "View removed.")
    return redirect("saved-view-list")
