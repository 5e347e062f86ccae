"""Repositories and their lists as the Hub describes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse

from accounts.access import can
from accounts.authentication import actor_of
from accounts.errors import Invalid
from accounts.rest import keyset_page
from accounts.roles import Permission
from doors.huggingface import signature_file
from doors.huggingface.door import answer, door
from doors.huggingface.repos import base, moment, repo_of, revision_of
from doors.huggingface.trees import entries, files_of
from registry import gates
from registry.models import Asset, AssetTag, Version
from registry.models.assets import AssetQuerySet
from registry.revisions import MAIN, Revision

Info = dict[str, Any]
_MOST = 500
_ORDERS = {"lastModified": ["-updated_at", "-id"], "createdAt": ["-created_at", "-id"]}
_LIST = ("author", "sha", "lastModified", "createdAt", "private", "gated", "disabled", "downloads", "likes", "tags", "pipeline_tag", "library_name")  # fmt: skip


def describe(asset: Asset, version: Version | None, sha: str) -> Info:
    """Everything of a repository but its files."""
    facts = version.facts if version else {}
    card = facts.get("card") or {}
    info: Info = {
        "_id": f"{asset.pk:024x}",
        "id": str(asset),
        "author": asset.team.name,
        "sha": sha,
        "createdAt": moment(asset.created_at),
        "lastModified": moment(asset.updated_at),
        "private": True,  # nothing here is for people without a key
        "gated": "manual" if asset.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags_of(asset, card, facts),
        "cardData": card or None,
        "description": asset.description or None,
        "usedStorage": version.size if version else 0,
    }
    if asset.kind == Asset.Kind.MODEL:
        info |= _of_model(asset, facts, card)
    return info


def _of_model(asset: Asset, facts: dict[str, Any], card: dict[str, Any]) -> Info:
    library = card.get("library_name") or ("transformers" if facts.get("architecture") else None)
    info: Info = {
        "modelId": str(asset),
        "pipeline_tag": card.get("pipeline_tag") or asset.task or None,
        "library_name": library,
    }
    if facts.get("architecture"):
        info["config"] = {"architectures": [facts["architecture"]], "model_type": facts.get("model_type")}
        info["transformersInfo"] = {"auto_model": "AutoModelForCausalLM"} if library == "transformers" else None
    dtypes = facts.get("dtypes")
    if isinstance(dtypes, dict) and dtypes:
        info["safetensors"] = {"parameters": dtypes, "total": facts.get("parameters") or sum(dtypes.values())}
    return info


def tags_of(asset: Asset, card: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """The asset's own tags, and what its card says, with the Hub's prefixes."""
    found = [str(tag) for tag in asset.tags.all()]
    if facts.get("model_type"):
        found.append(str(facts["model_type"]))
    for field, prefix in (
        ("tags", ""), ("library_name", ""), ("pipeline_tag", ""), ("language", ""), ("datasets", "dataset:"),
        ("base_model", "base_model:"), ("license", "license:"), ("task_categories", "task_categories:"),
    ):  # fmt: skip
        found += [f"{prefix}{value}" for value in _texts(card.get(field))]
    return list(dict.fromkeys(found))


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str) and item]


@door("GET")
def info(request: HttpRequest, kind: str, team: str, name: str, revision: str = MAIN) -> HttpResponse:
    """A repository at a revision, with its files."""
    asset = repo_of(request, kind, team, name, card=True)
    if revision != MAIN and not can(actor_of(request), Permission.ASSET_VIEW, asset):
        # The card is shown to the whole site; which branches and tags there are is not, whether this is one or none.
        gates.check_read(actor_of(request), asset)
    found = revision_of(asset, revision)
    body = describe(asset, found.version, found.commit)
    expand = _expanded(request)
    if (not expand or "siblings" in expand) and can(actor_of(request), Permission.ASSET_VIEW, asset):
        body["siblings"] = _siblings(found, blobs=request.GET.get("blobs", "").lower() in ("true", "1"))
    if expand:
        body = {field: body.get(field) for field in ("_id", "id", *expand)}
    return answer(body, headers={"X-Repo-Commit": found.commit})


def _siblings(found: Revision, *, blobs: bool) -> list[Info]:
    files, signature = files_of(found), signature_file.entry_of(found.version)
    if not blobs:
        return [
            {"rfilename": path}
            for path in (*(file.path for file in files), *([signature["path"]] if signature else []))
        ]
    shown = []
    for entry in (*entries(files), *([signature] if signature else [])):
        row = {"rfilename": entry["path"], "size": entry["size"], "blobId": entry["oid"]}
        if lfs := entry.get("lfs"):
            row["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
        shown.append(row)
    return shown


def _expanded(request: HttpRequest) -> list[str]:
    texts = request.GET.getlist("expand") + request.GET.getlist("expand[]")
    return [part for text in texts for part in text.split(",") if part]


@door("GET")
def repo_list(request: HttpRequest, kind: str) -> HttpResponse:
    """The repositories that the caller sees, the last changed first; the next page stands in `Link`."""
    rows = _narrowed(Asset.objects.visible_to(actor_of(request)).filter(kind=kind, archived_at=None), request)
    order = _ORDERS.get(request.GET.get("sort", ""), _ORDERS["lastModified"])
    text = request.GET.get("limit", "")
    if text and (not text.isdecimal() or len(text) > 9 or int(text) < 1):
        raise Invalid("limit", "'limit' is a whole number from 1 on.")
    limit = min(int(text or 100), _MOST)
    page, following = keyset_page(
        rows.select_related("team").prefetch_related("tags"),
        order=order,
        cursor=request.GET.get("cursor", ""),
        limit=limit,
    )
    headers = {}
    if following:
        query = request.GET.copy()
        query["cursor"] = following
        headers["Link"] = f'<{base(request)}/api/{kind}s?{query.urlencode()}>; rel="next"'
    return answer(_listed(request, page), headers=headers)


def _listed(request: HttpRequest, page: list[Asset]) -> list[Info]:
    heads = _heads(page)
    expand = _expanded(request)
    full = request.GET.get("full", "").lower() in ("true", "1")
    shown = []
    for asset in page:
        head = heads.get(asset.pk)
        every = describe(asset, head, Revision(asset, MAIN, head, MAIN).commit)
        fields = expand or [*_LIST, *(["cardData"] if full or "cardData" in request.GET else [])]
        shown.append({field: every.get(field) for field in ("_id", "id", *fields)})
        if "modelId" in every:
            shown[-1]["modelId"] = every["modelId"]
        if not expand and not shown[-1].get("cardData"):
            shown[-1].pop("cardData", None)
    if full and not expand:
        _with_files(page, heads, shown)
    return shown


def _heads(page: Iterable[Asset]) -> dict[int, Version]:
    """{asset's id: the newest version on main}, in one query."""
    rows = (
        Version.objects.filter(asset__in=list(page), state=Version.State.REGISTERED, deleted_at=None, branch=MAIN)
        .order_by("asset_id", "-number")
        .distinct("asset_id")
    )
    return {row.asset_id: row for row in rows}


def _with_files(page: list[Asset], heads: dict[int, Version], shown: list[Info]) -> None:
    paths: dict[int, list[str]] = {}
    for version_id, path in (
        Version.objects.filter(pk__in=[head.pk for head in heads.values()])
        .order_by("files__path")
        .values_list("pk", "files__path")
    ):
        paths.setdefault(version_id, []).append(path)
    for asset, row in zip(page, shown, strict=True):
        head = heads.get(asset.pk)
        row["siblings"] = [{"rfilename": path} for path in paths.get(head.pk, [])] if head else []


def _narrowed(rows: AssetQuerySet, request: HttpRequest) -> AssetQuerySet:
    given = request.GET
    if author := given.get("author"):
        rows = rows.filter(team__name=author.lower())
    for word in given.get("search", "").split()[:5]:
        if "/" in word:
            team, _, word = word.partition("/")
            rows = rows.filter(team__name=team.lower())
        rows = rows.filter(Q(name__icontains=word) | Q(team__name__icontains=word))
    if given.get("gated"):
        rows = rows.filter(gated=given["gated"].lower() in ("true", "1"))
    if task := given.get("pipeline_tag"):
        rows = rows.filter(task=task)
    for text in ",".join(given.getlist("filter")).split(",")[:10]:
        rows = rows.filter(_has_tag(text)) if text else rows
    return rows


def _has_tag(text: str) -> Any:
    """Tagged so, or called so by the card of some version: licence:…, a language, a library, a task."""
    prefix, _, value = text.rpartition(":")
    field = {
        "license": "license",
        "dataset": "datasets",
        "base_model": "base_model",
        "task_categories": "task_categories",
    }
    card = Version.objects.filter(asset=OuterRef("pk"), state=Version.State.REGISTERED, deleted_at=None, branch=MAIN)
    if prefix in field:
        said = Q(**{f"facts__card__{field[prefix]}": value}) | Q(**{f"facts__card__{field[prefix]}__contains": [value]})
    else:
        said = Q(facts__model_type=text)
        for name in ("tags", "language", "library_name", "pipeline_tag"):
            said |= Q(**{f"facts__card__{name}": text}) | Q(**{f"facts__card__{name}__contains": [text]})
    key, _, content = text.partition("=")
    return (
        Q(task=text)
        | Exists(AssetTag.objects.filter(asset=OuterRef("pk"), key=key, value=content))
        | Exists(card.filter(said))
    )
