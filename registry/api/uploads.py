"""Uploads in parts: begin, put parts in any order, complete; then a version takes the bytes by the upload's id or their hash."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, CharField, ChoiceField, DateTimeField, IntegerField

from accounts.access import get_team
from accounts.rest import ApiView
from registry.actions import uploads
from registry.api.base import PROBLEMS, AnyContent
from registry.api.files import body_of
from registry.models import Upload
from registry.representations import moment
from registry.serializers import In, ProblemOut

MAX_ADDRESSES = 1_000
FULL = {
    413: OpenApiResponse(ProblemOut, "Larger than this site takes."),
    507: OpenApiResponse(ProblemOut, "The storage is full."),
}


class UploadIn(In):
    team = CharField(max_length=96, help_text="The team whose bytes they will be.")
    size = IntegerField(min_value=0, max_value=2**62, help_text="Bytes of the whole.")
    sha256 = CharField(
        required=False, default="", allow_blank=True, max_length=64,
        help_text="Of the whole (hex). Compared at the end; where the team holds such bytes already, the upload is complete at once.",
    )  # fmt: skip
    part_size = IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**62,
        help_text="Bytes of each part but the last. Without it 16 MiB, more where 10,000 parts would not do.",
    )  # fmt: skip


class PartStoredOut(In):
    number = IntegerField()
    size = IntegerField()


class UploadPartOut(In):
    number = IntegerField(help_text="From 1.")
    size = IntegerField()
    there = BooleanField(help_text="It arrived whole.")
    url = CharField(
        required=False,
        help_text="Where the part is PUT without a key: the bucket itself, or this site. Only of the first thousand parts that are not there.",
    )


class UploadOut(In):
    id = CharField(help_text="As secret as a key: whoever has a part's url may write it.")
    team = CharField()
    state = ChoiceField(Upload.State.choices)
    size = IntegerField()
    part_size = IntegerField()
    sha256 = CharField(allow_null=True, help_text="Of the whole, once it is complete or where it was announced.")
    expires_at = DateTimeField(
        help_text="When it is forgotten; later with each part. A version that took the bytes keeps them."
    )
    parts = UploadPartOut(many=True)


def upload_json(upload: Upload) -> dict[str, Any]:
    there = uploads.parts_there(upload)
    parts: list[dict[str, Any]] = []
    addressed = 0
    for number in range(1, upload.part_count + 1):
        size = upload.part(number)[1]
        part: dict[str, Any] = {"number": number, "size": size, "there": there.get(number) == size}
        if not part["there"] and addressed < MAX_ADDRESSES:
            addressed += 1
            part["url"] = uploads.part_address(upload, number)
        parts.append(part)
    return {
        "id": upload.pk,
        "team": upload.team.name,
        "state": upload.state,
        "size": upload.size,
        "part_size": upload.part_size,
        "sha256": upload.blob_id or upload.sha256 or None,
        "expires_at": moment(upload.expires_at),
        "parts": parts,
    }


class Uploads(ApiView):
    @extend_schema(
        operation_id="upload_begin",
        summary="Begin an upload in parts",
        description="Then PUT each part to its `url`, in any order, several at a time, again where one failed; then complete it.",
        request=UploadIn,
        responses={201: UploadOut, **PROBLEMS, **FULL},
    )
    def post(self, request: Request) -> Response:
        given = self.read(UploadIn)
        upload = uploads.begin(
            team=get_team(self.by, given["team"]),
            size=given["size"],
            sha256=given["sha256"],
            part_size=given["part_size"],
            by=self.by,
        )
        return Response(upload_json(upload), status=201, headers={"Location": f"/api/v1/uploads/{upload.pk}"})


class UploadDetail(ApiView):
    @extend_schema(
        operation_id="upload_read",
        summary="Which parts are there",
        responses={200: UploadOut, 404: PROBLEMS[404]},
    )
    def get(self, request: Request, upload: str) -> Response:
        return Response(upload_json(uploads.get_upload(self.by, upload)))

    @extend_schema(
        operation_id="upload_give_up",
        summary="Give up an upload",
        description="Its parts are deleted; what versions took of it stays.",
        request=None,
        responses={204: None, 404: PROBLEMS[404]},
    )
    def delete(self, request: Request, upload: str) -> Response:
        uploads.give_up(upload=uploads.get_upload(self.by, upload))
        return Response(status=204)


class UploadComplete(ApiView):
    @extend_schema(
        operation_id="upload_complete",
        summary="Complete an upload",
        description="The whole is hashed, compared with the announced SHA-256, and stored under it. Large ones take a while: where the "
        "answer is 409 `part_in_flight` or stays out, ask again. It is done once, and the last to ask learns how it ended.",
        request=None,
        responses={200: UploadOut, **PROBLEMS, **FULL},
    )
    def post(self, request: Request, upload: str) -> Response:
        found = uploads.get_upload(self.by, upload)
        uploads.complete(upload=found)
        return Response(upload_json(uploads.get_upload(self.by, upload)))


class UploadPartDetail(ApiView):
    content_negotiation_class = AnyContent

    @extend_schema(
        operation_id="upload_put_part",
        summary="Put a part",
        description="The body is the part's bytes. With the `signature` of a part's url no key is needed.",
        parameters=[
            OpenApiParameter("signature", str, description="Of the part's url."),
            OpenApiParameter("X-Content-SHA256", str, OpenApiParameter.HEADER, description="SHA-256 of the part (hex), checked when given."),
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: PartStoredOut, **PROBLEMS, **FULL, 411: OpenApiResponse(ProblemOut, "Neither Content-Length nor X-Content-SHA256.")},
    )  # fmt: skip
    def put(self, request: Request, upload: str, number: int) -> Response:
        signature = request.query_params.get("signature", "")
        found = uploads.signed_upload(upload, number, signature) if signature else uploads.get_upload(self.by, upload)
        sha256 = request.headers.get("X-Content-SHA256")
        stream, size = body_of(request._request, has_checksum=bool(sha256))
        uploads.put_part(upload=found, number=number, stream=stream, size=size, sha256=sha256)
        # Clients of S3's multipart protocol send these back at the end.
        return Response({"number": number, "size": found.part(number)[1]}, headers={"ETag": f'"{number}"'})

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._is_signed() else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        return [] if self._is_signed() else super().get_permissions()  # type: ignore[return-value]

    def _is_signed(self) -> bool:
        return bool(self.request and self.request.GET.get("signature"))
