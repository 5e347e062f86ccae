"""Native REST of the playground's runs."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid, NotFound
from accounts.rest import ApiView, keyset_page, page_arguments, page_response
from playground import actions, reads
from playground import serializers as shapes
from playground.models import PlaygroundRun
from registry.models import Asset
from registry.reads import get_asset, get_version

TAGS = ["playground"]
_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]


def _page_of(name: str, shape: Any) -> Any:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


class Runs(ApiView):
    @extend_schema(
        operation_id="playground_runs_list",
        tags=TAGS,
        summary="List runs, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("state", str, enum=PlaygroundRun.State.values),
            *_PAGE,
        ],
        responses=_page_of("PlaygroundRunPage", shapes.PlaygroundRunLine),
    )
    def get(self, request: Request) -> Response:
        rows = reads.list_runs(self.by)
        if team := request.query_params.get("team", ""):
            rows = rows.filter(team__name=team.replace("\0", ""))
        if state := request.query_params.get("state", ""):
            rows = rows.filter(state=state.replace("\0", ""))
        return page_response(request, rows, order=["-id"], show=shapes.run_line)

    @extend_schema(
        operation_id="playground_runs_create",
        tags=TAGS,
        summary="Run prompts on models",
        description="Each column on each row, `repeats` times: at most 2,000 cells. Needs model.invoke; which models may be "
        "called, each cell asks. Follow `state`, `done` and `total`; read the cells.",
        request=shapes.PlaygroundRunIn,
        responses={201: shapes.PlaygroundRunOut},
    )
    def post(self, request: Request) -> Response:
        given = self.read(shapes.PlaygroundRunIn)
        team = get_team(self.by, given.pop("team"))
        run = actions.start_run(
            team=team,
            inputs=given.pop("rows", None),
            dataset_version=self._dataset(given.pop("dataset", ""), given.pop("dataset_version", None)),
            by=self.by,
            **given,
        )
        return Response(
            shapes.run_json(run, reads.stats_of(run)),
            status=201,
            headers={"Location": f"/api/v1/playground/runs/{run.pk}"},
        )

    def _dataset(self, name: str, number: int | None) -> Any:
        if not name:
            if number is not None:
                raise Invalid("dataset", "Name the dataset that this is a version of.")
            return None
        dataset = get_asset(self.by, Asset.Kind.DATASET, name)
        if number is not None:
            return get_version(self.by, dataset, number)
        found = dataset.versions.registered().filter(deleted_at=None).order_by("-number").first()
        if found is None:
            raise NotFound(f"{dataset} has no registered version yet.")
        found.asset = dataset
        return found


class RunView(ApiView):
    @extend_schema(
        operation_id="playground_runs_get",
        tags=TAGS,
        summary="Read a run, with what each column took",
        responses=shapes.PlaygroundRunOut,
    )
    def get(self, request: Request, play: int) -> Response:
        run = reads.get_run(self.by, play)
        return Response(shapes.run_json(run, reads.stats_of(run)))


class Cells(ApiView):
    @extend_schema(
        operation_id="playground_cells_list",
        tags=TAGS,
        summary="List a run's cells",
        description="Row by row; also while it runs.",
        parameters=[OpenApiParameter("state", str, description="Only these: done, failed, …"), *_PAGE],
        responses=_page_of("PlaygroundCellPage", shapes.CellOut),
    )
    def get(self, request: Request, play: int) -> Response:
        run = reads.get_run(self.by, play)
        reads.check_rows(self.by, run)
        rows = run.cells.defer("messages")
        if state := request.query_params.get("state", ""):
            rows = rows.filter(state=state.replace("\0", ""))
        cursor, limit = page_arguments(request)
        found, following = keyset_page(rows, order=["id"], cursor=cursor, limit=limit)
        inputs = {row.index: row for row in run.inputs.filter(index__in={cell.row for cell in found})}
        return Response(
            {"results": [shapes.cell_json(cell, inputs.get(cell.row)) for cell in found], "next": following}
        )


class RunRetry(ApiView):
    @extend_schema(
        operation_id="playground_runs_retry",
        tags=TAGS,
        summary="Ask again what got no answer",
        description="All cells of an ended run that failed or were cancelled, as the caller. 409 while it runs, and when every cell "
        "has its answer. Needs model.invoke.",
        request=None,
        responses=shapes.PlaygroundRunOut,
    )
    def post(self, request: Request, play: int) -> Response:
        run = actions.retry_failed(run=reads.get_run(self.by, play), by=self.by)
        found = reads.get_run(self.by, run.pk)
        return Response(shapes.run_json(found, reads.stats_of(found)))


class Cancel(ApiView):
    @extend_schema(
        operation_id="playground_runs_cancel",
        tags=TAGS,
        summary="Cancel a run",
        description="It ends at once; answers that are there stay. 409 when it has ended already.",
        request=None,
        responses=shapes.PlaygroundRunOut,
    )
    def post(self, request: Request, play: int) -> Response:
        run = actions.cancel_run(run=reads.get_run(self.by, play), by=self.by)
        found = reads.get_run(self.by, run.pk)
        return Response(shapes.run_json(found, reads.stats_of(found)))
