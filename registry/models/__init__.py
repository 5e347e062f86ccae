from registry.models.aliases import Alias, AliasMove
from registry.models.assets import Asset
from registry.models.files import Blob, File
from registry.models.versions import Version

__all__ = ["Alias", "AliasMove", "Asset", "Blob", "File", "Version"]
