"""Native REST: prompts as files, out and in."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import ApiView, keyset_page
from prompts import actions
from prompts.api.common import PAGE, page_of
from prompts.exchange import Entry, Unreadable, uploads
from prompts.exports import KINDS, exported_prompts, shown
from prompts.models import MAIN


class FileOut(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="Below the folder of your choice: `support/refunds.yaml`.")
    text = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()


class FileIn(serializers.Serializer[Any]):
    path = serializers.CharField(max_length=300)
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)


class ImportIn(serializers.Serializer[Any]):
    files = FileIn(many=True, required=False, default=list, help_text="YAML files, as an export gives them.")
    document = serializers.JSONField(
        required=False, default=None, allow_null=True, help_text="Or what Langfuse or MLflow exported."
    )
    branch = serializers.CharField(required=False, default=MAIN)
    message = serializers.CharField(required=False, allow_blank=True, default="", help_text="Where a file has none.")
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Say what would be done, and do nothing."
    )


class OutcomeOut(serializers.Serializer[Any]):
    where = serializers.CharField()
    prompt = serializers.CharField()
    done = serializers.CharField(
        help_text="created, new version, changed (description or tags), unchanged, behind (the site has moved on since), or in a dry run refused."
    )
    version = serializers.IntegerField()
    url = serializers.CharField()
    moved = serializers.ListField(child=serializers.CharField(), help_text="Labels that were moved.")
    problems = serializers.ListField(child=serializers.CharField(), help_text="In a dry run: why it is refused.")
    content = serializers.JSONField(
        allow_null=True, help_text="Of a version that differs: its fields, as `…/tests/runs` takes them."
    )
    asks = serializers.DictField(help_text="Protected labels, which an import leaves: where to ask for each.")


class ImportOut(serializers.Serializer[Any]):
    results = OutcomeOut(many=True)
    dry_run = serializers.BooleanField()


class Export(ApiView):
    @extend_schema(
        operation_id="prompts_export",
        parameters=[
            OpenApiParameter("as", str, enum=list(KINDS), description="yaml (the default), langfuse or mlflow."),
            OpenApiParameter("folder", str, description="This folder's only."),
            OpenApiParameter("label", str, description="At this label; without it the newest on main."),
            OpenApiParameter("all", bool, description="langfuse and mlflow: every version."),
            *PAGE,
        ],
        responses=page_of(FileOut),
    )
    def get(self, request: Request, team: str) -> Response:
        """A team's prompts as files: `{path, text}` for yaml, otherwise the rows of the other product's file."""
        asked = request.query_params
        kind = asked.get("as", "yaml")
        if kind not in KINDS:
            raise Invalid("as", f"Use one of {', '.join(KINDS)}.")
        owner = get_team(self.by, team)
        rows, following = keyset_page(
            exported_prompts(self.by, owner, folder=asked.get("folder", "")),
            order=["name", "id"], cursor=asked.get("cursor", ""), limit=200,
        )  # fmt: skip
        every = asked.get("all", "").lower() in ("1", "true", "yes")
        if not asked.get("cursor"):
            actions.note_export(team=owner, kind=kind, by=self.by)
        return Response({"results": shown(rows, kind, label=asked.get("label", ""), every=every), "next": following})


class Import(ApiView):
    @extend_schema(operation_id="prompts_import", request=ImportIn, responses=ImportOut)
    def post(self, request: Request, team: str) -> Response:
        """Make versions of what differs: of all files or, with any problem, of none. Needs asset.edit, for new ones asset.create."""
        owner = get_team(self.by, team)
        data = self.read(ImportIn)
        found = actions.import_entries(
            team=owner, entries=_entries(data), branch=data["branch"], message=data["message"], dry_run=data["dry_run"],
            by=self.by,
        )  # fmt: skip
        return Response({"results": [vars(one) for one in found], "dry_run": data["dry_run"]})


def _entries(data: dict[str, Any]) -> list[Entry]:
    if bool(data["files"]) == (data["document"] is not None):
        raise Invalid("files", "Send either files or a document.")
    seen: set[str] = set()
    for file in data["files"]:
        if file["path"].lower() in seen:
            raise Invalid("files", f"'{file['path']}' is there twice.")
        seen.add(file["path"].lower())
    try:
        if data["document"] is not None:
            return uploads.read_document("document", data["document"])
        return uploads.read_files({file["path"]: file["text"] for file in data["files"]})
    except Unreadable as problem:
        raise Invalid(problem.where, str(problem).removeprefix(f"{problem.where}: ")) from None
