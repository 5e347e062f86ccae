"""Page: who uses which version; and the chip that says so beside a version."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import Actor
from accounts.authentication import actor_of
from prompts.extras import Chip
from prompts.models import PromptUse, PromptVersion
from prompts.reads import get_prompt
from prompts.usage import Usage, read_since, usage_of
from prompts.views.frame import prompt_page

PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"))
_CHIP_DAYS = 7
_MOST_SERIES = 5


@login_required
@require_safe
def prompt_usage(request: HttpRequest, team: str, name: str) -> HttpResponse:
    """Fetches by version and consumer, of one version or all, and how they went day by day."""
    by = actor_of(request)
    prompt = get_prompt(by, f"{team}/{name}")
    number = request.GET.get("version", "")
    version = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None
    days = request.GET.get("days", "30")
    if days not in {str(length) for length, _ in PERIODS}:
        days = "30"
    since = read_since((timezone.now().date() - timedelta(days=int(days) - 1)).isoformat())
    usage = usage_of(by, prompt, since=since, version=version)
    context = {
        **prompt_page(request, prompt, "usage"),
        "usage": usage,
        "series": _series(usage),
        "version": version,
        "days": days,
        "periods": [(str(length), title) for length, title in PERIODS],
    }
    return render(request, "prompts/usage.html", context)


def _series(usage: Usage) -> list[dict[str, object]]:
    """Fetches a day, each of the newest versions a series and all others one together. Days without any are zeros."""
    today = timezone.now().date()
    days = [usage.since + timedelta(days=place) for place in range((today - usage.since).days + 1)]
    own = [one.number for one in usage.versions[:_MOST_SERIES]]
    counts: dict[str, dict[object, int]] = {f"v{number}": {} for number in own}
    for day, version, fetches in usage.days:
        name = f"v{version}" if version in own else "older"
        counts.setdefault(name, {})
        counts[name][day] = counts[name].get(day, 0) + fetches
    return [
        {
            "name": name,
            "points": [
                [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000), found.get(day, 0)]
                for day in days
            ],
        }
        for name, found in counts.items()
    ]


def chips(by: Actor, versions: Sequence[PromptVersion]) -> Mapping[int, Sequence[Chip]]:
    """'3 consumers' beside each version that was fetched in the last week."""
    since = timezone.now().date() - timedelta(days=_CHIP_DAYS - 1)
    rows = (
        PromptUse.objects.filter(version__in=[version.pk for version in versions], day__gte=since)
        .order_by()
        .values("version_id")
        .annotate(consumers=Count("consumer", distinct=True), total=Sum("fetches"))
    )
    by_id = {version.pk: version for version in versions}
    found = {}
    for row in rows:
        version, number = by_id[row["version_id"]], row["consumers"]
        address = reverse("prompt-usage", args=[version.prompt.team.name, version.prompt.name])
        text = f"{number} consumer{'' if number == 1 else 's'}"
        title = f"{row['total']:,} fetches in the last {_CHIP_DAYS} days"
        found[row["version_id"]] = [Chip(text, "info", f"{address}?version={version.number}", title)]
    return found
