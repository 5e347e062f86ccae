"""Archive, restore, and the bin."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView, page_response
from registry import actions, reads
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.models import Asset, Version
from registry.representations import asset_json, deleted_json, version_json
from registry.serializers import AssetOut, AssetVersionOut, DeletedOut, ReasonIn, RestoreIn, page_of


def reason_of(view: ApiView) -> str:
    """The reason in a body that may be left out."""
    given = view.request.META.get("CONTENT_LENGTH", "") not in ("", "0")
    return str(view.read(ReasonIn)["reason"]) if given else ""


class AssetArchive(RegistryView):
    operations = {"post": "archive"}

    @extend_schema(
        summary="Archive",
        description="Out of lists and searches. Aliases and deployments work on; no alias newly moves, no version is begun.",
        request=ReasonIn,
        responses={200: AssetOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = actions.archive_asset(asset=self.asset(kind, team, name), reason=reason_of(self), by=self.by)
        return Response(asset_json(reads.visible_assets(self.by, kind).get(pk=asset.pk)))


class AssetRestore(RegistryView):
    operations = {"post": "restore"}

    @extend_schema(
        summary="Restore from the archive",
        description="What was deleted is restored from the bin: `POST /bin/assets/{id}/restore`.",
        request=None,
        responses={200: AssetOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset = actions.restore_asset(asset=self.asset(kind, team, name), by=self.by)
        return Response(asset_json(reads.visible_assets(self.by, kind).get(pk=asset.pk)))


class VersionArchive(RegistryView):
    operations = {"post": "version_archive"}

    @extend_schema(
        summary="Archive a version",
        description="Out of lists. What points at it works on; no alias newly does.",
        request=ReasonIn,
        responses={200: AssetVersionOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        return Response(version_json(actions.archive_version(version=version, reason=reason_of(self), by=self.by)))


class VersionRestore(RegistryView):
    operations = {"post": "version_restore"}

    @extend_schema(
        summary="Restore a version",
        description="From the archive, or out of the bin as long as its files are there.",
        request=None,
        responses={200: AssetVersionOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = reads.get_version(self.by, self.asset(kind, team, name), number, gone=True)
        return Response(version_json(actions.restore_version(version=version, by=self.by)))


class BinView(ApiView):
    """Deleted assets and versions by their id: their names may belong to others by now."""

    def deleted(self, pk: int) -> Asset:
        return reads.get_deleted_asset(self.by, pk)


class BinAssets(BinView):
    @extend_schema(
        summary="List deleted models and datasets, last deleted first",
        tags=["bin"],
        operation_id="bin_assets",
        parameters=PAGE,
        responses={200: page_of(DeletedOut)},
    )
    def get(self, request: Request) -> Response:
        rows: QuerySet[Asset] = reads.deleted_assets(self.by)
        return page_response(request, rows, order=["-deleted_at", "-id"], show=deleted_json)


class BinVersions(BinView):
    @extend_schema(
        summary="List deleted versions, last deleted first",
        description="Of models and datasets that are there. `POST …/versions/{n}/restore` brings one back.",
        tags=["bin"],
        operation_id="bin_versions",
        parameters=PAGE,
        responses={200: page_of(DeletedOut)},
    )
    def get(self, request: Request) -> Response:
        rows: QuerySet[Version] = reads.deleted_versions(self.by)
        return page_response(request, rows, order=["-deleted_at", "-id"], show=deleted_json)


class BinAsset(BinView):
    @extend_schema(
        summary="Remove its files for ever, now",
        description="Instead of waiting for the end of the grace period. Numbers, digests and history stay. Needs team.manage.",
        tags=["bin"],
        operation_id="bin_asset_purge",
        request=None,
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request, asset_id: int) -> Response:
        actions.purge_asset(asset=self.deleted(asset_id), by=self.by)
        return Response(status=204)


class BinAssetRestore(BinView):
    @extend_schema(
        summary="Restore a deleted model or dataset",
        description="With its versions and aliases. `name`: another one, where its own was taken meanwhile.",
        tags=["bin"],
        operation_id="bin_asset_restore",
        request=RestoreIn,
        responses={200: AssetOut, **PROBLEMS},
    )
    def post(self, request: Request, asset_id: int) -> Response:
        asset = self.deleted(asset_id)
        asset = actions.restore_asset(asset=asset, name=self.read(RestoreIn)["name"], by=self.by)
        return Response(asset_json(reads.visible_assets(self.by, asset.kind).get(pk=asset.pk)))


class BinVersion(BinView):
    @extend_schema(
        summary="Remove the files of a deleted version for ever, now",
        description="Its number, digest and history stay. Needs team.manage.",
        tags=["bin"],
        operation_id="bin_version_purge",
        request=None,
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request, version_id: int) -> Response:
        actions.purge_version(version=reads.get_deleted_version(self.by, version_id), by=self.by)
        return Response(status=204)
