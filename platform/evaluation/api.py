"""Native REST of evaluations."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from evaluation import actions, reads
from evaluation import serializers as shapes
from evaluation.models import Evaluation
from registry import gates
from registry.models import Asset
from registry.reads import get_asset, get_version

_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]


def _page_of(name: str, shape: Any) -> Any:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


class Evaluations(ApiView):
    """The evaluations that the caller sees, newest first."""

    @extend_schema(
        operation_id="evaluations_list",
        tags=["evaluations"],
        summary="List evaluations, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Only this team's."),
            OpenApiParameter("model", str, description="Only of this model, team/name."),
            OpenApiParameter("dataset", str, description="Only on this dataset, team/name."),
            OpenApiParameter("state", str, enum=Evaluation.State.values),
            *_PAGE,
        ],
        responses=_page_of("EvaluationPage", shapes.EvaluationOut),
    )
    def get(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("team", "model", "dataset", "state")}
        rows = reads.list_evaluations(self.by, **asked)
        return page_response(request, rows, order=["-id"], show=shapes.show_evaluation)

    @extend_schema(
        operation_id="evaluations_create",
        tags=["evaluations"],
        summary="Start an evaluation",
        description="Asks a registered version of a language model every row of a dataset and compares the answers. The model "
        "is served for it and goes when it is done. Follow `state`, `done` and `total`.",
        request=shapes.EvaluationIn,
        responses={201: shapes.EvaluationOut},
    )
    def post(self, request: Request) -> Response:
        given = self.read(shapes.EvaluationIn)
        model = get_asset(self.by, Asset.Kind.MODEL, given["model"])
        dataset = get_asset(self.by, Asset.Kind.DATASET, given["dataset"])
        evaluation = actions.create_evaluation(
            version=get_version(self.by, model, given["version"]),
            dataset_version=reads.get_or_latest(self.by, dataset, given["dataset_version"]),
            given=_parameters(request),
            by=self.by,
        )
        return Response(
            shapes.show_evaluation(evaluation), status=201, headers={"Location": f"/api/v1/evaluations/{evaluation.pk}"}
        )


def _parameters(request: Request) -> Any:
    """As they were sent: evaluation.parameters checks them, and names what it doesn't know."""
    given = request.data.get("parameters") if isinstance(request.data, dict) else None
    if given is not None and not isinstance(given, dict):
        raise Invalid("parameters", 'Use an object, such as {"max_tokens": 32}.')
    return given or {}


class EvaluationView(ApiView):
    @extend_schema(
        operation_id="evaluations_get",
        tags=["evaluations"],
        summary="Read an evaluation",
        responses=shapes.EvaluationOut,
    )
    def get(self, request: Request, evaluation_id: int) -> Response:
        return Response(shapes.show_evaluation(reads.get_evaluation(self.by, evaluation_id)))


class Examples(ApiView):
    @extend_schema(
        operation_id="evaluation_examples_list",
        tags=["evaluations"],
        summary="List an evaluation's examples",
        description="What was asked, expected and answered; also while it runs.",
        parameters=[
            OpenApiParameter("failed_first", bool, description="Wrong answers and errors before correct ones."),
            OpenApiParameter("show", str, enum=list(reads.FILTERS), description="Only these; `wrong` has errors too."),
            *_PAGE,
        ],
        responses=_page_of("ExamplePage", shapes.ExampleOut),
    )
    def get(self, request: Request, evaluation_id: int) -> Response:
        evaluation = reads.get_evaluation(self.by, evaluation_id)
        show = request.query_params.get("show", "all")
        if show not in reads.FILTERS:
            raise Invalid("show", f"Use one of {', '.join(reads.FILTERS)}.")
        failed_first = request.query_params.get("failed_first", "") in ("1", "true", "True")
        gates.check_read(self.by, evaluation.dataset)  # examples are its rows
        rows = reads.examples_of(evaluation, show=show)
        order = ["correct", "index"] if failed_first else ["index"]
        return page_response(request, rows, order=order, show=shapes.show_example)


class Cancel(ApiView):
    @extend_schema(
        operation_id="evaluations_cancel",
        tags=["evaluations"],
        summary="Cancel an evaluation",
        description="It ends at once; examples that were scored stay. 409 when it has ended already.",
        request=None,
        responses=shapes.EvaluationOut,
    )
    def post(self, request: Request, evaluation_id: int) -> Response:
        evaluation = reads.get_evaluation(self.by, evaluation_id)
        return Response(shapes.show_evaluation(actions.cancel_evaluation(evaluation=evaluation, by=self.by)))
