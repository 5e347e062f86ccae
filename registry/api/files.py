"""The files of a version: streamed in, streamed out."""

from typing import cast

from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid, Problem
from accounts.rest import page_response
from registry import actions, gates, reads
from registry.actions import uploads
from registry.api.base import PAGE, PROBLEMS, AnyContent, RegistryView
from registry.downloads import file_response, sends_bytes
from registry.representations import file_json
from registry.serializers import FileIn, FileOut, ProblemOut, page_of
from registry.storage import Readable


class LengthRequired(Problem):
    status = 411
    code = "length_required"
    title = "Length required"


class Files(RegistryView):
    operations = {"get": "file_list", "post": "file_link"}

    @extend_schema(summary="List files by path", parameters=PAGE, responses={200: page_of(FileOut), 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        rows = self.version(kind, team, name, number).files.select_related("blob")
        return page_response(request, rows, order=["path"], show=file_json)

    @extend_schema(
        summary="Put stored bytes into a draft",
        description="Of a complete upload of yours, or bytes that the team holds where you may download them: nothing is sent again.",
        request=FileIn,
        responses={
            200: OpenApiResponse(FileOut, "Replaced."),
            201: OpenApiResponse(FileOut, "Added."),
            **PROBLEMS,
        },
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        given = self.read(FileIn)
        actions.check_upload(version=version, path=given["path"], by=self.by)
        if bool(given["sha256"]) == bool(given["upload"]):
            raise Invalid("upload", "Give the id of an upload, or the sha256 of bytes that the team holds.")
        if given["upload"]:
            upload = uploads.get_upload(self.by, given["upload"])
            file, created = actions.add_upload(version=version, path=given["path"], upload=upload, by=self.by)
        else:
            file, created = actions.link_file(version=version, path=given["path"], sha256=given["sha256"], by=self.by)
        return Response(file_json(file), status=201 if created else 200)


class FileDetail(RegistryView):
    operations = {"get": "file_download", "head": "file_head", "put": "file_upload", "delete": "file_remove"}
    content_negotiation_class = AnyContent

    @extend_schema(
        summary="Download a file",
        description="With a strong ETag; `Range` (one range), `If-None-Match` and `If-Range` are honoured.",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="You have these bytes."),
            404: PROBLEMS[404],
            416: OpenApiResponse(description="There is no such byte; `Content-Range` has the size."),
        },
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int, path: str) -> HttpResponseBase:
        version = self.version(kind, team, name, number)
        file = reads.get_file(version, path)
        gates.check_read(self.by, version.asset)  # of HEAD too: it answers what GET would
        response = file_response(request._request, sha256=file.blob_id, size=file.blob.size, path=path)
        if sends_bytes(response):
            span = response.headers.get("Content-Range", "")
            actions.record_download(
                version=version, what={"path": path} | ({"range": span} if span else {}), by=self.by
            )
        return response

    @extend_schema(
        summary="Upload a file",
        description="The body is the file. It streams to disk while it is hashed; a file of the same path in the draft is replaced.",
        parameters=[
            OpenApiParameter(
                "X-Content-SHA256",
                str,
                OpenApiParameter.HEADER,
                description="SHA-256 of the body (hex); checked when given, needed without Content-Length.",
            ),
            OpenApiParameter(
                "X-Upload",
                str,
                OpenApiParameter.HEADER,
                description="Id of a complete upload of yours: its bytes are taken, and the body is empty.",
            ),
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={
            200: OpenApiResponse(FileOut, "Replaced."),
            201: OpenApiResponse(FileOut, "Added."),
            **PROBLEMS,
            411: OpenApiResponse(ProblemOut, "Neither Content-Length nor X-Content-SHA256."),
            413: OpenApiResponse(ProblemOut, "Larger than this site takes."),
        },
    )
    def put(self, request: Request, kind: str, team: str, name: str, number: int, path: str) -> Response:
        version = self.version(kind, team, name, number)
        sha256 = request.headers.get("X-Content-SHA256")
        # Before the body's length is looked at: the first thing to say is what may not be done at all.
        actions.check_upload(version=version, path=path, by=self.by)
        if upload_id := request.headers.get("X-Upload", ""):
            upload = uploads.get_upload(self.by, upload_id)
            file, created = actions.add_upload(version=version, path=path, upload=upload, by=self.by)
            return Response(file_json(file), status=201 if created else 200)
        stream, size = body_of(request._request, has_checksum=bool(sha256))
        file, created = actions.add_file(
            version=version, path=path, stream=stream, expected_size=size, expected_sha256=sha256, by=self.by
        )
        return Response(file_json(file), status=201 if created else 200)

    @extend_schema(summary="Remove a file from a draft", request=None, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, kind: str, team: str, name: str, number: int, path: str) -> Response:
        version = self.version(kind, team, name, number)
        reads.get_file(version, path)
        actions.remove_file(version=version, path=path, by=self.by)
        return Response(status=204)


def body_of(request: HttpRequest, *, has_checksum: bool) -> tuple[Readable, int | None]:
    """The request's body as a stream, and its size where the client says it.

    A body in chunks says no size, and one that breaks off looks like one that ended: then the checksum must tell.
    """
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        if not has_checksum:
            raise LengthRequired(
                "Send Content-Length, or the file's SHA-256 in X-Content-SHA256: otherwise nobody could tell a whole file from half of one.",
                errors={"Content-Length": ["Missing, and there is no X-Content-SHA256."]},
            )
        return cast(
            Readable, request.META["wsgi.input"]
        ), None  # Django's own stream ends where Content-Length says: at once
    length = str(request.META.get("CONTENT_LENGTH") or "")
    if not length:
        raise LengthRequired("Send Content-Length.", errors={"Content-Length": ["Missing."]})
    if not length.isdecimal():
        raise Invalid("Content-Length", "Use a number of bytes.")
    return cast(Readable, request), int(length)
