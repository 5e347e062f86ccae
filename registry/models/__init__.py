from registry.models.aliases import Alias, AliasMove
from registry.models.artifacts import Artifact
from registry.models.assets import Asset
from registry.models.files import Blob, File
from registry.models.lineage import Link
from registry.models.tags import AssetTag, VersionTag
from registry.models.versions import Version

__all__ = ["Alias", "AliasMove", "Artifact", "Asset", "AssetTag", "Blob", "File", "Link", "Version", "VersionTag"]
