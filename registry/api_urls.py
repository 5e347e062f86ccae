"""REST: the same resources under /models and /datasets."""

from django.urls import URLPattern, path

from registry.api.aliases import AliasDetail, Aliases, AliasHistory
from registry.api.assets import AssetDetail, Assets
from registry.api.files import FileDetail, Files
from registry.api.gates import AccessRequestDecision, AccessRequestDetail, AccessRequests, AssetAccess
from registry.api.uploads import UploadComplete, UploadDetail, UploadPartDetail, Uploads
from registry.api.versions import Register, Rows, VersionDetail, Versions
from registry.models import Asset


def _resources(kind: Asset.Kind) -> list[URLPattern]:
    asset = f"{kind.value}s/<str:team>/<str:name>"
    version = f"{asset}/versions/<int:number>"
    given = {"kind": kind.value}
    found = [
        path(f"{kind.value}s", Assets.as_view(), given, name=f"api-{kind.value}s"),
        path(asset, AssetDetail.as_view(), given, name=f"api-{kind.value}"),
        path(f"{asset}/versions", Versions.as_view(), given, name=f"api-{kind.value}-versions"),
        path(version, VersionDetail.as_view(), given, name=f"api-{kind.value}-version"),
        path(f"{version}/register", Register.as_view(), given, name=f"api-{kind.value}-version-register"),
        path(f"{version}/files", Files.as_view(), given, name=f"api-{kind.value}-files"),
        path(f"{version}/files/<path:path>", FileDetail.as_view(), given, name=f"api-{kind.value}-file"),
        path(f"{asset}/access", AssetAccess.as_view(), given, name=f"api-{kind.value}-access"),
        path(f"{asset}/aliases", Aliases.as_view(), given, name=f"api-{kind.value}-aliases"),
        path(f"{asset}/aliases/<str:alias>", AliasDetail.as_view(), given, name=f"api-{kind.value}-alias"),
        path(
            f"{asset}/aliases/<str:alias>/history",
            AliasHistory.as_view(),
            given,
            name=f"api-{kind.value}-alias-history",
        ),
    ]
    if kind == Asset.Kind.DATASET:
        found.append(path(f"{version}/rows", Rows.as_view(), given, name="api-dataset-rows"))
    return found


urlpatterns: list[URLPattern] = [
    *_resources(Asset.Kind.MODEL),
    *_resources(Asset.Kind.DATASET),
    path("uploads", Uploads.as_view(), name="api-uploads"),
    path("uploads/<str:upload>", UploadDetail.as_view(), name="api-upload"),
    path("uploads/<str:upload>/complete", UploadComplete.as_view(), name="api-upload-complete"),
    path("uploads/<str:upload>/parts/<int:number>", UploadPartDetail.as_view(), name="api-upload-part"),
    path("access-requests", AccessRequests.as_view(), name="api-access-requests"),
    path("access-requests/<int:request_id>", AccessRequestDetail.as_view(), name="api-access-request"),
    path("access-requests/<int:request_id>/decision", AccessRequestDecision.as_view(), name="api-access-decision"),
]
