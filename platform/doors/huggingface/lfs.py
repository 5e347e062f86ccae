"""Large files, sent before the commit that names them."""

from accounts.access import Actor
from registry.actions.commits import Holds
from registry.models import Asset, File


def holds_for(asset: Asset, by: Actor) -> Holds:
    """Whether bytes may be used by their hash alone: the team has them where this caller may have them."""
    seen = Asset.objects.visible_to(by).filter(team=asset.team_id)
    return lambda sha256: File.objects.filter(blob_id=sha256, version__asset__in=seen).exists()
