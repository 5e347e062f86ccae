"""REST: the same resources under /models and /datasets."""

from django.urls import URLPattern, path

from registry.api.aliases import AliasDetail, Aliases, AliasHistory
from registry.api.assets import AssetDetail, AssetFacets, Assets
from registry.api.branches import BranchDetail, Branches
from registry.api.cards import CardDetail
from registry.api.contents import MemoryNeeded, Tensors
from registry.api.files import FileDetail, Files
from registry.api.gates import AccessRequestDecision, AccessRequestDetail, AccessRequests, AssetAccess
from registry.api.lifecycle import (
    AssetArchive,
    AssetRestore,
    BinAsset,
    BinAssetRestore,
    BinAssets,
    BinVersion,
    BinVersions,
    VersionArchive,
    VersionRestore,
)
from registry.api.storage import Storage
from registry.api.supply import Bom, ConversionView, Scan, ScanAgain, Signature
from registry.api.tags import AssetTagDetail, AssetTags, VersionTagDetail, VersionTags
from registry.api.uploads import UploadComplete, UploadDetail, UploadPartDetail, Uploads
from registry.api.versions import Register, Rows, VersionDetail, Versions
from registry.models import Asset


def _resources(kind: Asset.Kind) -> list[URLPattern]:
    asset = f"{kind.value}s/<str:team>/<str:name>"
    version = f"{asset}/versions/<int:number>"
    given = {"kind": kind.value}
    found = [
        path(f"{kind.value}s", Assets.as_view(), given, name=f"api-{kind.value}s"),
        path(f"{kind.value}s/facets", AssetFacets.as_view(), given, name=f"api-{kind.value}-facets"),
        path(asset, AssetDetail.as_view(), given, name=f"api-{kind.value}"),
        path(f"{asset}/archive", AssetArchive.as_view(), given, name=f"api-{kind.value}-archive"),
        path(f"{asset}/restore", AssetRestore.as_view(), given, name=f"api-{kind.value}-restore"),
        path(f"{asset}/tags", AssetTags.as_view(), given, name=f"api-{kind.value}-tags"),
        path(f"{asset}/tags/<path:key>", AssetTagDetail.as_view(), given, name=f"api-{kind.value}-tag"),
        path(f"{version}/archive", VersionArchive.as_view(), given, name=f"api-{kind.value}-version-archive"),
        path(f"{version}/restore", VersionRestore.as_view(), given, name=f"api-{kind.value}-version-restore"),
        path(f"{version}/tags", VersionTags.as_view(), given, name=f"api-{kind.value}-version-tags"),
        path(f"{version}/tags/<path:key>", VersionTagDetail.as_view(), given, name=f"api-{kind.value}-version-tag"),
        path(f"{version}/card", CardDetail.as_view(), given, name=f"api-{kind.value}-version-card"),
        path(f"{asset}/versions", Versions.as_view(), given, name=f"api-{kind.value}-versions"),
        path(version, VersionDetail.as_view(), given, name=f"api-{kind.value}-version"),
        path(f"{version}/register", Register.as_view(), given, name=f"api-{kind.value}-version-register"),
        path(f"{version}/files", Files.as_view(), given, name=f"api-{kind.value}-files"),
        path(f"{version}/files/<path:path>", FileDetail.as_view(), given, name=f"api-{kind.value}-file"),
        path(f"{asset}/access", AssetAccess.as_view(), given, name=f"api-{kind.value}-access"),
        path(f"{asset}/aliases", Aliases.as_view(), given, name=f"api-{kind.value}-aliases"),
        path(f"{asset}/aliases/<str:alias>", AliasDetail.as_view(), given, name=f"api-{kind.value}-alias"),
        path(f"{asset}/branches", Branches.as_view(), given, name=f"api-{kind.value}-branches"),
        path(f"{asset}/branches/<str:branch>", BranchDetail.as_view(), given, name=f"api-{kind.value}-branch"),
        path(
            f"{asset}/aliases/<str:alias>/history",
            AliasHistory.as_view(),
            given,
            name=f"api-{kind.value}-alias-history",
        ),
    ]
    if kind == Asset.Kind.MODEL:
        found += [
            path(f"{version}/tensors", Tensors.as_view(), given, name="api-model-tensors"),
            path(f"{version}/memory", MemoryNeeded.as_view(), given, name="api-model-memory"),
        ]
    found += [
        path(f"{version}/scan", Scan.as_view(), given, name=f"api-{kind.value}-version-scan"),
        path(f"{version}/scan/again", ScanAgain.as_view(), given, name=f"api-{kind.value}-version-scan-again"),
        path(f"{version}/signature", Signature.as_view(), given, name=f"api-{kind.value}-version-signature"),
        path(f"{version}/bom", Bom.as_view(), given, name=f"api-{kind.value}-version-bom"),
    ]
    if kind == Asset.Kind.MODEL:
        found.append(
            path(f"{version}/conversion", ConversionView.as_view(), given, name="api-model-version-conversion")
        )
    if kind == Asset.Kind.DATASET:
        found.append(path(f"{version}/rows", Rows.as_view(), given, name="api-dataset-rows"))
    return found


urlpatterns: list[URLPattern] = [
    *_resources(Asset.Kind.MODEL),
    *_resources(Asset.Kind.DATASET),
    path("storage", Storage.as_view(), name="api-storage"),
    path("uploads", Uploads.as_view(), name="api-uploads"),
    path("uploads/<str:upload>", UploadDetail.as_view(), name="api-upload"),
    path("uploads/<str:upload>/complete", UploadComplete.as_view(), name="api-upload-complete"),
    path("uploads/<str:upload>/parts/<int:number>", UploadPartDetail.as_view(), name="api-upload-part"),
    path("access-requests", AccessRequests.as_view(), name="api-access-requests"),
    path("access-requests/<int:request_id>", AccessRequestDetail.as_view(), name="api-access-request"),
    path("access-requests/<int:request_id>/decision", AccessRequestDecision.as_view(), name="api-access-decision"),
    path("bin/assets", BinAssets.as_view(), name="api-bin-assets"),
    path("bin/assets/<int:asset_id>", BinAsset.as_view(), name="api-bin-asset"),
    path("bin/assets/<int:asset_id>/restore", BinAssetRestore.as_view(), name="api-bin-asset-restore"),
    path("bin/versions", BinVersions.as_view(), name="api-bin-versions"),
    path("bin/versions/<int:version_id>", BinVersion.as_view(), name="api-bin-version"),
]
