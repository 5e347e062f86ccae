"""Where a version comes from and what is in it: scan, signature, bill of materials, conversion; and the keys that sign."""

import json

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Conflict, NotFound
from accounts.rest import ApiView
from registry import actions
from registry.api.base import PROBLEMS, AnyContent, RegistryView
from registry.bom import bom_of
from registry.models import Conversion, ModelSigningKey, Version, VersionSignature
from registry.scans import ScanState, state_of
from registry.signing import SIGNATURE_FILE


class FindingOut(serializers.Serializer[object]):
    level = serializers.ChoiceField(["unsafe", "note"])
    kind = serializers.CharField(
        help_text="call, pickle, code, program, archive, bomb, traversal, link, secret, template …"
    )
    text = serializers.CharField()
    remedy = serializers.CharField(required=False)
    line = serializers.IntegerField(required=False)
    excerpt = serializers.CharField(required=False, help_text="Of a secret, masked.")


class ScannedFileOut(serializers.Serializer[object]):
    path = serializers.CharField()
    sha256 = serializers.CharField()
    verdict = serializers.CharField(help_text="clean, notes, unsafe, error; '' while it was not looked at")
    findings = FindingOut(many=True)


class ScanOut(serializers.Serializer[object]):
    state = serializers.ChoiceField(["queued", "scanning", "done"])
    verdict = serializers.CharField(help_text="The worst of its files; '' until all are done.")
    scanner = serializers.CharField()
    sandbox = serializers.DictField(help_text="What the kernel held the scan to, in words.")
    files = ScannedFileOut(many=True)


class ConversionOut(serializers.Serializer[object]):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(["queued", "running", "done", "failed"], help_text="done: `version` is the new one")
    detail = serializers.CharField(help_text="What is being done, or why it failed.")
    done_bytes = serializers.IntegerField()
    total_bytes = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True)


def scan_json(state: ScanState) -> dict[str, object]:
    files = [
        {"path": file.path, "sha256": file.sha256, "verdict": file.verdict, "findings": file.findings}
        for file in state.files
    ]
    return {
        "state": state.state, "verdict": state.verdict, "scanner": state.scanner, "sandbox": state.sandbox, "files": files,
    }  # fmt: skip


def conversion_json(found: Conversion) -> dict[str, object]:
    return {
        "id": found.pk,
        "state": found.state,
        "detail": found.detail,
        "done_bytes": found.done_bytes,
        "total_bytes": found.total_bytes,
        "version": found.result.number if found.result and found.state == Conversion.State.DONE else None,
    }


def _registered(version: Version) -> Version:
    if not version.is_registered:
        raise Conflict(f"Version {version.number} of {version.asset} is a draft: register it first.")
    return version


class Scan(RegistryView):
    operations = {"get": "version_scan"}

    @extend_schema(
        summary="What the scan found in a version's files",
        responses={200: ScanOut, 404: PROBLEMS[404], 409: PROBLEMS[409]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        return Response(scan_json(state_of(_registered(self.version(kind, team, name, number)))))


class ScanAgain(RegistryView):
    operations = {"post": "version_scan_again"}

    @extend_schema(
        summary="Scan a version's files again",
        description="What the scan said of them is forgotten, and a worker looks anew; evidence that was deposited stays. A scan "
        "that is under way, or ended within the last 30 seconds, is the one that is asked for.",
        request=None,
        responses={202: ScanOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        actions.scan_again(version=version, by=self.by)
        return Response(scan_json(state_of(version)), status=202)


class Signature(RegistryView):
    operations = {"get": "version_signature"}
    content_negotiation_class = AnyContent

    @extend_schema(
        summary="A version's signature",
        description="A Sigstore bundle in the OpenSSF model-signing format. Save it as model.sig beside the files, then "
        "`model_signing verify key --signature model.sig --public_key key.pem FOLDER`.",
        responses={(200, "application/json"): OpenApiTypes.OBJECT, 404: PROBLEMS[404], 409: PROBLEMS[409]},
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> HttpResponse:
        version = _registered(self.version(kind, team, name, number))
        found = VersionSignature.objects.filter(version=version).first()
        if found is None:
            raise NotFound(
                "This version is not signed yet. It is within seconds of its registration, where it has files."
            )
        return _download(found.bundle, SIGNATURE_FILE)


class Bom(RegistryView):
    operations = {"get": "version_bom"}
    content_negotiation_class = AnyContent

    @extend_schema(
        summary="A version's bill of materials",
        description="CycloneDX 1.6: the model with its card, origins, files and figures.",
        responses={
            (200, "application/vnd.cyclonedx+json"): OpenApiTypes.OBJECT,
            404: PROBLEMS[404],
            409: PROBLEMS[409],
        },
    )
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> HttpResponse:
        version = _registered(self.version(kind, team, name, number))
        text = json.dumps(bom_of(version, self.by), indent=2, ensure_ascii=False)
        label = f"{version.asset.name}-{version.number}.cdx.json"
        return _download(text, label, "application/vnd.cyclonedx+json; version=1.6")


class ConversionView(RegistryView):
    operations = {"get": "version_conversion_read", "post": "version_convert"}

    @extend_schema(summary="The newest conversion of a version", responses={200: ConversionOut, 404: PROBLEMS[404]})
    def get(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        found = version.conversions.select_related("result").first()
        if found is None:
            raise NotFound("This version was never converted.")
        return Response(conversion_json(found))

    @extend_schema(
        summary="Convert a PyTorch checkpoint to safetensors",
        description="A worker reads .bin, .pt, .pth and .ckpt files apart from everything, running nothing in them, and makes a new "
        "version with safetensors in their place.",
        request=None,
        responses={202: ConversionOut, **PROBLEMS},
    )
    def post(self, request: Request, kind: str, team: str, name: str, number: int) -> Response:
        version = self.version(kind, team, name, number)
        return Response(conversion_json(actions.start_conversion(version=version, by=self.by)), status=202)


class ModelSigningKeyView(ApiView):
    permission_classes = [AllowAny]
    content_negotiation_class = AnyContent

    @extend_schema(
        operation_id="model_signing_key",
        tags=["Keys"],
        summary="The public key of the signatures of versions",
        description="PEM. The one in use; an older one by the fingerprint that a signature names (its `hint`).",
        parameters=[OpenApiParameter("fingerprint", str)],
        responses={(200, "application/x-pem-file"): OpenApiTypes.STR, 404: OpenApiResponse(description="No such key.")},
        auth=[],
    )
    def get(self, request: Request) -> HttpResponse:
        wanted = request.query_params.get("fingerprint", "")
        if wanted:
            key = ModelSigningKey.objects.filter(fingerprint=wanted).first()
        else:
            key = ModelSigningKey.objects.filter(retired_at=None).first()
        if key is None:
            raise NotFound("There is no such key: the first is made with the first signature.")
        return _download(key.public_pem, "model-signing.pem", "application/x-pem-file")


def _download(text: str, name: str, content_type: str = "application/json") -> HttpResponse:
    return HttpResponse(
        text.encode(),
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-cache",
            "X-Content-Type-Options": "nosniff",
        },
    )
