"""Native REST of single answers: read, rated, kept, made a test, gone on from."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView
from playground import actions, reads
from playground import serializers as shapes
from playground.api import TAGS
from playground.models import Cell
from prompt_tests.serializers import SuiteOut, show_suite
from registry.models import Asset
from registry.reads import get_asset


def _shown(cell: Cell) -> dict[str, Any]:
    return shapes.cell_detail_json(cell, reads.row_of(cell), reads.ratings_of(cell), reads.kept_of(cell))


class CellView(ApiView):
    @extend_schema(
        operation_id="playground_cells_get",
        tags=TAGS,
        summary="Read an answer",
        description="With what was sent, and with what people thought and made of it.",
        responses=shapes.CellDetailOut,
    )
    def get(self, request: Request, cell_id: int) -> Response:
        return Response(_shown(reads.get_cell(self.by, cell_id)))


class CellRatingView(ApiView):
    @extend_schema(
        operation_id="playground_cells_rate",
        tags=TAGS,
        summary="Rate an answer",
        description="In place of the caller's rating before, if there is one. Needs asset.edit.",
        request=shapes.RatingIn,
        responses=shapes.CellDetailOut,
    )
    def put(self, request: Request, cell_id: int) -> Response:
        given = self.read(shapes.RatingIn)
        cell = reads.get_cell(self.by, cell_id)
        actions.rate_cell(cell=cell, good=given["good"], comment=given["comment"], by=self.by)
        return Response(_shown(cell))

    @extend_schema(
        operation_id="playground_cells_unrate",
        tags=TAGS,
        summary="Take one's rating back",
        responses={204: None},
    )
    def delete(self, request: Request, cell_id: int) -> Response:
        actions.rate_cell(cell=reads.get_cell(self.by, cell_id), good=None, by=self.by)
        return Response(status=204)


class CellKeep(ApiView):
    @extend_schema(
        operation_id="playground_cells_keep",
        tags=TAGS,
        summary="Keep an answer as a dataset's example",
        description="A row of the dataset's next version, in `playground.jsonl`. Without `row`: the values, and the answer as what is "
        "expected. Needs asset.edit on the dataset.",
        request=shapes.KeepIn,
        responses={201: shapes.KeptOut},
    )
    def post(self, request: Request, cell_id: int) -> Response:
        given = self.read(shapes.KeepIn)
        cell = reads.get_cell(self.by, cell_id)
        dataset = get_asset(self.by, Asset.Kind.DATASET, given["dataset"])
        row = given.get("row") or reads.example_of(cell, reads.row_of(cell))
        return Response(
            shapes.kept_json(actions.keep_example(cell=cell, dataset=dataset, row=row, by=self.by)), status=201
        )


class CellTest(ApiView):
    @extend_schema(
        operation_id="playground_cells_test",
        tags=TAGS,
        summary="Make an answer a test of its prompt",
        description="A case with the cell's values, in a new revision of the prompt's tests. Without `expected`: what the model "
        "answered. 409 for a column that is of no prompt. Needs asset.edit.",
        request=shapes.TestIn,
        responses={201: SuiteOut},
    )
    def post(self, request: Request, cell_id: int) -> Response:
        given = self.read(shapes.TestIn)
        cell = reads.get_cell(self.by, cell_id)
        expected = given.get("expected", cell.output)
        revision = actions.make_test(cell=cell, expected=expected, kind=given["kind"], by=self.by)
        return Response(show_suite(revision), status=201)


class CellContinue(ApiView):
    @extend_schema(
        operation_id="playground_cells_continue",
        tags=TAGS,
        summary="Go on from an answer",
        description="The conversation's next turn, a new cell: what is said next, and what the tools answered that the model called. "
        "Needs model.invoke.",
        request=shapes.ContinueIn,
        responses={201: shapes.CellDetailOut},
    )
    def post(self, request: Request, cell_id: int) -> Response:
        given = self.read(shapes.ContinueIn)
        cell = reads.get_cell(self.by, cell_id)
        following = actions.continue_cell(cell=cell, said=given["said"], results=given["results"], by=self.by)
        return Response(
            _shown(reads.get_cell(self.by, following.pk)),
            status=201,
            headers={"Location": f"/api/v1/playground/cells/{following.pk}"},
        )


class CellRetry(ApiView):
    @extend_schema(
        operation_id="playground_cells_retry",
        tags=TAGS,
        summary="Ask a cell again",
        description="As the caller. The answer that was there is replaced. Needs model.invoke.",
        request=None,
        responses=shapes.CellDetailOut,
    )
    def post(self, request: Request, cell_id: int) -> Response:
        cell = actions.retry_cell(cell=reads.get_cell(self.by, cell_id), by=self.by)
        return Response(_shown(reads.get_cell(self.by, cell.pk)))
