"""REST: deployments, and what the cluster has."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid, Unavailable
from accounts.rest import ApiView, page_response
from registry import reads as registry
from registry.api.base import PAGE, PROBLEMS, AnyContent
from serving import actions, cluster, logs, reads
from serving.models import Deployment
from serving.serializers import (
    ClusterOut,
    DeploymentChange,
    DeploymentIn,
    DeploymentOut,
    PricesIn,
    RevisionOut,
    cluster_json,
    deployment_json,
    revision_json,
)

TAGS = ["Deployments"]
REFUSED = OpenApiResponse(
    PROBLEMS[403].response,
    "A permission is missing, or the version is not approved for the stage: `link` leads to the request for it.",
)
FILTERS = [
    OpenApiParameter("q", str, description="Words in the name of the deployment or its model."),
    OpenApiParameter("state", str, enum=Deployment.State.values),
    OpenApiParameter("stage", str),
    OpenApiParameter("team", str),
    *PAGE,
]


class DeploymentListView(ApiView):
    @extend_schema(operation_id="deployments_list", tags=TAGS, parameters=FILTERS, responses=DeploymentOut(many=True))
    def get(self, request: Request) -> Response:
        """The deployments that you can see, newest first."""
        query = request.query_params
        rows = reads.search_deployments(
            reads.visible_deployments(self.by),
            search=query.get("q", ""),
            state=query.get("state", ""),
            stage=query.get("stage", ""),
            team=query.get("team", ""),
        )
        return page_response(request, rows, order=["-id"], show=deployment_json)

    @extend_schema(
        operation_id="deployments_create",
        tags=TAGS,
        request=DeploymentIn,
        responses={201: DeploymentOut, **PROBLEMS, 403: REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Deploy a version. It is queued; follow `state`. Needs deployment.manage."""
        data = self.read(DeploymentIn)
        team = get_team(self.by, data.pop("team"))
        asset = registry.get_asset(self.by, "model", data.pop("model"))
        version = reads.resolve_version(self.by, asset, version=data.pop("version", None), alias=data.pop("alias", ""))
        made = actions.create_deployment(team=team, version=version, by=self.by, **data)
        return Response(deployment_json(reads.get_deployment(self.by, team.name, made.name)), status=201)


class DeploymentView(ApiView):
    def found(self, team: str, name: str) -> Deployment:
        return reads.get_deployment(self.by, team, name)

    def shown(self, deployment: Deployment, status: int = 200) -> Response:
        again = reads.get_deployment(self.by, deployment.team.name, deployment.name)
        return Response(deployment_json(again), status=status)


class DeploymentDetailView(DeploymentView):
    @extend_schema(operation_id="deployments_get", tags=TAGS, responses={200: DeploymentOut, 404: PROBLEMS[404]})
    def get(self, request: Request, team: str, name: str) -> Response:
        """A deployment with its replicas."""
        return Response(deployment_json(self.found(team, name)))

    @extend_schema(
        operation_id="deployments_update",
        tags=TAGS,
        request=DeploymentChange,
        responses={200: DeploymentOut, **PROBLEMS, 403: REFUSED},
    )
    def patch(self, request: Request, team: str, name: str) -> Response:
        """Scale it, or make a new revision: the old one answers until the new one does. Needs deployment.manage."""
        data = self.read(DeploymentChange)
        deployment = self.found(team, name)
        number, alias = data.pop("version", None), data.pop("alias", "")
        if (number is not None or alias) and deployment.revision:
            asset = registry.get_asset(self.by, "model", str(deployment.revision.version.asset))
            data["version"] = reads.resolve_version(self.by, asset, version=number, alias=alias)
        return self.shown(actions.update_deployment(deployment=deployment, by=self.by, **data))

    @extend_schema(operation_id="deployments_delete", tags=TAGS, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, team: str, name: str) -> Response:
        """End it and free its name. The ledger keeps what it was. Needs deployment.manage."""
        actions.delete_deployment(deployment=self.found(team, name), by=self.by)
        return Response(status=204)


class DeploymentPricesView(DeploymentView):
    @extend_schema(
        operation_id="deployments_set_prices",
        tags=TAGS,
        request=PricesIn,
        responses={200: DeploymentOut, **PROBLEMS},
    )
    def put(self, request: Request, team: str, name: str) -> Response:
        """Say what its tokens cost, in the site's currency. Needs deployment.manage."""
        data = self.read(PricesIn)
        deployment = self.found(team, name)
        made = actions.set_prices(
            deployment=deployment,
            input_price=data["input_per_million"],
            output_price=data["output_per_million"],
            by=self.by,
        )
        return self.shown(made)


class DeploymentStopView(DeploymentView):
    @extend_schema(operation_id="deployments_stop", tags=TAGS, request=None, responses={202: DeploymentOut, **PROBLEMS})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Stop it: nothing answers from now on, and its processes end. Needs deployment.manage."""
        return self.shown(actions.stop_deployment(deployment=self.found(team, name), by=self.by), 202)


class DeploymentStartView(DeploymentView):
    @extend_schema(
        operation_id="deployments_start",
        tags=TAGS,
        request=None,
        responses={202: DeploymentOut, **PROBLEMS, 403: REFUSED},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        """Start it again, or try a failed one without waiting. Needs deployment.manage."""
        return self.shown(actions.start_deployment(deployment=self.found(team, name), by=self.by), 202)


class DeploymentLogsView(DeploymentView):
    content_negotiation_class = AnyContent

    @extend_schema(
        operation_id="deployments_logs",
        tags=TAGS,
        parameters=[
            OpenApiParameter("replica", str, description="One replica's id; all of them without it."),
            OpenApiParameter(
                "lines", int, description=f"How many of the last lines, 1 to {logs.MAX_LINES}; 200 without it."
            ),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR, 404: PROBLEMS[404]},
    )
    def get(self, request: Request, team: str, name: str) -> HttpResponse:
        """The end of each replica's log, as text."""
        found = logs.read(
            self.found(team, name), replica=request.query_params.get("replica", ""), lines=_lines(request.query_params)
        )
        text = "\n".join(f"==> replica {log.replica['id']} <==\n{log.text}\n" for log in found)
        return HttpResponse(text, content_type="text/plain; charset=utf-8")


class RevisionListView(DeploymentView):
    @extend_schema(operation_id="deployments_revisions", tags=TAGS, parameters=PAGE, responses=RevisionOut(many=True))
    def get(self, request: Request, team: str, name: str) -> Response:
        """What it ran and runs, newest first."""
        rows = self.found(team, name).revisions.select_related("version", "created_by")
        return page_response(request, rows, order=["-number"], show=revision_json)


class ClusterView(ApiView):
    @extend_schema(operation_id="cluster_get", tags=TAGS, responses={200: ClusterOut, 503: PROBLEMS[404]})
    def get(self, request: Request) -> Response:
        """What the Ray cluster has."""
        try:
            return Response(cluster_json(cluster.resources()))
        except cluster.RayError as error:
            raise Unavailable(f"{error} Try again in a moment.") from error


def _lines(query: Any) -> int:
    text = query.get("lines", "200")
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= logs.MAX_LINES:
        raise Invalid("lines", f"Use a whole number between 1 and {logs.MAX_LINES}.")
    return int(text)
