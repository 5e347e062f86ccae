"""Who fetches which version: reads over PromptUse, a constant number of queries however much there is."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Max, Sum
from django.utils import timezone

from accounts.access import Actor, can
from accounts.errors import Invalid
from accounts.models import ApiKey, User
from accounts.roles import Permission
from prompts.models import Prompt, PromptUse

DAYS, MOST_DAYS = 30, 400
# Beyond these, the ones that fetched longest ago are left out.
MOST_CONSUMERS, MOST_VERSIONS = 200, 200


@dataclass(frozen=True)
class Consumer:
    """Somebody's fetches of one version at one label with one key. `user` is None to those who may not know who it is."""

    user: User | None
    kind: str
    key_id: str
    key_name: str
    version: int
    label: str
    fetches: int
    last_at: datetime


@dataclass(frozen=True)
class OfVersion:
    number: int
    fetches: int
    consumers: int
    last_at: datetime


@dataclass(frozen=True)
class Usage:
    """`days`: (day, version, fetches), oldest first. `cut`: there are more consumers than are listed."""

    since: date
    fetches: int
    versions: list[OfVersion]
    consumers: list[Consumer]
    days: list[tuple[date, int, int]]
    cut: bool


def read_since(text: str) -> date:
    """A day (2026-01-31) of the last 400; without one, 30 days ago."""
    today = timezone.now().date()
    if not text:
        return today - timedelta(days=DAYS - 1)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Invalid("since", f"'{text[:40]}' is no day: write it as 2026-01-31.") from None
    if found > today or found < today - timedelta(days=MOST_DAYS):
        raise Invalid("since", f"Give a day of the last {MOST_DAYS}, not of the future.")
    return found


def usage_of(by: Actor, prompt: Prompt, *, since: date, version: int | None = None) -> Usage:
    """What was fetched since a day, of one version or all. Who fetched is told to the team; others hear that somebody did."""
    rows = PromptUse.objects.filter(version__prompt=prompt, day__gte=since)
    if version is not None:
        rows = rows.filter(version__number=version)
    rows = rows.order_by()
    versions = [
        OfVersion(row["version__number"], row["total"], row["consumers"], row["last"])
        for row in rows.values("version__number")
        .annotate(total=Sum("fetches"), consumers=Count("consumer", distinct=True), last=Max("last_at"))
        .order_by("-version__number")[:MOST_VERSIONS]
    ]
    found = list(
        rows.values("consumer", "key_id", "label", "version__number")
        .annotate(total=Sum("fetches"), last=Max("last_at"))
        .order_by("-last", "consumer", "key_id", "label", "version__number")[: MOST_CONSUMERS + 1]
    )
    days = rows.values("day", "version__number").annotate(total=Sum("fetches")).order_by("day", "version__number")
    users = User.objects.in_bulk({row["consumer"] for row in found})
    named = can(by, Permission.ASSET_VIEW, prompt.team)
    keys = dict(ApiKey.objects.filter(key_id__in={row["key_id"] for row in found}).values_list("key_id", "name"))
    consumers = [
        Consumer(
            user=users[row["consumer"]] if named else None,
            kind=users[row["consumer"]].kind,
            key_id=row["key_id"] if named else "",
            key_name=keys.get(row["key_id"], "") if named else "",
            version=row["version__number"],
            label=row["label"],
            fetches=row["total"],
            last_at=row["last"],
        )
        for row in found[:MOST_CONSUMERS]
    ]
    per_day = [(row["day"], row["version__number"], row["total"]) for row in days[: MOST_DAYS * 20]]
    total = sum(one.fetches for one in versions)
    return Usage(since, total, versions, consumers, per_day, len(found) > MOST_CONSUMERS)
