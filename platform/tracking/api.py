"""Native REST of experiments and runs."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team, require
from accounts.errors import Invalid
from accounts.models import Team
from accounts.numbers import whole
from accounts.rest import ApiView, page_arguments, page_response
from accounts.roles import Permission
from registry.api.base import AnyContent
from registry.api.files import body_of
from registry.downloads import file_response
from tracking import actions, reads, search
from tracking import serializers as shapes
from tracking.models import Experiment, Run

_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]


def _page_of(name: str, shape: Any) -> Any:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


class Experiments(ApiView):
    """The folders of runs that the caller sees."""

    @extend_schema(
        operation_id="experiments_list",
        tags=["runs"],
        summary="List experiments, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("search", str, description="Words in the name."),
            OpenApiParameter("deleted", bool, description="`true`: those that are deleted and can be restored."),
            *_PAGE,
        ],
        responses=_page_of("ExperimentPage", shapes.ExperimentOut),
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        rows = reads.list_experiments(
            self.by,
            team=asked.get("team", ""),
            search=asked.get("search", ""),
            deleted=asked.get("deleted", "") == "true",
        )
        return page_response(request, rows, order=["-id"], show=shapes.show_experiment)

    @extend_schema(
        operation_id="experiments_create",
        tags=["runs"],
        summary="Make an experiment",
        request=shapes.ExperimentIn,
        responses={201: shapes.ExperimentOut},
    )
    def post(self, request: Request) -> Response:
        given = self.read(shapes.ExperimentIn)
        experiment = actions.create_experiment(
            team=get_team(self.by, given["team"]), name=given["name"], tags=given["tags"], by=self.by
        )
        headers = {"Location": f"/api/v1/experiments/{experiment.pk}"}
        return Response(shapes.show_experiment(experiment), status=201, headers=headers)


class ExperimentView(ApiView):
    """One experiment."""

    @extend_schema(
        operation_id="experiments_get", tags=["runs"], summary="Read an experiment", responses=shapes.ExperimentOut
    )
    def get(self, request: Request, experiment_id: int) -> Response:
        return Response(shapes.show_experiment(reads.get_experiment(self.by, experiment_id)))

    @extend_schema(
        operation_id="experiments_change",
        tags=["runs"],
        summary="Rename or describe an experiment",
        request=shapes.ExperimentPatch,
        responses=shapes.ExperimentOut,
    )
    def patch(self, request: Request, experiment_id: int) -> Response:
        experiment = reads.get_experiment(self.by, experiment_id)
        given = self.read(shapes.ExperimentPatch)
        if "name" in given:
            experiment = actions.rename_experiment(experiment=experiment, name=given["name"], by=self.by)
        if "description" in given:
            experiment = actions.set_experiment_tag(
                experiment=experiment, key=Experiment.NOTE, value=given["description"], by=self.by
            )
        return Response(shapes.show_experiment(experiment))

    @extend_schema(
        operation_id="experiments_delete",
        tags=["runs"],
        summary="Delete an experiment and its runs",
        description="It can be restored; its runs go for good after thirty days.",
        responses={204: None},
    )
    def delete(self, request: Request, experiment_id: int) -> Response:
        actions.delete_experiment(experiment=reads.get_experiment(self.by, experiment_id), by=self.by)
        return Response(status=204)


class ExperimentRestore(ApiView):
    @extend_schema(
        operation_id="experiments_restore",
        tags=["runs"],
        summary="Restore a deleted experiment and its runs",
        request=None,
        responses=shapes.ExperimentOut,
    )
    def post(self, request: Request, experiment_id: int) -> Response:
        experiment = reads.get_experiment(self.by, experiment_id)
        return Response(shapes.show_experiment(actions.restore_experiment(experiment=experiment, by=self.by)))


class Runs(ApiView):
    """The runs that the caller sees, newest first."""

    @extend_schema(
        operation_id="runs_list",
        tags=["runs"],
        summary="List runs, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("experiment", int, description="Only this experiment's."),
            OpenApiParameter("state", str, enum=Run.State.values),
            OpenApiParameter("search", str, description="Words in the name."),
            OpenApiParameter(
                "filter", str, description="As MLflow writes it: `metrics.accuracy > 0.9 AND tags.a = 'b'`."
            ),
            OpenApiParameter("order_by", str, description="Such as `metrics.accuracy DESC`; newest first without it."),
            *_PAGE,
        ],
        responses=_page_of("RunPage", shapes.RunOut),
    )
    def get(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("team", "state", "search")}
        if asked["state"] and asked["state"] not in set(Run.State):
            raise Invalid("state", f"Use one of {', '.join(Run.State)}.")
        experiment = request.query_params.get("experiment", "")
        number = whole(experiment)
        if experiment and number is None:
            raise Invalid("experiment", "Use the number of an experiment.")
        rows = reads.list_runs(self.by, **asked, experiment=number)
        text, order = request.query_params.get("filter", ""), request.query_params.getlist("order_by")
        if not text and not order:
            return page_response(request, rows, order=["-id"], show=shapes.show_run)
        cursor, limit = page_arguments(request)
        found, following = search.search_runs(rows, text=text, order=order, token=cursor, limit=limit)
        return Response({"results": [shapes.show_run(run) for run in found], "next": following or None})

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
        team = get_team(self.by, given["team"])
        run = actions.create_run(
            team=team,
            name=given["name"],
            kind=given["kind"],
            total_steps=given["total_steps"],
            parameters=given["parameters"],
            experiment=_named(team, given["experiment"]) if given.get("experiment") else None,
            by=self.by,
        )
        return Response(shapes.show_run(run), status=201, headers={"Location": f"/api/v1/runs/{run.pk}"})


def _named(team: Team, name: str) -> Experiment:
    found = Experiment.objects.filter(team=team, name=name, deleted_at=None).first()
    if found is None:
        raise Invalid("experiment", f"Team {team.name} has no experiment '{name}'. Make it first.")
    return found


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

    @extend_schema(
        operation_id="runs_delete",
        tags=["runs"],
        summary="Delete a run",
        description="It can be restored for thirty days, then it goes with its files.",
        responses={204: None},
    )
    def delete(self, request: Request, run_id: int) -> Response:
        actions.delete_run(run=reads.get_run(self.by, run_id), by=self.by)
        return Response(status=204)


class RunRestore(ApiView):
    @extend_schema(
        operation_id="runs_restore",
        tags=["runs"],
        summary="Restore a deleted run",
        request=None,
        responses=shapes.RunOut,
    )
    def post(self, request: Request, run_id: int) -> Response:
        run = reads.get_run(self.by, run_id)
        restored = actions.restore_run(run=run, by=self.by)
        restored.created_by = run.created_by
        return Response(shapes.show_run(restored))


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
        rows = reads.metric_rows(reads.get_run(self.by, run_id), request.query_params.get("key", ""))
        return page_response(request, rows, order=["key", "step", "id"], show=shapes.show_metric)

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


class RunArtifacts(ApiView):
    """The files that a run left."""

    @extend_schema(
        operation_id="run_artifacts_list",
        tags=["runs"],
        summary="List a run's files by path",
        parameters=[OpenApiParameter("path", str, description="Only this file, or below this folder."), *_PAGE],
        responses=_page_of("RunArtifactPage", shapes.ArtifactOut),
    )
    def get(self, request: Request, run_id: int) -> Response:
        run = reads.get_run(self.by, run_id)
        rows = reads.artifact_rows("run", run.pk, request.query_params.get("path", "").strip("/"))
        return page_response(request, rows, order=["path"], show=shapes.show_artifact)


class RunArtifact(ApiView):
    content_negotiation_class = AnyContent

    @extend_schema(
        operation_id="run_artifact_get",
        tags=["runs"],
        summary="Download a run's file",
        description="Takes Range and If-None-Match.",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, run_id: int, path: str) -> HttpResponseBase:
        run = reads.get_run(self.by, run_id)
        artifact = reads.get_artifact(run, path)
        reads.check_left(self.by, run, [artifact.blob_id])
        return file_response(request._request, sha256=artifact.blob_id, size=artifact.blob.size, path=path)

    @extend_schema(
        operation_id="run_artifact_put",
        tags=["runs"],
        summary="Upload a run's file",
        description="The body is the file; one of the same path is replaced. It streams to the store while it is hashed.",
        parameters=[
            OpenApiParameter(
                "X-Content-SHA256",
                str,
                OpenApiParameter.HEADER,
                description="SHA-256 of the file in hex; it is checked. Without Content-Length it is needed.",
            )
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=shapes.ArtifactOut,
    )
    def put(self, request: Request, run_id: int, path: str) -> Response:
        run = reads.get_run(self.by, run_id)
        require(self.by, Permission.RUN_CREATE, run.team)  # before a byte of the body is looked at
        sha256 = request.headers.get("X-Content-SHA256")
        stream, size = body_of(request._request, has_checksum=bool(sha256))
        artifact = actions.put_artifact(owner=run, path=path, stream=stream, size=size, sha256=sha256, by=self.by)
        return Response(shapes.show_artifact(artifact))

    @extend_schema(
        operation_id="run_artifact_delete",
        tags=["runs"],
        summary="Delete a run's file, or every file below a folder",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, run_id: int, path: str) -> Response:
        actions.delete_artifacts(owner=reads.get_run(self.by, run_id), path=path, by=self.by)
        return Response(status=204)
