"""Downloads: a file of a revision, whole or in part."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from accounts.authentication import actor_of
from doors.huggingface import signature_file
from doors.huggingface.door import door, failure
from doors.huggingface.repos import file_of, repo_of, require_files, revision_of
from registry import actions
from registry.downloads import file_response, sends_bytes
from registry.gitoids import is_large, oid_of, oids_of
from registry.models import File
from registry.signing import SIGNATURE_FILE


@door("GET")
def resolve(request: HttpRequest, kind: str, team: str, name: str, revision: str, path: str) -> HttpResponseBase:
    """HEAD says commit, size and ETag; GET sends the bytes, or the range that is asked for."""
    asset = repo_of(request, kind, team, name)
    found = revision_of(asset, revision)
    if path == SIGNATURE_FILE and (content := signature_file.content_of(found.version)) is not None:
        require_files(actor_of(request), asset)
        answer = signature_file.response_of(request, content)
        dress(answer, commit=found.commit, etag=oid_of(content), size=len(content), large=False)
        return answer
    file = file_of(found, path)
    assert found.version is not None
    size, sha256 = file.blob.size, file.blob_id
    require_files(actor_of(request), asset)  # of HEAD too: it answers what GET would
    response = file_response(request, sha256=sha256, size=size, path=path)
    if sends_bytes(response):
        span = response.headers.get("Content-Range", "")
        what = {"path": path} | ({"range": span} if span else {})
        actions.record_download(version=found.version, what=what, by=actor_of(request))
    dress(response, commit=found.commit, etag=etag_of(file), size=size, large=is_large(path, size))
    return response


def etag_of(file: File) -> str:
    """What the client names the bytes by in its cache: the SHA-256 of a large file, git's name of a small one."""
    if is_large(file.path, file.blob.size):
        return file.blob_id
    return oids_of([file.blob_id])[file.blob_id]


def dress(response: HttpResponseBase, *, commit: str, etag: str, size: int, large: bool) -> None:
    """The headers by which the Hub's clients know what they got."""
    response["X-Repo-Commit"] = commit
    response["ETag"] = f'"{etag}"'
    response["Accept-Ranges"] = "bytes"
    if large or response.status_code in (301, 302, 307):
        response["X-Linked-Etag"] = f'"{etag}"'
        response["X-Linked-Size"] = str(size)


@door("GET", public=True)
def page(request: HttpRequest, kind: str, team: str, name: str) -> HttpResponse:
    """The repository's address is the asset's page for whoever opens it in a browser."""
    return redirect(f"/{kind}s/{team}/{name}")


@door("DELETE", "GET", "PATCH", "POST", "PUT")
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    return failure(
        404, "This door has no such address. See the documentation of the Hugging Face door for what it speaks."
    )
