"""Native REST."""

from dataclasses import asdict

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from prompts import actions, differences, rendering
from prompts import serializers as shapes
from prompts.models import Label, Prompt
from prompts.reads import get_prompt, get_version, labels_of, list_prompts, resolve_label

_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="Rows per page, 1 to 200."),
]


def _page_of(shape: type) -> dict[int, type]:
    """A page's shape: {"results": [...], "next": cursor or null}."""
    return {
        200: inline_serializer(  # type: ignore[dict-item]
            f"{shape.__name__}Page",
            {"results": shape(many=True), "next": serializers.CharField(allow_null=True)},
        )
    }


class Prompts(ApiView):
    """The prompts that the caller sees."""

    @extend_schema(
        operation_id="prompts_list",
        parameters=[OpenApiParameter("team", str, description="This team's only."), *_PAGE],
        responses=_page_of(shapes.PromptOut),
    )
    def get(self, request: Request) -> Response:
        """The prompts that you see, newest change first."""
        rows = list_prompts(self.by)
        if team := request.query_params.get("team"):
            rows = rows.filter(team=get_team(self.by, team))
        return page_response(request, rows, order=["-updated_at", "-id"], show=shapes.show_prompt)

    @extend_schema(operation_id="prompts_create", request=shapes.PromptIn, responses={201: shapes.PromptOut})
    def post(self, request: Request) -> Response:
        """Make a prompt. Needs asset.create."""
        data = self.read(shapes.PromptIn)
        prompt = actions.create_prompt(
            team=get_team(self.by, data["team"]), name=data["name"], description=data["description"], by=self.by
        )
        return Response(shapes.show_prompt(prompt), status=201)


class PromptView(ApiView):
    """One prompt."""

    @extend_schema(operation_id="prompts_get", responses=shapes.PromptOut)
    def get(self, request: Request, team: str, name: str) -> Response:
        """One prompt with its labels."""
        return Response(shapes.show_prompt(_with_labels(get_prompt(self.by, f"{team}/{name}"))))

    @extend_schema(operation_id="prompts_update", request=shapes.PromptPatch, responses=shapes.PromptOut)
    def patch(self, request: Request, team: str, name: str) -> Response:
        """Change the description. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        prompt = actions.update_prompt(prompt=prompt, by=self.by, **self.read(shapes.PromptPatch))
        return Response(shapes.show_prompt(_with_labels(prompt)))


def _with_labels(prompt: Prompt) -> Prompt:
    prefetch_related_objects([prompt], "labels__version")
    return prompt


class Versions(ApiView):
    """A prompt's versions, newest first."""

    @extend_schema(operation_id="prompt_versions_list", parameters=_PAGE, responses=_page_of(shapes.VersionOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Versions, newest first."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = prompt.versions.select_related("prompt__team", "created_by")
        return page_response(request, rows, order=["-number"], show=shapes.show_version)

    @extend_schema(operation_id="prompt_versions_create", request=shapes.VersionIn, responses={201: shapes.VersionOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; it never changes again. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.VersionIn)
        data["template"] = _raw(request, "template")
        version = actions.create_version(prompt=prompt, by=self.by, **data)
        return Response(shapes.show_version(version, []), status=201)


def _raw(request: Request, field: str) -> object:
    """The field as it was sent: DRF's JSONField would read a text that looks like JSON as JSON."""
    return request.data.get(field) if isinstance(request.data, dict) else None


class VersionView(ApiView):
    @extend_schema(operation_id="prompt_versions_get", responses=shapes.VersionOut)
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        """One version with its template."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        return Response(shapes.show_version(version, labels_of([version]).get(version.pk, [])))


class Render(ApiView):
    @extend_schema(operation_id="prompt_versions_render", request=shapes.RenderIn, responses=shapes.RenderOut)
    def post(self, request: Request, team: str, name: str, number: int) -> Response:
        """Fill in the variables, in a sandbox."""
        version = get_version(self.by, get_prompt(self.by, f"{team}/{name}"), number)
        text = rendering.render(version.template, self.read(shapes.RenderIn)["variables"])
        shown = {"type": version.type, "rendered": text, "parameters": version.parameters, "digest": version.digest}
        return Response(shown)


class DifferenceView(ApiView):
    @extend_schema(
        operation_id="prompt_versions_diff",
        parameters=[OpenApiParameter("from", int, required=True), OpenApiParameter("to", int, required=True)],
        responses=shapes.DifferenceOut,
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        """What changed between two versions."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        before, after = (get_version(self.by, prompt, _number(request, field)) for field in ("from", "to"))
        found = differences.compare(before, after)
        return Response({**asdict(found), "same": found.same})


def _number(request: Request, field: str) -> int:
    text = request.query_params.get(field, "")
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(field, "Give a version's number.")
    return int(text)


class Labels(ApiView):
    @extend_schema(operation_id="prompt_labels_list", responses=_page_of(shapes.LabelOut))
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
        responses={200: shapes.VersionOut, 304: None},
    )
    def get(self, request: Request, team: str, name: str, label: str) -> Response:
        """The version that a label points at. Answers with an ETag."""
        version = resolve_label(self.by, f"{team}/{name}", label)
        etag = f'"{version.number}-{version.digest.removeprefix("sha256:")}"'
        known = [given.strip().removeprefix("W/") for given in request.headers.get("If-None-Match", "").split(",")]
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etag in known or "*" in known:
            return Response(status=304, headers=headers)
        return Response(shapes.show_version(version), headers=headers)

    @extend_schema(operation_id="prompt_labels_move", request=shapes.MoveIn, responses=shapes.LabelOut)
    def put(self, request: Request, team: str, name: str, label: str) -> Response:
        """Move a label. A protected one needs an approved request. Needs alias.move."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.MoveIn)
        version = prompt.versions.filter(number=data["version"]).first()
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
    @extend_schema(operation_id="prompt_labels_history", parameters=_PAGE, responses=_page_of(shapes.MoveOut))
    def get(self, request: Request, team: str, name: str, label: str) -> Response:
        """Every move of a label, newest first."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        rows = prompt.label_moves.filter(name=label).select_related("before", "after", "moved_by")
        return page_response(request, rows, order=["-id"], show=shapes.show_move)
