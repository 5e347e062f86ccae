"""Addresses of the Hugging Face door. HF_ENDPOINT is the site's address and /hf."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from doors.huggingface import access, account, commits, files, infos, lfs, refs, settings, trees, xet


class RevisionConverter(StringConverter):
    """One segment (names here have no slash), or a whole ref."""

    regex = "refs/(?:heads|tags|pr|convert)/[^/]+|[^/]+"


register_converter(RevisionConverter, "revision")


def _api(kind: str, section: str) -> list[URLPattern]:
    """What there is under /api for each kind of repository."""
    api = f"hf/api/{section}/<str:team>/<str:name>"
    asks = f"{api}/user-access-request"
    return [
        path(address, view, {"kind": kind} | more, name=f"hf-{kind}-{name}")
        for address, view, name, more in (
            (f"hf/api/{section}", infos.repo_list, "list", {}),
            (api, infos.info, "info", {}),
            (f"{api}/revision/<revision:revision>", infos.info, "revision", {}),
            (f"{api}/tree/<revision:revision>", trees.tree, "tree", {}),
            (f"{api}/tree/<revision:revision>/", trees.tree, "tree-root", {}),
            (f"{api}/tree/<revision:revision>/<path:path>", trees.tree, "folder", {}),
            (f"{api}/paths-info/<revision:revision>", trees.paths_info, "paths-info", {}),
            (f"{api}/refs", refs.refs, "refs", {}),
            (f"{api}/commits/<revision:revision>", refs.history, "commits", {}),
            (f"{api}/branch/<revision:revision>", refs.branch, "branch", {}),
            (f"{api}/tag/<revision:revision>", refs.tag, "tag", {}),
            (f"{api}/preupload/<revision:revision>", commits.preupload, "preupload", {}),
            (f"{api}/commit/<revision:revision>", commits.commit, "commit", {}),
            (f"{api}/auth-check", settings.check, "auth-check", {}),
            (f"{api}/auth-check/write", settings.check, "auth-check-write", {"write": "write"}),
            (f"{api}/xet-write-token/<revision:revision>", xet.write_token, "xet-token", {}),
            (f"{api}/settings", settings.settle, "settings", {}),
            (f"{asks}/handle", access.handle, "access-handle", {}),
            (f"{asks}/grant", access.given, "access-grant", {}),
            (f"{asks}/<str:status>", access.listed, "access-list", {}),
        )
    ]


def _web(kind: str, section: str) -> list[URLPattern]:
    """What lies at a repository's own address. Models have no prefix there."""
    web = f"hf/{'' if kind == 'model' else f'{section}/'}<str:team>/<str:name>"
    return [
        path(address, view, {"kind": kind}, name=f"hf-{kind}-{name}")
        for address, view, name in (
            (f"{web}.git/info/lfs/objects/batch", lfs.batch, "lfs-batch"),
            (f"{web}.git/info/lfs/verify", lfs.verify, "lfs-verify"),
            (f"{web}/resolve/<revision:revision>/<path:path>", files.resolve, "resolve"),
            (web, files.page, "page"),
        )
    ]


urlpatterns: list[URLPattern] = [
    path("hf/api/whoami-v2", account.whoami, name="hf-whoami"),
    path("hf/api/validate-yaml", account.validate_yaml, name="hf-validate-yaml"),
    path("hf/api/repos/create", settings.create, name="hf-create"),
    path("hf/api/repos/delete", settings.delete, name="hf-delete"),
    path("hf/api/repos/move", settings.move, name="hf-move"),
    path("hf/xet/<str:place>/v1/xorbs/<str:prefix>/<str:xorb>", xet.put_xorb, name="hf-xet-xorb"),
    path("hf/xet/<str:place>/v1/shards", xet.put_shard, name="hf-xet-shard"),
    path("hf/xet/<str:place>/<path:rest>", xet.unspoken, name="hf-xet-unspoken"),
    path("hf/lfs/<str:upload_id>/<int:number>", lfs.part, name="hf-lfs-part"),
    *_api("dataset", "datasets"),
    *_api("model", "models"),
    # 'api' is no team: without this line `hf/api/x` would be the page of a model.
    path("hf/api/<path:rest>", files.unknown, name="hf-api-unknown"),
    *_web("dataset", "datasets"),
    *_web("model", "models"),
    path("hf/<path:rest>", files.unknown, name="hf-unknown"),
]
