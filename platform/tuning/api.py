"""Native REST of runs."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from tuning import actions, reads
from tuning import serializers as shapes
from tuning.models import TrainingRun

_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]


def _page_of(name: str, shape: Any) -> Any:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


class Runs(ApiView):
    """The training runs that the caller sees, newest first."""

    @extend_schema(
        operation_id="runs_list",
        tags=["runs"],
        summary="List runs, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("state", str, enum=TrainingRun.State.values),
            OpenApiParameter("search", str, description="Words in the name."),
            *_PAGE,
        ],
        responses=_page_of("RunPage", shapes.RunOut),
    )
    def get(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("team", "state", "search")}
        if asked["state"] and asked["state"] not in set(TrainingRun.State):
            raise Invalid("state", f"Use one of {', '.join(TrainingRun.State)}.")
        return page_response(request, reads.list_runs(self.by, **asked), order=["-id"], show=shapes.show_run)

    @extend_schema(
        operation_id="runs_create",
        tags=["runs"],
        summary="Announce a run",
        description="For work that is done elsewhere. Report its progress with PATCH and its numbers with `/metrics`.",
        request=shapes.RunIn,
        responses={201: shapes.RunOut},
    )
    def post(self, request: Request) -> Response:
        given = self.read(shapes.RunIn)
        run = actions.create_run(
            team=get_team(self.by, given["team"]),
            name=given["name"],
            kind=given["kind"],
            total_steps=given["total_steps"],
            parameters=given["parameters"],
            by=self.by,
        )
        return Response(shapes.show_run(run), status=201, headers={"Location": f"/api/v1/runs/{run.pk}"})


class RunView(ApiView):
    """One run."""

    @extend_schema(operation_id="runs_get", tags=["runs"], summary="Read a run", responses=shapes.RunOut)
    def get(self, request: Request, run_id: int) -> Response:
        return Response(shapes.show_run(reads.get_run(self.by, run_id)))

    @extend_schema(
        operation_id="runs_report",
        tags=["runs"],
        summary="Report a run's state, step or message",
        description="409 when the run has ended, by a cancellation on the platform for instance: stop working then. "
        "A running run that reports nothing for 10 minutes fails as lost.",
        request=shapes.RunPatch,
        responses=shapes.RunOut,
    )
    def patch(self, request: Request, run_id: int) -> Response:
        run = reads.get_run(self.by, run_id)
        given = self.read(shapes.RunPatch)
        updated = actions.update_run(run=run, by=self.by, **given)
        updated.created_by = run.created_by
        return Response(shapes.show_run(updated))


class RunMetrics(ApiView):
    """The numbers that a run reported."""

    @extend_schema(
        operation_id="run_metrics_list",
        tags=["runs"],
        summary="List a run's metrics by key and step",
        parameters=[OpenApiParameter("key", str, description="Only this metric."), *_PAGE],
        responses=_page_of("RunMetricPage", shapes.MetricOut),
    )
    def get(self, request: Request, run_id: int) -> Response:
        rows = reads.get_run(self.by, run_id).metrics.all()
        if key := request.query_params.get("key"):
            rows = rows.filter(key=key)
        return page_response(request, rows, order=["key", "step"], show=shapes.show_metric)

    @extend_schema(
        operation_id="run_metrics_log",
        tags=["runs"],
        summary="Report metrics",
        description='A list of points, or the same as {"metrics": [...]}.',
        request=shapes.MetricsIn,
        responses={201: shapes.MetricsKept},
    )
    def post(self, request: Request, run_id: int) -> Response:
        run = reads.get_run(self.by, run_id)
        body = {"metrics": request.data} if isinstance(request.data, list) else request.data
        checked = shapes.MetricsIn(data=body)
        checked.is_valid(raise_exception=True)
        kept = actions.log_metrics(run=run, metrics=checked.validated_data["metrics"], by=self.by)
        return Response({"kept": kept}, status=201)
