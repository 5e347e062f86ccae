"""Pages: the list of prompts, and making one."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import can
from accounts.authentication import actor_of
from accounts.current import current_team
from accounts.rest import keyset_page
from accounts.roles import Permission
from governance.stages import Stage
from prompts.reads import list_prompts, search_prompts


@login_required
@require_safe
def prompt_list(request: HttpRequest) -> HttpResponse:
    """The current team's prompts, last changed first."""
    by, team = actor_of(request), current_team(request)
    search, label = request.GET.get("q", "").strip(), request.GET.get("label", "")
    rows = search_prompts(list_prompts(by).filter(team=team), search=search, label=label)
    found, following = keyset_page(rows, order=["-updated_at", "-id"], cursor=request.GET.get("cursor", ""))
    context = {
        "prompts": found,
        "next": following,
        "filters": [
            {"name": "q", "kind": "search", "label": "Search prompts", "value": search},
            {
                "name": "label",
                "kind": "choice",
                "label": "Label",
                "value": label,
                "choices": [(stage.value, stage.value) for stage in Stage],
            },
        ],
        "filtered": bool(search or label),
        "team_now": team,
        "may_create": bool(team and can(by, Permission.ASSET_CREATE, team)),
    }
    return render(request, "prompts/list.html", context)
