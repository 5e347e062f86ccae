"""The signature of a version as a file of its repository, model.sig: no file that the version holds (it is made of them), but there
where its files are, so that what was downloaded can be verified as it lies."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from registry.downloads import disposition
from registry.gitoids import oid_of
from registry.models import File, Version, VersionSignature
from registry.signing import SIGNATURE_FILE


def content_of(version: Version | None) -> bytes | None:
    """The bundle; None where there is none yet, or where the version holds a file of this name itself."""
    if version is None or File.objects.filter(version=version, path=SIGNATURE_FILE).exists():
        return None
    text = VersionSignature.objects.filter(version=version).values_list("bundle", flat=True).first()
    return text.encode() if text else None


def entry_of(version: Version | None) -> dict[str, Any] | None:
    """As trees and lists show it."""
    content = content_of(version)
    if content is None:
        return None
    return {"type": "file", "path": SIGNATURE_FILE, "size": len(content), "oid": oid_of(content)}


def response_of(request: HttpRequest, content: bytes) -> HttpResponse:
    """All of it: it is too small for ranges."""
    headers = {
        "Content-Length": str(len(content)),
        "Content-Disposition": disposition(SIGNATURE_FILE),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    body = b"" if request.method == "HEAD" else content
    return HttpResponse(body, content_type="application/octet-stream", headers=headers)
