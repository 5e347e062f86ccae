"""Native REST: prompts."""

from django.db import transaction
from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import ApiView, page_arguments, page_response
from prompts import actions, search
from prompts import serializers as shapes
from prompts.api.common import PAGE, page_of
from prompts.folders import Folder, folders_in
from prompts.models import Prompt
from prompts.reads import deleted_prompts, get_gone, get_prompt, list_prompts
from prompts.serializers_history import FolderOut, RestorePrompt

_FILTERS = [
    OpenApiParameter("team", str, description="This team's only."),
    OpenApiParameter("folder", str, description="Those in this folder ('': at the top)."),
    OpenApiParameter("below", bool, description="With `folder`: also those in the folders in it."),
    OpenApiParameter("q", str, description="Words of name, tags, description and newest text, in any order."),
    OpenApiParameter("tag", str, many=True, description="Having this tag: a key, or key:value. Several: all of them."),
    OpenApiParameter("label", str, description="Having this label."),
    OpenApiParameter("archived", bool, description="The archived ones instead."),
    OpenApiParameter("deleted", bool, description="The deleted ones instead, last deleted first."),
    OpenApiParameter("sort", str, enum=["best", *search.SORTS], description="best needs `q`; else updated."),
]
_TRUE = ("1", "true", "yes")


class Prompts(ApiView):
    """The prompts that the caller sees."""

    @extend_schema(operation_id="prompts_list", parameters=[*_FILTERS, *PAGE], responses=page_of(shapes.PromptOut))
    def get(self, request: Request) -> Response:
        """The prompts that you see, newest change first."""
        given = request.query_params
        flags = {name: given.get(name, "").lower() in _TRUE for name in ("archived", "deleted", "below")}
        rows = deleted_prompts(self.by) if flags["deleted"] else list_prompts(self.by)
        if team := given.get("team"):
            rows = rows.filter(team=get_team(self.by, team))
        if flags["deleted"]:
            return page_response(request, rows, order=["-deleted_at", "-id"], show=shapes.show_prompt)
        sort = given.get("sort", "")
        if sort and sort not in (search.BEST, *search.SORTS):
            raise Invalid("sort", f"Use {', '.join((search.BEST, *search.SORTS))}.")
        if any("\0" in value for name in ("folder", "q", "tag", "label") for value in given.getlist(name)):
            raise Invalid("q", "A filter has a NUL character in it.")
        rows = search.narrow(
            rows, folder=given.get("folder"), below=flags["below"], label=given.get("label", ""),
            tags=given.getlist("tag"), archived=flags["archived"],
        )  # fmt: skip
        cursor, limit = page_arguments(request)
        found = search.find(rows, given.get("q", ""), sort=sort, cursor=cursor, limit=limit)
        shown = [shapes.show_prompt(prompt) for prompt in found.rows]
        return Response({"results": shown, "next": found.next})

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
        """Change the description, rename (and so move to a folder), archive or bring back. All of it or nothing. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.PromptPatch)
        with transaction.atomic():
            if data.get("archived") is False:
                prompt = actions.restore_prompt(prompt=prompt, by=self.by)
            if "description" in data:
                prompt = actions.update_prompt(prompt=prompt, description=data["description"], by=self.by)
            if "name" in data:
                prompt = actions.rename_prompt(prompt=prompt, name=data["name"], by=self.by)
            if data.get("archived"):
                prompt = actions.archive_prompt(prompt=prompt, by=self.by)
            if not data:
                raise Invalid("body", "Say what to change: description, name or archived.")
        return Response(shapes.show_prompt(_with_labels(prompt)))

    @extend_schema(
        operation_id="prompts_delete",
        parameters=[OpenApiParameter("reason", str, description="Why, for the ledger.")],
        responses={204: None},
    )
    def delete(self, request: Request, team: str, name: str) -> Response:
        """Delete a prompt; 409 names what needs it still. Needs asset.edit."""
        reason = request.query_params.get("reason", "")
        actions.delete_prompt(prompt=get_prompt(self.by, f"{team}/{name}"), reason=reason, by=self.by)
        return Response(status=204)


class PromptRestore(ApiView):
    @extend_schema(operation_id="prompts_restore", request=RestorePrompt, responses=shapes.PromptOut)
    def post(self, request: Request, team: str, name: str) -> Response:
        """Bring a prompt back: out of the archive, or the one that was deleted last under this name. Needs asset.edit."""
        prompt = get_gone(self.by, f"{team}/{name}")
        wanted = self.read(RestorePrompt)
        restored = actions.restore_prompt(prompt=prompt, name=wanted["name"], reason=wanted["reason"], by=self.by)
        return Response(shapes.show_prompt(_with_labels(restored)))


class Folders(ApiView):
    @extend_schema(
        operation_id="prompt_folders",
        parameters=[
            OpenApiParameter("team", str, required=True),
            OpenApiParameter("folder", str, description="The folder to look into; without it the top."),
        ],
        responses=FolderOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """The folders in a folder, by name, with how many prompts are in each and below (1,000 at most are counted)."""
        team = get_team(self.by, request.query_params.get("team", ""))
        folder = request.query_params.get("folder", "").strip("/")
        if "\0" in folder:
            raise Invalid("folder", "A folder's name has no NUL character.")
        rows = list_prompts(self.by).filter(team=team)
        return Response([_show_folder(one) for one in folders_in(self.by, team, rows, folder)])


def _show_folder(folder: Folder) -> dict[str, object]:
    return {"name": folder.name, "path": folder.path, "prompts": folder.count, "more": folder.more}


def _with_labels(prompt: Prompt) -> Prompt:
    prefetch_related_objects([prompt], "labels__version", "tags")
    return prompt
