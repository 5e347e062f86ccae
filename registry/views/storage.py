"""Settings > Storage: what is kept, when it was last checked, and what is damaged."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from accounts.access import require_site_admin
from accounts.authentication import actor_of
from registry import usage


@login_required
@require_safe
def storage_overview(request: HttpRequest) -> HttpResponse:
    require_site_admin(actor_of(request))
    found = usage.summary()
    largest = max((team["size"] for team in found["teams"]), default=0)
    for team in found["teams"]:
        team["share"] = round(100 * team["size"] / largest) if largest else 0
    for name in ("oldest", "last"):
        found["scrub"][name] = parse_datetime(found["scrub"][name] or "")
    for one in found["damaged"]:
        one["checked_at"] = parse_datetime(one["checked_at"] or "")
    return render(request, "registry/storage.html", {"usage": found})
