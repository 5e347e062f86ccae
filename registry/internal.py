"""The door by which replicas fetch a version's files: a token opens exactly the blobs of one digest."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from registry.downloads import file_response
from registry.models import Blob, Version

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
    blob = Blob.objects.filter(pk=sha256, files__version__digest=digest).first()
    if blob is None:
        return HttpResponse("This token's version has no such file.", status=404, content_type="text/plain")
    return file_response(request, sha256=blob.sha256, size=blob.size, path=f"{sha256}.blob")
