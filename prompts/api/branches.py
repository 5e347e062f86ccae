"""Native REST: branches, and merging them."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from prompts import actions
from prompts import serializers_history as shapes
from prompts.actions.branches import head_of
from prompts.api.common import PAGE, page_of
from prompts.models import MAIN
from prompts.reads import get_prompt


class Branches(ApiView):
    @extend_schema(operation_id="prompt_branches_list", parameters=PAGE, responses=page_of(shapes.BranchOut))
    def get(self, request: Request, team: str, name: str) -> Response:
        """The branches beside main, open, merged and closed."""
        rows = get_prompt(self.by, f"{team}/{name}").branches.select_related("start", "head", "created_by")
        return page_response(request, rows, order=["name"], show=shapes.show_branch)

    @extend_schema(operation_id="prompt_branches_create", request=shapes.BranchIn, responses={201: shapes.BranchOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Begin a branch at a version. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        data = self.read(shapes.BranchIn)
        if "start" in data:
            start = prompt.versions.filter(number=min(data["start"], 2**31 - 1), deleted_at=None).first()
            if start is None:
                raise Invalid("start", f"{prompt} has no version {data['start']}.")
        else:
            start = head_of(prompt, MAIN)
        branch = actions.create_branch(prompt=prompt, name=data["name"], start=start, by=self.by)
        return Response(shapes.show_branch(branch), status=201)


class BranchView(ApiView):
    @extend_schema(operation_id="prompt_branches_get", responses=shapes.BranchOut)
    def get(self, request: Request, team: str, name: str, branch: str) -> Response:
        """One branch."""
        return Response(shapes.show_branch(actions.get_branch(get_prompt(self.by, f"{team}/{name}"), branch)))

    @extend_schema(operation_id="prompt_branches_close", responses={204: None})
    def delete(self, request: Request, team: str, name: str, branch: str) -> Response:
        """Close a branch: nothing more is written on it; its versions stay. Needs asset.edit."""
        prompt = get_prompt(self.by, f"{team}/{name}")
        actions.close_branch(prompt=prompt, name=branch, reason=request.query_params.get("reason", ""), by=self.by)
        return Response(status=204)


class MergePreview(ApiView):
    @extend_schema(operation_id="prompt_branches_preview", request=shapes.PreviewIn, responses=shapes.PlanOut)
    def post(self, request: Request, team: str, name: str, branch: str) -> Response:
        """What merging would make, each conflict and what is wrong with the result. Changes nothing."""
        data = self.read(shapes.PreviewIn)
        prompt = get_prompt(self.by, f"{team}/{name}")
        plan = actions.plan_merge(
            prompt=prompt, source=branch, target=data["target"], resolutions=data["resolutions"], by=self.by
        )
        return Response(shapes.show_plan(plan))


class Merge(ApiView):
    @extend_schema(operation_id="prompt_branches_merge", request=shapes.MergeIn, responses=shapes.MergedOut)
    def post(self, request: Request, team: str, name: str, branch: str) -> Response:
        """Merge a branch: the next version of the target, which follows both. 409 for conflicts that are not decided, and where a head
        has moved on. Needs asset.edit."""
        data = self.read(shapes.MergeIn)
        heads = data.get("expected")
        version = actions.merge_branch(
            prompt=get_prompt(self.by, f"{team}/{name}"),
            source=branch,
            target=data["target"],
            resolutions=data["resolutions"],
            expected=(heads["source"], heads["target"]) if heads else None,
            message=data["message"],
            by=self.by,
        )
        return Response({"version": version.number if version else None, "branch": data["target"]})
