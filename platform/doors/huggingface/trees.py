"""Files and folders of a revision as the Hub lists them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.errors import Invalid
from doors.huggingface import signature_file
from doors.huggingface.door import EntryNotFound, answer, door
from doors.huggingface.repos import LIMIT, base, moment, repo_of, revision_of, title_of
from registry.gitoids import is_large, oid_of, oids_of, pointer_of
from registry.models import File, Version
from registry.revisions import Revision, commits
from registry.signing import SIGNATURE_FILE

Entry = dict[str, Any]
MAX_PATHS = 1000


def files_of(found: Revision) -> list[File]:
    return list(found.version.files.select_related("blob").order_by("path")) if found.version else []


def entries(files: Iterable[File]) -> list[Entry]:
    """One entry per file, with git's name for it and, for a large one, its SHA-256."""
    files = list(files)
    small = oids_of({file.blob_id for file in files if not is_large(file.path, file.blob.size)})
    return [_entry(file, small) for file in files]


def _entry(file: File, small: dict[str, str]) -> Entry:
    size, sha256 = file.blob.size, file.blob_id
    entry: Entry = {"type": "file", "path": file.path, "size": size}
    if not is_large(file.path, size):
        return entry | {"oid": small[sha256]}
    pointer = pointer_of(sha256, size)
    return entry | {"oid": oid_of(pointer), "lfs": {"oid": sha256, "size": size, "pointerSize": len(pointer)}}


def folders_of(files: Iterable[File]) -> dict[str, list[File]]:
    """{folder: the files anywhere below it}."""
    found: dict[str, list[File]] = {}
    for file in files:
        parts = file.path.split("/")
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]), []).append(file)
    return found


def folder_entry(path: str, below: Iterable[File]) -> Entry:
    """A folder's name in git's place: the same as long as nothing below it changes."""
    inside = "\n".join(f"{file.path} {file.blob_id}" for file in below)
    return {
        "type": "directory",
        "path": path,
        "size": 0,
        "oid": hashlib.sha1(f"tree {inside}".encode(), usedforsecurity=False).hexdigest(),
    }


def last_commits(found: Revision, paths: dict[str, str]) -> dict[str, Entry]:
    """For {path: sha256} of this revision: the version in which each came to be what it is, along its line of parents."""
    version, open_paths, said = found.version, dict(paths), {}
    while version is not None and open_paths:
        parent = version.parent
        if parent is None and version.branch == "main":
            # Versions that were made natively say no parent: the one before is it.
            parent = commits(found.asset).filter(branch="main", number__lt=version.number).order_by("-number").first()
        before = dict(parent.files.values_list("path", "blob_id")) if parent else {}
        for path, sha256 in list(open_paths.items()):
            if before.get(path) != sha256:
                said[path] = _commit(version)
                del open_paths[path]
        version = parent
    return said


def _commit(version: Version) -> Entry:
    return {"id": version.commit, "title": title_of(version), "date": moment(version.registered_at)}


@door("GET")
def tree(request: HttpRequest, kind: str, team: str, name: str, revision: str, path: str = "") -> HttpResponse:
    """What is in a folder (recursive: anywhere below it), page by page."""
    found = revision_of(repo_of(request, kind, team, name), revision)
    path, recursive = path.strip("/"), _flag(request.GET.get("recursive", ""))
    files = files_of(found)
    prefix = f"{path}/" if path else ""
    below = [file for file in files if file.path.startswith(prefix)]
    if path and not below:
        raise EntryNotFound(f"There is no folder '{path}' in {found.asset} at {found.name}.", commit=found.commit)
    rows: list[File | str] = [file for file in below if recursive or "/" not in file.path[len(prefix) :]]
    folders = {
        folder: inside
        for folder, inside in folders_of(below).items()
        if folder.startswith(prefix) and (recursive or "/" not in folder[len(prefix) :])
    }
    rows += folders
    rows.sort(key=lambda row: row if isinstance(row, str) else row.path)
    expand = _flag(request.GET.get("expand", ""))
    start, limit = _page(request, 50 if expand else LIMIT)
    page = rows[start : start + limit]
    body = _shown(found, page, folders, expand)
    if not path and not start:
        body += _signature(found, expand)
    headers = {"X-Repo-Commit": found.commit}
    if start + limit < len(rows):
        query = request.GET.copy()
        query["cursor"] = str(start + limit)
        here = request.get_full_path().split("?")[0].removeprefix("/hf")
        headers["Link"] = f'<{base(request)}{here}?{query.urlencode()}>; rel="next"'
    return answer(body, headers=headers)


@door("POST")
def paths_info(request: HttpRequest, kind: str, team: str, name: str, revision: str) -> HttpResponse:
    """Entries of the given paths; those that are not there are left out."""
    found = revision_of(repo_of(request, kind, team, name), revision)
    wanted = [path.strip("/") for path in request.POST.getlist("paths")]
    if len(wanted) > MAX_PATHS:
        raise Invalid("paths", f"Ask for at most {MAX_PATHS} paths at once.")
    files = files_of(found)
    folders = {folder: inside for folder, inside in folders_of(files).items() if folder in set(wanted)}
    by_path: dict[str, File] = {file.path: file for file in files}
    rows: list[File | str] = [by_path.get(path, path) for path in wanted if path in by_path or path in folders]
    expand = _flag(request.POST.get("expand", ""))
    body = _shown(found, rows, folders, expand)
    if SIGNATURE_FILE in wanted and SIGNATURE_FILE not in by_path:
        body += _signature(found, expand)
    return answer(body)


def _signature(found: Revision, expand: bool) -> list[Entry]:
    """model.sig, where there is one. It came with the version's registration."""
    entry = signature_file.entry_of(found.version)
    if entry is None or found.version is None:
        return []
    return [entry | ({"lastCommit": _commit(found.version), "securityFileStatus": None} if expand else {})]


def _shown(found: Revision, rows: list[File | str], folders: dict[str, list[File]], expand: bool) -> list[Entry]:
    shown = {entry["path"]: entry for entry in entries(row for row in rows if isinstance(row, File))}
    body = [folder_entry(row, folders[row]) if isinstance(row, str) else shown[row.path] for row in rows]
    if expand:
        inside = [file for row in rows for file in (folders[row] if isinstance(row, str) else [row])]
        said = last_commits(found, {file.path: file.blob_id for file in inside})
        for row, entry in zip(rows, body, strict=True):
            below = folders[row] if isinstance(row, str) else [row]
            entry["lastCommit"] = max((said[file.path] for file in below), key=lambda commit: commit["date"])
            if isinstance(row, File):
                entry["securityFileStatus"] = None
    return body


def _page(request: HttpRequest, most: int) -> tuple[int, int]:
    texts = request.GET.get("cursor", "0"), request.GET.get("limit", str(most))
    if not all(text.isdecimal() and len(text) < 10 for text in texts) or int(texts[1]) < 1:
        raise Invalid("cursor", "'cursor' and 'limit' are whole numbers; leave them out to begin at the first page.")
    return int(texts[0]), min(int(texts[1]), most)


def _flag(text: str) -> bool:
    return text.lower() in ("true", "1")
