"""The door by which replicas fetch a version's files: a token opens exactly the blobs of one digest."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.access import Actor
from registry.actions import record_download
from registry.downloads import file_response, sends_bytes
from registry.models import File, Version

_SALT = "replica-files"


def sign(version: Version) -> str:
    """A token for the files of this registered version. It does not expire: a replica may be started again any time."""
    if not version.digest:
        raise ValueError("A draft has no files for replicas.")
    return signing.Signer(salt=_SALT).sign(version.digest)


@csrf_exempt
@require_safe
def serve_blob(request: HttpRequest, sha256: str) -> HttpResponseBase:
    """GET /internal/files/<sha256> with `Authorization: Bearer <token>`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        digest = signing.Signer(salt=_SALT).unsign(token.strip()) if scheme.lower() == "bearer" else ""
    except signing.BadSignature:
        digest = ""
    if not digest:
        return HttpResponse("The token is missing or not valid.", status=401, content_type="text/plain")
    # The same bytes may be several versions': the restricted ones first, whose events must not be missed.
    files = File.objects.filter(blob_id=sha256, version__digest=digest).select_related("blob", "version__asset__team")
    file = files.order_by("-version__asset__restricted", "pk").first()
    if file is None:
        return HttpResponse("This token's version has no such file.", status=404, content_type="text/plain")
    response = file_response(request, sha256=sha256, size=file.blob.size, path=f"{sha256}.blob")
    if sends_bytes(response):
        by = Actor(None, via="replica", address=request.META.get("REMOTE_ADDR", ""), request_id=request.request_id)  # type: ignore[attr-defined]
        record_download(version=file.version, what={"path": file.path}, by=by)
    return response
