"""Search over everything an actor sees: models, datasets, prompts, deployments, requests, versions by digest, teams."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

import registry.search
from accounts.access import Actor, visible_teams
from accounts.models import Team
from governance.models import ApprovalRequest
from home import approvals
from prompts.models import Prompt
from registry.models import Asset, Version
from serving.models import Deployment

M = TypeVar("M", bound=Model)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{7,64})")
_NUMBERED = re.compile(r"(?:(.*\S)[\s@]+)?v([1-9][0-9]{0,8})")
SHORT, LONG = 5, 25


@dataclass(frozen=True)
class Hit:
    title: str
    address: str
    icon: str
    note: str = ""


@dataclass
class Group:
    """The hits of one kind; `more` when there are others than these."""

    title: str
    hits: list[Hit] = field(default_factory=list)
    more: bool = False


def search(actor: Actor, text: str, *, limit: int = SHORT) -> list[Group]:
    """Groups that have hits, the best known kinds first. One query per kind, whatever there is."""
    text = text.strip().replace("\0", "")[:200]
    if not text:
        return []
    plain = text.lower()
    prompts = Prompt.objects.visible_to(actor).filter(_named(plain)).select_related("team").order_by("-updated_at")
    deployments = (
        Deployment.objects.visible_to(actor).for_people().filter(_named(plain)).select_related("team").order_by("-id")
    )
    requests = approvals.visible_requests(actor).filter(asset_label__icontains=plain).order_by("-id")
    teams = Team.objects.filter(visible_teams(actor), Q(name__icontains=plain) | Q(title__icontains=plain))
    groups = [
        _versions(actor, plain, limit),
        _assets("Models", actor, Asset.Kind.MODEL, text, limit),
        _assets("Datasets", actor, Asset.Kind.DATASET, text, limit),
        _group("Prompts", prompts, limit, lambda row: Hit(str(row), row.get_absolute_url(), "message-2")),
        _group("Deployments", deployments, limit, _deployment_hit),
        _group("Requests", requests, limit, _request_hit),
        _group("Teams", teams.order_by("name"), limit, _team_hit),
        _group("Files to ask for", _to_ask_for(actor, plain), limit, _asset_hit),
    ]
    return [group for group in groups if group.hits]


def _assets(title: str, actor: Actor, kind: str, text: str, limit: int) -> Group:
    """The best fits, mistyped words understood."""
    rows = Asset.objects.visible_to(actor).filter(kind=kind).select_related("team")
    found = registry.search.find(rows, registry.search.Query(text=text), limit=limit)
    return Group(title, [_asset_hit(row) for row in found.rows], found.next is not None)


def _versions(actor: Actor, text: str, limit: int) -> Group:
    """By the beginning of a digest or commit, or by number: 'v2' of whatever the words before it name."""
    rows = Version.objects.visible_to(actor).filter(deleted_at=None).select_related("asset__team")
    if found := _DIGEST.fullmatch(text):
        begins = Q(digest__startswith=f"sha256:{found[1]}")
        return _group(
            "Versions by digest",
            rows.filter(begins | Q(commit__startswith=found[1])).order_by("-id"),
            limit,
            _version_hit,
        )
    if not (found := _NUMBERED.fullmatch(text)):
        return Group("Versions")
    rows = rows.filter(number=int(found[2]))
    if name := (found[1] or "").strip():
        by_kind = (Asset.objects.visible_to(actor).filter(kind=kind) for kind in Asset.Kind.values)
        query = registry.search.Query(text=name)
        named = [row.pk for own in by_kind for row in registry.search.find(own, query, limit=limit).rows]
        rows = rows.filter(asset__in=named)
    return _group("Versions", rows.order_by("-asset__updated_at", "-id"), limit, _version_hit)


def _to_ask_for(actor: Actor, text: str) -> QuerySet[Asset]:
    """Gated ones of other teams that the whole site may know of."""
    if actor.user is None or (actor.key and actor.key.team_id):
        return Asset.objects.none()
    shown = Asset.objects.filter(visibility=Asset.Visibility.SITE, gated=True, deleted_at=None, archived_at=None)
    seen = Asset.objects.visible_to(actor).filter(visibility=Asset.Visibility.SITE)
    return shown.filter(_named(text)).exclude(pk__in=seen).select_related("team").order_by("-updated_at")


def _named(text: str) -> Q:
    """By name, or 'team/name' in parts."""
    team, slash, name = text.partition("/")
    if slash:
        return Q(team__name__icontains=team, name__icontains=name)
    return Q(name__icontains=text)


def _group(title: str, rows: QuerySet[M], limit: int, show: Callable[[M], Hit]) -> Group:
    found = list(rows[: limit + 1])
    return Group(title, [show(row) for row in found[:limit]], len(found) > limit)


def _asset_hit(asset: Asset) -> Hit:
    icon = "box" if asset.kind == Asset.Kind.MODEL else "database"
    return Hit(str(asset), asset.get_absolute_url(), icon, asset.get_task_display())


def _deployment_hit(deployment: Deployment) -> Hit:
    return Hit(str(deployment), deployment.get_absolute_url(), "rocket", deployment.get_state_display())


def _request_hit(request: ApprovalRequest) -> Hit:
    return Hit(str(request), f"/requests/{request.pk}", "rubber-stamp", request.get_state_display())


def _version_hit(version: Version) -> Hit:
    return Hit(str(version), version.get_absolute_url(), "hash", version.digest[7:19] or "draft")


def _team_hit(team: Team) -> Hit:
    return Hit(team.title or team.name, f"/?team={team.name}", "users", team.name)
