"""Pages, the same under /models and /datasets, and the replicas' door."""

from django.urls import URLPattern, path

from registry import internal
from registry.models import Asset
from registry.views import aliases, assets, cards, contents, files, gates, lifecycle, lists, storage, supply, versions


def _pages(kind: Asset.Kind) -> list[URLPattern]:
    noun, asset = kind.value, f"{kind.value}s/<str:team>/<str:name>"
    version = f"{asset}/versions/<int:number>"
    given = {"kind": noun}
    found = [
        path(f"{noun}s/", lists.asset_list, given, name=f"{noun}-list"),
        path(f"{noun}s/new", assets.asset_create, given, name=f"{noun}-create"),
        path(asset, assets.asset_detail, given, name=f"{noun}-detail"),
        path(f"{asset}/files", assets.asset_files, given, name=f"{noun}-files"),
        path(f"{asset}/card", assets.asset_card, given, name=f"{noun}-card"),
        path(f"{asset}/history", assets.asset_history, given, name=f"{noun}-history"),
        path(f"{asset}/access", gates.asset_access, given, name=f"{noun}-access"),
        path(f"{asset}/access/<int:grant_id>/revoke", gates.access_revoke, given, name=f"{noun}-access-revoke"),
        path(f"{asset}/settings", assets.asset_settings, given, name=f"{noun}-settings"),
        path(f"{asset}/tags", lifecycle.asset_tags, given, name=f"{noun}-tags"),
        path(f"{asset}/rename", lifecycle.asset_rename, given, name=f"{noun}-rename"),
        path(f"{asset}/archive", lifecycle.asset_archive, given, name=f"{noun}-archive"),
        path(f"{asset}/restore", lifecycle.asset_restore, given, name=f"{noun}-restore"),
        path(f"{asset}/delete", lifecycle.asset_delete, given, name=f"{noun}-delete"),
        path(f"{version}/tags", lifecycle.version_tags, given, name=f"{noun}-version-tags"),
        path(f"{version}/describe", lifecycle.version_describe, given, name=f"{noun}-version-describe"),
        path(f"{version}/archive", lifecycle.version_archive, given, name=f"{noun}-version-archive"),
        path(f"{version}/restore", lifecycle.version_restore, given, name=f"{noun}-version-restore"),
        path(f"{version}/delete", lifecycle.version_delete, given, name=f"{noun}-version-delete"),
        path(f"{version}/card", cards.card_edit, given, name=f"{noun}-version-card"),
        path(f"{version}/card/new", cards.card_renew, given, name=f"{noun}-version-card-renew"),
        path(f"{asset}/aliases", aliases.alias_move, given, name=f"{noun}-alias-move"),
        path(f"{asset}/aliases/<str:alias>/remove", aliases.alias_remove, given, name=f"{noun}-alias-remove"),
        path(f"{asset}/versions/new", versions.version_create, given, name=f"{noun}-version-create"),
        path(version, versions.version_detail, given, name=f"{noun}-version-detail"),
        path(f"{version}/browse", contents.file_browse, given, name=f"{noun}-file-browse"),
        path(f"{version}/supply", supply.version_supply, given, name=f"{noun}-version-supply"),
        path(f"{version}/scan-again", supply.version_scan_again, given, name=f"{noun}-version-scan-again"),
        path(f"{version}/register", versions.version_register, given, name=f"{noun}-version-register"),
        path(f"{version}/discard", versions.version_discard, given, name=f"{noun}-version-discard"),
        path(f"{version}/files", files.file_upload, given, name=f"{noun}-file-upload"),
        path(f"{version}/files/remove", files.file_remove, given, name=f"{noun}-file-remove"),
    ]
    if kind == Asset.Kind.MODEL:
        found.append(path(f"{version}/tensors", contents.tensor_table, given, name="model-version-tensors"))
        found.append(path(f"{version}/convert", supply.version_convert, given, name="model-version-convert"))
    if kind == Asset.Kind.DATASET:
        found.append(path(f"{version}/rows", versions.version_rows, given, name="dataset-version-rows"))
    return found


urlpatterns: list[URLPattern] = [
    *_pages(Asset.Kind.MODEL),
    *_pages(Asset.Kind.DATASET),
    path("access-requests/<int:request_id>/decide", gates.access_decide, name="access-decide"),
    path("access-requests/<int:request_id>/withdraw", gates.access_withdraw, name="access-withdraw"),
    path("bin", lifecycle.bin_page, name="bin"),
    path("bin/assets/<int:asset_id>/restore", lifecycle.bin_restore, name="bin-restore"),
    path("bin/assets/<int:asset_id>/purge", lifecycle.bin_purge_asset, name="bin-purge-asset"),
    path("bin/versions/<int:version_id>/purge", lifecycle.bin_purge_version, name="bin-purge-version"),
    path("settings/storage/", storage.storage_overview, name="settings-storage"),
    path("internal/files/<str:sha256>", internal.serve_blob, name="internal-file"),
]
