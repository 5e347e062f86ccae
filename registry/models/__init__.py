from registry.models.aliases import Alias, AliasMove
from registry.models.artifacts import Artifact
from registry.models.assets import Asset
from registry.models.branches import Branch, GitOid
from registry.models.comparisons import WeightComparison
from registry.models.conversions import Conversion
from registry.models.files import Blob, File
from registry.models.formats import FormatFacts
from registry.models.gates import AccessRequest
from registry.models.lineage import Link
from registry.models.scans import BlobScan
from registry.models.search import AssetSearch, SearchWord
from registry.models.signatures import ModelSigningKey, VersionSignature
from registry.models.tags import AssetTag, VersionTag
from registry.models.uploads import BlobCheck, Upload, UploadPart
from registry.models.versions import Version
from registry.models.xet import Xorb

__all__ = [
    "AccessRequest",
    "Alias",
    "AliasMove",
    "Artifact",
    "Asset",
    "AssetSearch",
    "AssetTag",
    "Blob",
    "BlobCheck",
    "BlobScan",
    "Branch",
    "Conversion",
    "File",
    "FormatFacts",
    "GitOid",
    "Link",
    "ModelSigningKey",
    "SearchWord",
    "Upload",
    "UploadPart",
    "Version",
    "VersionSignature",
    "VersionTag",
    "WeightComparison",
    "Xorb",
]
