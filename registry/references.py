"""What still refers to a version or an asset, so that it can't be deleted. Deployments and evaluations lie in apps above this
one, which are known here by name only (as accounts.things knows them): so no door can forget to ask."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet

from accounts.access import Actor
from governance import gate
from governance.models import ApprovalRequest
from registry.models import Alias, Asset, Link, Version

MOST = 20  # named in one answer
_WAITING = (ApprovalRequest.State.OPEN, ApprovalRequest.State.APPROVED)


@dataclass(frozen=True)
class Reference:
    """One thing that refers to it. Of what the actor may not see there is no name and no link."""

    kind: str
    label: str
    href: str = ""

    def __str__(self) -> str:
        return f"{self.label} ({self.href})" if self.href else self.label


@dataclass(frozen=True)
class _Above:
    """A table of an app above: which rows of it hold a version."""

    app: str
    model: str
    kind: str
    fields: tuple[str, ...]
    only: Q
    by: str = "pk"  # what of a version they hold

    def rows(self, versions: QuerySet[Version]) -> QuerySet[Any]:
        held = Q()
        for field in self.fields:
            held |= Q(
                **{f"{field}__in": versions.exclude(digest="").values(self.by) if self.by == "digest" else versions}
            )
        rows: QuerySet[Any] = apps.get_model(self.app, self.model)._default_manager.filter(held, self.only).distinct()
        return rows


_ABOVE = (
    _Above("serving", "Deployment", "deployment", ("revision__version", "active__version"), Q(purpose="serving")),
    _Above("evaluation", "Evaluation", "evaluation", ("version", "dataset_version"), Q(finished_at=None)),
    # A run names what it reads by its digest. Once it has ended, the name is history.
    _Above(
        "tracking", "Run", "run", ("inputs__digest",), Q(state__in=("queued", "running"), deleted_at=None), by="digest"
    ),
)


def to_version(version: Version, by: Actor) -> list[Reference]:
    """Everything that refers to one version, at most MOST of each kind."""
    found = [
        Reference("alias", f"alias '{alias.name}'", version.asset.get_absolute_url())
        for alias in Alias.objects.filter(version=version).order_by("name")[:MOST]
    ]
    asked = Q(kind=version.asset.kind, version_id=version.pk)
    served = Q(kind="deployment", change__model=str(version.asset), change__version=version.number)
    found += _requests(asked | served)
    only = Version.objects.filter(pk=version.pk)
    links = Link.objects.filter(origin=version)
    return [*found, *_lineage(links, by), *_above(only.order_by().values("pk"), by)]


def to_asset(asset: Asset, by: Actor) -> list[Reference]:
    """Everything that refers to an asset or one of its versions from outside of it, and its protected aliases: its other
    aliases go and come back with it."""
    found = [
        Reference("alias", f"protected alias '{alias.name}'", asset.get_absolute_url())
        for alias in asset.aliases.order_by("name")
        if gate.is_protected(asset.team, asset.kind, str(asset), alias.name)
    ]
    found += requests_about(asset)
    own = Version.objects.filter(asset=asset).order_by().values("pk")
    links = Link.objects.filter(Q(origin__in=own) | Q(origin_asset=asset)).exclude(version__asset=asset)
    return [*found, *_lineage(links, by), *_above(own, by)]


def requests_about(asset: Asset) -> list[Reference]:
    """Requests that wait and are about this asset, or about a deployment of it."""
    return _requests(Q(kind=asset.kind, asset_id=asset.pk) | Q(kind="deployment", change__model=str(asset)))


def _requests(about: Q) -> list[Reference]:
    waiting = ApprovalRequest.objects.filter(about, state__in=_WAITING).order_by("pk")[:MOST]
    return [Reference("request", f"request {row.pk}", f"/requests/{row.pk}") for row in waiting]


def _lineage(links: QuerySet[Link], by: Actor) -> Iterator[Reference]:
    live = links.filter(version__deleted_at=None, version__asset__deleted_at=None)
    rows = live.select_related("version__asset__team").order_by("pk")[:MOST]
    seen = set(
        Version.objects.visible_to(by)
        .filter(pk__in=[row.version_id for row in rows])
        .order_by()
        .values_list("pk", flat=True)
    )
    for row in rows:
        if row.version_id in seen:
            label = f"{row.version}, which is {row.get_relation_display()} it"
            yield Reference("version", label, row.version.get_absolute_url())
        else:
            yield Reference("version", "the lineage of a version that you can't see")


def _above(versions: Any, by: Actor) -> Iterator[Reference]:
    for above in _ABOVE:
        rows = above.rows(versions)
        pks = list(rows.order_by("pk").values_list("pk", flat=True)[:MOST])
        if not pks:
            continue
        seen = {row.pk: row for row in rows.model._default_manager.visible_to(by).filter(pk__in=pks)}
        for pk in pks:
            row = seen.get(pk)
            if row is None:
                yield Reference(above.kind, f"{'an' if above.kind[0] in 'ae' else 'a'} {above.kind} that you can't see")
            else:
                yield Reference(
                    above.kind, f"{above.kind} {row if above.kind == 'deployment' else pk}", row.get_absolute_url()
                )
