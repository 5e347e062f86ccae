"""Native REST: versions, rendering them, and what differs between two."""

from dataclasses import asdict

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView, page_response
from prompts import actions, answers, differences, uses
from prompts import serializers as shapes
from prompts.api.common import PAGE, RESOLVE, number_of, page_of, raw_field, resolved_where_asked
from prompts.api.rendering import RenderIn, RenderOut, render_answer
from prompts.reads import get_prompt, get_version, labels_of


class Versions(ApiView):
    """A prompt's versions, newest first."""

    @extend_schema(operation_id="prompt_versions_list", parameters=PAGE, responses=page_of(shapes.VersionOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Versions, newest first."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = prompt.versions.filter(deleted_at=None).select_related("prompt__team", "created_by")
        return page_response(request, rows, order=["-number"], show=shapes.show_version)

    @extend_schema(operation_id="prompt_versions_create", request=shapes.VersionIn, responses={201: shapes.VersionOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; it never changes again. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.VersionIn)
        data["template"] = raw_field(request, "template")
        version = actions.create_version(prompt=prompt, by=self.by, **data)
        return Response(shapes.show_version(version, []), status=201)


class VersionView(ApiView):
    @extend_schema(
        operation_id="prompt_versions_get", parameters=[RESOLVE], responses={200: shapes.VersionOut, 304: None}
    )
    def get(self, request: Request, team: str, name: str, number: int) -> HttpResponse:
        """One version with its template. Answers with an ETag."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        uses.note_by(self.by, version.pk)
        labels = labels_of([version]).get(version.pk, [])
        more = resolved_where_asked(request, version, self.by)
        return answers.tagged(request, team, answers.body_of(version, labels, more))

    @extend_schema(
        operation_id="prompt_versions_delete",
        parameters=[OpenApiParameter("reason", str, description="Why, for the ledger.")],
        responses={204: None},
    )
    def delete(self, request: Request, team: str, name: str, number: int) -> Response:
        """Delete a version; 409 names what needs it still. Needs asset.edit."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        actions.delete_version(version=version, reason=request.query_params.get("reason", ""), by=self.by)
        return Response(status=204)


class Render(ApiView):
    @extend_schema(operation_id="prompt_versions_render", request=RenderIn, responses=RenderOut)
    def post(self, request: Request, team: str, name: str, number: int) -> Response:
        """Fill in the variables, in a sandbox."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        answer = render_answer(version, self.read(RenderIn), self.by)
        uses.note_by(self.by, version.pk)
        return answer


class DifferenceView(ApiView):
    @extend_schema(
        operation_id="prompt_versions_diff",
        parameters=[
            OpenApiParameter("from", int, required=True),
            OpenApiParameter("to", int, required=True),
            OpenApiParameter(
                "from_prompt", str, description="team/name of another prompt that `from` is a version of."
            ),
            OpenApiParameter("spaces", bool, description="false: white space does not count."),
        ],
        responses=shapes.DifferenceOut,
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """What changed between two versions."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        other = get_prompt(self.by, there) if (there := request.query_params.get("from_prompt")) else prompt
        before = get_version(self.by, other, number_of(request, "from"))
        after = get_version(self.by, prompt, number_of(request, "to"))
        spaces = request.query_params.get("spaces", "").lower() not in ("0", "false", "no")
        found = differences.compare(before, after, spaces=spaces)
        return Response({**asdict(found), "same": found.same})
