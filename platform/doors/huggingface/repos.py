"""Repositories are assets, revisions are versions: finding them as the caller sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from accounts.access import Actor, get_team, team_ids
from accounts.authentication import actor_of
from accounts.errors import Invalid, NotFound
from accounts.models import Team
from accounts.roles import Permission
from doors.huggingface.door import EntryNotFound, RepoNotFound
from registry import gates, revisions
from registry.models import Asset, File, Version

KINDS = {"models": "model", "datasets": "dataset", "model": "model", "dataset": "dataset"}
LIMIT = 1000


def repo_of(request: HttpRequest, kind: str, team: str, name: str, *, card: bool = False) -> Asset:
    """The asset that is called so, any case, if the caller may see it. A gated one that is shown to the whole site is there for
    everybody: its card (`card`), and for the rest the answer that it is gated."""
    by = actor_of(request)
    asset = (
        Asset.objects.visible_to(by)
        .filter(kind=kind, team__name=team.lower(), name__iexact=name)
        .select_related("team")
        .first()
        if by.user
        else None
    )
    if asset is not None:
        return asset
    shown = _shown(by, kind, f"{team.lower()}/{name}")
    if shown is None:
        raise RepoNotFound(f"There is no {kind} '{team}/{name}' that you can see.")
    if not card:
        gates.check_read(by, shown)
    return shown


def _shown(by: Actor, kind: str, name: str) -> Asset | None:
    try:
        return gates.get_shown(by, kind, name)[0] if by.user else None
    except NotFound:
        return None


def revision_of(asset: Asset, name: str) -> revisions.Revision:
    found = revisions.resolve(asset, name)
    if found.version is not None:
        found.version.asset = asset
    return found


def branch_of(asset: Asset, name: str) -> str:
    """The branch that a revision names. Tags, numbers and commits take no commits."""
    found = revisions.resolve(asset, name)
    if not found.branch:
        raise Invalid("revision", f"'{name}' is no branch of {asset}: commits go to a branch, for example to 'main'.")
    return found.branch


def file_of(found: revisions.Revision, path: str) -> File:
    file = found.version.files.select_related("blob").filter(path=path).first() if found.version else None
    if file is None:
        raise EntryNotFound(f"There is no file '{path}' in {found.asset} at {found.name}.", commit=found.commit)
    return file


def team_for(by: Actor, name: str) -> Team:
    """The team that a new repository goes to: the one named, else the key's, else the only one of the person."""
    if name:
        try:
            return get_team(by, name.lower())
        except NotFound:
            raise RepoNotFound(f"There is no team '{name}' that you can see.") from None
    home = home_of(by)
    if home is None:
        raise Invalid("name", "Write the team too, as in 'team/name': this key is good for several.")
    return home


def home_of(by: Actor) -> Team | None:
    """The namespace that goes without saying: the key's team, or the only team of its person."""
    if by.key and by.key.team:
        return by.key.team
    teams = Team.objects.filter(pk__in=team_ids(by, Permission.TEAM_VIEW))[:2]
    return teams[0] if len(teams) == 1 else None


def base(request: HttpRequest) -> str:
    """HF_ENDPOINT as this client has it: addresses in answers have to lie under it."""
    host = request.get_host()
    site = settings.SITE_URL if host == urlsplit(settings.SITE_URL).netloc else f"{request.scheme}://{host}"
    return f"{site}/hf"


def address(request: HttpRequest, asset: Asset) -> str:
    """The repository's address: clients take its name from it."""
    return f"{base(request)}/{prefix_of(asset.kind)}{asset}"


def prefix_of(kind: str) -> str:
    return "datasets/" if kind == Asset.Kind.DATASET else ""


def moment(value: datetime | None) -> str:
    """As the Hub writes times: UTC, milliseconds, Z."""
    return (value or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def title_of(version: Version) -> str:
    return version.message.splitlines()[0] if version.message else f"Version {version.number}"


def require_files(by: Actor, asset: Asset) -> None:
    """What a gated repository answers where no byte is sent: as if one were."""
    gates.check_read(by, asset)
