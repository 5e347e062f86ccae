"""Native REST: labels and their history."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from prompts import actions, answers, uses
from prompts import serializers as shapes
from prompts.api.common import PAGE, RESOLVE, page_of, resolved_where_asked
from prompts.models import Label
from prompts.reads import get_prompt, resolve_label


class Labels(ApiView):
    @extend_schema(operation_id="prompt_labels_list", responses=page_of(shapes.LabelOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Where each label points."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = Label.objects.filter(prompt=prompt).select_related("version", "updated_by")
        return page_response(request, rows, order=["name"], show=shapes.show_label)


class LabelView(ApiView):
    """A label: GET answers the whole version it points at, with its digest as ETag."""

    @extend_schema(
        operation_id="prompt_labels_get",
        description="The version that the label points at; `latest` is the newest. Send the ETag as If-None-Match for a 304.",
        parameters=[RESOLVE],
        responses={200: shapes.VersionOut, 304: None},
    )
    def get(self, request: Request, team: str, name: str, label: str) -> HttpResponse:
        """The version that a label points at. Answers with an ETag."""
        version = resolve_label(self.by, f"{team}/{name}", label)
        uses.note_by(self.by, version.pk, label)
        return answers.tagged(
            request, team, answers.body_of(version, more=resolved_where_asked(request, version, self.by))
        )

    @extend_schema(operation_id="prompt_labels_move", request=shapes.MoveIn, responses=shapes.LabelOut)
    def put(self, request: Request, team: str, name: str, label: str) -> Response:
        """Move a label. A protected one needs an approved request. Needs alias.move."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.MoveIn)
        version = prompt.versions.filter(number=data["version"], deleted_at=None).first()
        if version is None:
            raise Invalid("version", f"{prompt} has no version {data['version']}.")
        moved = actions.move_label(prompt=prompt, label=label, version=version, reason=data["reason"], by=self.by)
        return Response(shapes.show_label(moved))

    @extend_schema(
        operation_id="prompt_labels_remove",
        parameters=[OpenApiParameter("reason", str, description="Why, for the history.")],
        responses={204: None},
    )
    def delete(self, request: Request, team: str, name: str, label: str) -> Response:
        """Remove a label that is not protected. Needs alias.move."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        actions.remove_label(prompt=prompt, label=label, reason=request.query_params.get("reason", ""), by=self.by)
        return Response(status=204)


class LabelHistory(ApiView):
    @extend_schema(operation_id="prompt_labels_history", parameters=PAGE, responses=page_of(shapes.MoveOut))
    def get(self, request: Request, team: str, name: str, label: str) -> Response:
        """Every move of a label, newest first."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = prompt.label_moves.filter(name=label).select_related("before", "after", "moved_by")
        return page_response(request, rows, order=["-id"], show=shapes.show_move)
