"""The inbox."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import actor_of
from accounts.current import teams_of
from home import approvals
from home.requests import lists
from home.requests.views.asking import may_ask, may_break_glass
from registry import gates


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """The inbox: what waits for me, what I asked for, what is open, scheduled, broken, renewed or decided."""
    by = actor_of(request)
    tab = request.GET.get("tab", "") if request.GET.get("tab") in lists.TABS else "inbox"
    teams, _ = teams_of(request)
    counts = lists.counts(by)
    context = {
        "page": lists.page(by, tab, request.GET, teams),
        "tab": tab,
        "tabs": [(slug, title, counts.get(slug, 0)) for slug, title in lists.TABS.items()],
        "hidden": {"tab": tab} if tab != "inbox" else {},
        "standing_in": list(approvals.delegations_to(by)),
        "access_waiting": gates.waiting_for(by).select_related("asset__team", "person")[:20] if tab == "inbox" else [],
        "may_ask": may_ask(by),
        "may_break_glass": may_break_glass(by),
    }
    return render(request, "home/requests/list.html", context)
