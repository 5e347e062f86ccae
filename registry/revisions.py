"""Names of versions as git-like clients write them: branches, aliases (their tags), version numbers and commits."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.errors import NotFound
from registry.models import Asset, Branch, Version

MAIN = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})")
_REF = re.compile(r"refs/(heads|tags)/(.+)")


def is_commit(text: str) -> bool:
    """Does this look like a commit (40 hex digits)?"""
    return bool(_COMMIT.fullmatch(text))


class NoSuchRevision(NotFound):
    code = "revision_not_found"


@dataclass(frozen=True)
class Revision:
    """What a name stands for now. `version` is None where there is nothing yet: a branch of an asset without versions."""

    asset: Asset
    name: str
    version: Version | None
    branch: str = ""  # where the name is a branch's

    @property
    def commit(self) -> str:
        return self.version.commit if self.version else empty_commit(self.asset)


def empty_commit(asset: Asset) -> str:
    """The commit of an asset that holds nothing yet: its own, and never a version's."""
    return hashlib.sha1(f"countersign asset {asset.pk} empty".encode(), usedforsecurity=False).hexdigest()


def commits(asset: Asset) -> QuerySet[Version]:
    """The versions that can be named: registered, and not deleted."""
    return Version.objects.filter(asset=asset, state=Version.State.REGISTERED, deleted_at=None)


def line_of(asset: Asset, branch: str) -> Q:
    """A filter on versions: those that were committed to this branch, the ones before it began included for `main` alone."""
    if branch == MAIN:
        return Q(branch=MAIN)
    row = find_branch(asset, branch)
    return Q(branch=branch, number__gt=row.above)


def find_branch(asset: Asset, name: str) -> Branch:
    row = Branch.objects.filter(asset=asset, name=name).select_related("start").first()
    if row is None:
        raise NoSuchRevision(f"{asset} has no branch '{name}'.")
    return row


def head_of(asset: Asset, branch: str) -> Version | None:
    """The version that a branch stands at: its newest, else the one it began at; None where there is neither."""
    if branch == MAIN:
        return commits(asset).filter(branch=MAIN).order_by("-number").first()
    row = find_branch(asset, branch)
    newest = commits(asset).filter(branch=branch, number__gt=row.above).order_by("-number").first()
    if newest is None and row.start and row.start.deleted_at is None:
        return row.start
    return newest


def history_of(asset: Asset, at: Version | None, *, limit: int = 0, after: int = 0) -> list[Version]:
    """Versions from `at` back: those of its branch, then those of the branch that this one began at. Newest first."""
    found: list[Version] = []
    while at is not None:
        rows = commits(asset).filter(number__lte=at.number, branch=at.branch).select_related("created_by")
        row = Branch.objects.filter(asset=asset, name=at.branch).select_related("start").first()
        if row and at.number > row.above:
            rows = rows.filter(number__gt=row.above)
        found += rows.order_by("-number")
        at = row.start if row else None
    if after:
        found = [version for version in found if version.number < after]
    return found[:limit] if limit else found


def resolve(asset: Asset, name: str) -> Revision:
    """What `name` stands for: main, a branch, an alias, a version's number (3 or v3) or its commit. Raises NoSuchRevision."""
    kind, plain = "", name
    if match := _REF.fullmatch(name):
        kind, plain = match.groups()
    if kind != "tags":
        if plain in (MAIN, "HEAD"):
            return Revision(asset, name, head_of(asset, MAIN), MAIN)
        if Branch.objects.filter(asset=asset, name=plain).exists():
            return Revision(asset, name, head_of(asset, plain), plain)
    if kind != "heads":
        alias = asset.aliases.filter(name=plain).select_related("version").first()
        if alias is not None:
            return Revision(asset, name, alias.version)
    if not kind:
        version = _by_commit_or_number(asset, plain)
        if version is not None:
            return Revision(asset, name, version)
        if plain == empty_commit(asset):
            return Revision(asset, name, None)
    raise NoSuchRevision(f"{asset} has no revision '{name}': no branch, alias, version or commit is called so.")


def _by_commit_or_number(asset: Asset, text: str) -> Version | None:
    if _COMMIT.fullmatch(text):
        return commits(asset).filter(commit=text).first()
    if (match := _NUMBER.fullmatch(text)) and int(match[1]) <= 2**31 - 1:
        return commits(asset).filter(number=int(match[1])).first()
    return None
