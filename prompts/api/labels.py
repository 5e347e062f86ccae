"""Native REST: labels and their history."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.moments import read_moment
from accounts.rest import ApiView, page_response
from governance import gate
from prompts import actions, answers, uses
from prompts import serializers as shapes
from prompts.api.common import PAGE, RESOLVE, page_of, resolved_where_asked
from prompts.models import Label, Prompt
from prompts.reads import get_prompt, label_at, labels_at, resolve_label
from prompts.serializers_history import RollBackIn, RolledBackOut

_AT = OpenApiParameter("at", str, description="As of a moment (RFC 3339), or the end of a day.")


class Labels(ApiView):
    @extend_schema(
        operation_id="prompt_labels_list",
        parameters=[_AT, *PAGE],
        description="With `at`: where each label pointed then, by the move that brought it there.",
        responses={
            200: PolymorphicProxySerializer(
                "PromptLabelsNowOrThen", [shapes.LabelOut, shapes.MoveOut], resource_type_field_name=None, many=True
            )
        },
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """Where each label points."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        if "at" in request.query_params:
            moves = labels_at(prompt, read_moment(request.query_params["at"]))
            return Response({"results": [shapes.show_move(move) for move in moves], "next": None})
        rows = Label.objects.filter(prompt=prompt).select_related("version", "updated_by")
        return page_response(request, rows, order=["name"], show=shapes.show_label)


class LabelView(ApiView):
    """A label: GET answers the whole version it points at, with its digest as ETag."""

    @extend_schema(
        operation_id="prompt_labels_get",
        description="The version that the label points at; `latest` is the newest. Send the ETag as If-None-Match for a 304. "
        "With `at`: the move that brought the label to where it pointed then.",
        parameters=[RESOLVE, _AT],
        responses={
            200: PolymorphicProxySerializer(
                "PromptLabelNowOrThen", [shapes.VersionOut, shapes.MoveOut], resource_type_field_name=None
            ),
            304: None,
        },
    )
    def get(self, request: Request, team: str, name: str, label: str) -> HttpResponse:
        """The version that a label points at. Answers with an ETag."""
        if "at" in request.query_params:
            moment = read_moment(request.query_params["at"])
            return Response(shapes.show_move(label_at(get_prompt(self.by, f"{team}/{name}"), label, moment)))
        version = resolve_label(self.by, f"{team}/{name}", label)
        uses.note_by(self.by, version.pk, label)
        return answers.tagged(
            request, team, answers.body_of(version, more=resolved_where_asked(request, version, self.by))
        )

    @extend_schema(operation_id="prompt_labels_move", request=shapes.MoveIn, responses=shapes.LabelOut)
    def put(self, request: Request, team: str, name: str, label: str) -> Response:
        """Move a label. A protected one answers 403: the approval request for it is open by then, and `link` leads to it
        (needs request.create). Needs alias.move."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.MoveIn)
        version = prompt.versions.filter(number=data["version"], deleted_at=None).first()
        if version is None:
            raise Invalid("version", f"{prompt} has no version {data['version']}.")
        done = actions.move_or_ask(
            prompt=prompt, label=label, version=version, reason=data["reason"], by=self.by,
            **_seen(request, prompt, label, data),
        )  # fmt: skip
        if not isinstance(done, Label):
            raise gate.asked(done)
        return Response(shapes.show_label(done))

    @extend_schema(
        operation_id="prompt_labels_remove",
        parameters=[OpenApiParameter("reason", str, description="Why, for the history.")],
        responses={204: None},
    )
    def delete(self, request: Request, team: str, name: str, label: str) -> Response:
        """Remove a label that is not protected. Needs alias.move."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        reason = request.query_params.get("reason", "")
        actions.remove_label(prompt=prompt, label=label, reason=reason, by=self.by, **_seen(request, prompt, label, {}))
        return Response(status=204)


class LabelHistory(ApiView):
    @extend_schema(operation_id="prompt_labels_history", parameters=[_AT, *PAGE], responses=page_of(shapes.MoveOut))
    def get(self, request: Request, team: str, name: str, label: str) -> Response:
        """Every move of a label, newest first; with `at` those up to then, so that the first tells where it pointed."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = prompt.label_moves.filter(name=label).select_related("before", "after", "moved_by")
        if "at" in request.query_params:
            rows = rows.filter(moved_at__lte=read_moment(request.query_params["at"]))
        return page_response(request, rows, order=["-id"], show=shapes.show_move)


class LabelRollBack(ApiView):
    @extend_schema(operation_id="prompt_labels_roll_back", request=RollBackIn, responses=RolledBackOut)
    def post(self, request: Request, team: str, name: str, label: str) -> Response:
        """Let a label point again at what it pointed at before its last move. A free one moves at once (alias.move); for a
        protected one the request for it is opened (request.create)."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(RollBackIn)
        done = actions.roll_back_label(
            prompt=prompt, label=label, reason=data["reason"], by=self.by, **_seen(request, prompt, label, data)
        )
        if isinstance(done, Label):
            return Response({"label": label, "version": done.version.number, "request": None})
        return Response({"label": label, "version": done.version_number, "request": done.pk}, status=202)


def _seen(request: Request, prompt: Prompt, label: str, data: dict[str, Any]) -> dict[str, Any]:
    """What the caller says it saw at the label: `expected` in the body, or the ETag of the label as If-Match. Empty: nothing said."""
    if "expected" in data:
        return {"expected": data["expected"]}
    given = request.headers.get("If-Match", "").strip()
    if not given or given == "*":
        return {}
    row = Label.objects.select_related("version__created_by").filter(prompt=prompt, name=label).first()
    if row is None:
        return {"expected": 0}  # a version was seen, and nothing is there
    row.version.prompt = prompt
    same = given.removeprefix("W/") == answers.etag_of(answers.body_of(row.version))
    return {"expected": row.version.number if same else 0}
