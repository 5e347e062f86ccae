"""Search over everything an actor sees: models, datasets, prompts, deployments, requests, versions by digest, teams."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from accounts.access import Actor, visible_teams
from accounts.models import Team
from governance.models import ApprovalRequest
from home import approvals
from prompts.models import Prompt
from registry.models import Asset, Version
from serving.models import Deployment

M = TypeVar("M", bound=Model)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")
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
    text = text.strip().lower()[:200]
    if not text:
        return []
    assets = Asset.objects.visible_to(actor).filter(_named(text)).select_related("team").order_by("-updated_at")
    prompts = Prompt.objects.visible_to(actor).filter(_named(text)).select_related("team").order_by("-updated_at")
    deployments = (
        Deployment.objects.visible_to(actor).for_people().filter(_named(text)).select_related("team").order_by("-id")
    )
    requests = approvals.visible_requests(actor).filter(asset_label__icontains=text).order_by("-id")
    teams = Team.objects.filter(visible_teams(actor), Q(name__icontains=text) | Q(title__icontains=text))
    groups = [
        _group("Models", assets.models(), limit, _asset_hit),
        _group("Datasets", assets.datasets(), limit, _asset_hit),
        _group("Prompts", prompts, limit, lambda row: Hit(str(row), row.get_absolute_url(), "message-2")),
        _group("Deployments", deployments, limit, _deployment_hit),
        _group("Requests", requests, limit, _request_hit),
        _group("Teams", teams.order_by("name"), limit, _team_hit),
    ]
    if found := _DIGEST.fullmatch(text):
        versions = (
            Version.objects.visible_to(actor)
            .filter(digest__startswith=f"sha256:{found[1]}")
            .select_related("asset__team")
        )
        groups.insert(0, _group("Versions by digest", versions.order_by("-id"), limit, _version_hit))
    return [group for group in groups if group.hits]


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
    return Hit(str(version), version.get_absolute_url(), "hash", version.digest[7:19])


def _team_hit(team: Team) -> Hit:
    return Hit(team.title or team.name, f"/?team={team.name}", "users", team.name)
