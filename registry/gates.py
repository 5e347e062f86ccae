"""Who gets the files of a gated asset. Its page, card, facts and the list of its files are for whoever sees it; what is in the
files is for those who hold `file.download` on it."""

from collections.abc import Collection

from django.db.models import Q

from accounts.access import Actor, can
from accounts.errors import Forbidden, NotFound
from accounts.roles import Permission
from registry.models import AccessRequest, Asset, File
from registry.models.gates import AccessRequestQuerySet

# How long access is given for where nobody says, and at most.
DEFAULT_DAYS = 90
MAX_DAYS = 3_650
# Actors without a person: a replica with its token of one version, and tasks. Whoever started them was asked before.
_OWN = frozenset({"replica", "task"})


def may_read(by: Actor, asset: Asset) -> bool:
    """May this actor have what is in the asset's files?"""
    if not asset.gated or (by.user is None and by.via in _OWN):
        return True
    return can(by, Permission.FILE_DOWNLOAD, asset)


def check_read(by: Actor, asset: Asset) -> None:
    """Raise Forbidden (code 'gated'), with the link to where access is asked for."""
    if may_read(by, asset):
        return
    raise Forbidden(
        f"The files of {asset} are gated: this needs the permission {Permission.FILE_DOWNLOAD.value} on it. Ask for access at {ask_address(asset)}.",
        permission=Permission.FILE_DOWNLOAD.value,
        on=asset,
        code="gated",
        link=ask_address(asset),
    )


def check_left(by: Actor, *, run_id: int | None, model_id: str = "", blobs: Collection[str]) -> None:
    """The same for bytes that a run or a logged model left: once a gated version was made of them, they are no freer there."""
    made = Q(version__source_run_id=run_id) if run_id is not None else Q(pk__in=[])
    if model_id:
        made |= Q(version__facts__mlflow__model_id=model_id)
    files = File.objects.filter(made, blob__in=blobs, version__asset__gated=True, version__purged_at=None)
    held = Asset.objects.filter(pk__in=files.order_by().values("version__asset"))
    for asset in held.select_related("team").order_by("pk"):
        check_read(by, asset)


def ask_address(asset: Asset) -> str:
    """Where access is asked for."""
    return f"{asset.get_absolute_url()}/access"


def is_shown_to(by: Actor, asset: Asset) -> bool:
    """Is it one that everybody of the site may know of, and is this somebody of the site?"""
    return bool(
        asset.visibility == Asset.Visibility.SITE
        and asset.gated
        and by.user
        and by.user.is_active
        and by.in_scope(Permission.ASSET_VIEW)
        and not (by.key and by.key.team_id not in (None, asset.team_id))
    )


def get_shown(by: Actor, kind: str, address: str) -> tuple[Asset, bool]:
    """The asset at 'team/name' whose page and card the actor may see, and whether the rest of it is theirs to see as well. For
    doors that answer 'gated' rather than 'not found' to people outside the team."""
    team, _, name = address.partition("/")
    rows = Asset.objects.filter(kind=kind, team__name=team, name=name, deleted_at=None).select_related("team")
    asset = rows.first()
    if asset is not None:
        if can(by, Permission.ASSET_VIEW, asset):
            return asset, True
        if is_shown_to(by, asset):
            return asset, False
    raise NotFound(f"There is no {kind} '{address}' that you can see.")


def own_request(by: Actor, asset: Asset) -> AccessRequest | None:
    """The last time that this person asked."""
    rows = AccessRequest.objects.filter(asset=asset, person_id=by.id or 0).select_related("decided_by", "asset__team")
    return rows.order_by("-id").first()


def get_request(by: Actor, request_id: int) -> AccessRequest:
    """One that the actor asked or may decide."""
    rows = AccessRequest.objects.known_to(by).select_related("asset__team", "person", "decided_by")
    found = rows.filter(pk=request_id).first() if request_id < 2**63 else None
    if found is None:
        raise NotFound(f"There is no request for access {request_id} that you can see.")
    return found


def waiting_for(by: Actor) -> AccessRequestQuerySet:
    """The open requests that the actor may decide. Costs no query for those who could decide none."""
    rows = AccessRequest.objects.all()
    decides = any(held.gives(Permission.TEAM_MANAGE, "") for held in by.holdings.everything())
    if not (by.is_site_admin or decides):
        return rows.none()
    return rows.open().decided_by(by).exclude(person_id=by.id or 0)
