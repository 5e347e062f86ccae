"""Branches, tags (our aliases) and the history of a repository."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Conflict, Forbidden, Invalid
from accounts.roles import Permission
from doors import protected
from doors.huggingface.door import answer, by_method, door, json_of, text_of
from doors.huggingface.repos import LIMIT, base, moment, repo_of, revision_of, title_of
from governance import gate
from governance.models import ApprovalRequest
from governance.stages import stage_of
from registry import actions, revisions
from registry.actions.aliases import check_alias
from registry.models import Asset, Branch, Version
from registry.revisions import MAIN, NoSuchRevision


class TagTaken(Conflict):
    code = "name_taken"


@door("GET")
def refs(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    asset = repo_of(request, kind, team, name)
    names = [MAIN, *Branch.objects.filter(asset=asset).values_list("name", flat=True)]
    branches = [_ref(name, "heads", revisions.resolve(asset, f"refs/heads/{name}").commit) for name in names]
    aliases = asset.aliases.filter(version__deleted_at=None).values_list("name", "version__commit").order_by("name")
    tags = [_ref(alias, "tags", commit) for alias, commit in aliases]
    return answer({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


def _ref(name: str, kind: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}


@door("GET")
def history(request: HttpRequest, kind: str, team: str, name: str, revision: str = MAIN) -> HttpResponse:
    """The versions that led to a revision, newest first, page by page."""
    asset = repo_of(request, kind, team, name)
    found = revision_of(asset, revision)
    after = request.GET.get("cursor", "0")
    limit = request.GET.get("limit", str(LIMIT))
    if not (after.isdecimal() and limit.isdecimal() and len(after) < 10 and int(limit[:9]) > 0):
        raise Invalid("cursor", "'cursor' and 'limit' are whole numbers.")
    count = min(int(limit[:9]), LIMIT)
    rows = revisions.history_of(asset, found.version, limit=count + 1, after=int(after))
    headers = {}
    if len(rows) > count:
        query = request.GET.copy()
        query["cursor"] = str(rows[count - 1].number)
        headers["Link"] = f'<{base(request)}/api/{kind}s/{asset}/commits/{revision}?{query.urlencode()}>; rel="next"'
    body = []
    for version in rows[:count]:
        row: dict[str, Any] = {
            "id": version.commit,
            "title": title_of(version),
            "message": version.description,
            "date": moment(version.registered_at),
            "authors": [{"user": version.created_by.name or version.created_by.email}],
        }
        if "formatted" in request.GET.getlist("expand[]") + request.GET.getlist("expand"):
            row["formatted"] = {"title": row["title"], "message": row["message"]}
        body.append(row)
    return answer(body, headers=headers)


@door("POST")
def create_branch(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """`startingPoint`: a revision, main without it. `overwrite` is not taken: a branch is deleted first."""
    asset = repo_of(request, kind, team, name)
    start = text_of(json_of(request), "startingPoint", default=MAIN, limit=200) or MAIN
    require(actor_of(request), Permission.ASSET_EDIT, asset)
    if revision == MAIN:
        raise TagTaken(f"{asset} has a branch 'main' already.")
    found = revision_of(asset, start)
    actions.create_branch(asset=asset, name=revision, start=found.version, by=actor_of(request))
    return answer({})


@door("DELETE")
def delete_branch(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    actions.delete_branch(asset=repo_of(request, kind, team, name), name=revision, by=actor_of(request))
    return answer({})


@door("POST")
def create_tag(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """A tag is an alias here: a new one at a revision, 409 where it is taken. A protected one moves by an approval: the call
    asks for it and answers 403 with the request's address; once it was approved the tag stands, and the same call is a 409."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    body = json_of(request)
    tag = text_of(body, "tag", limit=200)
    reason = text_of(body, "message", default="")
    require(by, Permission.ALIAS_MOVE, asset, stage=stage_of(tag))
    check_alias(tag, "tag")
    found = revision_of(asset, revision)
    if found.version is None:
        raise Invalid("revision", f"{asset} has no version yet that a tag could point at.")
    _check_free(asset, tag, found.version)
    done = actions.move_or_ask(asset=asset, name=tag, version=found.version, reason=reason, by=by)
    if isinstance(done, ApprovalRequest):
        raise Forbidden(protected.asked(done), code="approval_required")
    return answer({})


def _check_free(asset: Asset, tag: str, version: Version) -> None:
    """Raise where the tag is taken. One that is protected and points elsewhere is let through: asking for its move is the way."""
    alias = asset.aliases.filter(name=tag).first()
    protected_ = gate.is_protected(asset.team, asset.kind, str(asset), tag)
    if alias and not (protected_ and alias.version_id != version.pk):
        raise TagTaken(f"{asset} has a tag '{tag}' already. Delete it first, or move the alias in the web or by REST.")
    if tag == MAIN or Branch.objects.filter(asset=asset, name=tag).exists():
        raise TagTaken(f"'{tag}' is a branch of {asset}: a tag of this name would hide it.")


@door("DELETE")
def delete_tag(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """Take an alias away; a protected one is refused with what to do instead."""
    asset, by = repo_of(request, kind, team, name), actor_of(request)
    require(by, Permission.ALIAS_MOVE, asset, stage=stage_of(revision))
    if not asset.aliases.filter(name=revision).exists():
        raise NoSuchRevision(f"{asset} has no tag '{revision}'.")
    actions.remove_alias(asset=asset, name=revision, by=by)
    return answer({})


branch = by_method(POST=create_branch, DELETE=delete_branch)
tag = by_method(POST=create_tag, DELETE=delete_tag)
