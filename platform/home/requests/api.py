"""REST: approval requests and reviews."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from governance import actions, policies
from governance.models import ApprovalRequest, Attestation
from home import approvals
from home.requests.serializers import (
    LineSerializer,
    RequestCreateSerializer,
    RequestDetailSerializer,
    RequestSerializer,
    ReviewCreateSerializer,
    ReviewSerializer,
)


def detail(request: ApprovalRequest) -> dict[str, Any]:
    """A request with its policy held against the evidence, its reviews and its attestation."""
    judged = policies.evaluate(request)
    envelope = Attestation.objects.filter(request=request).values_list("envelope", flat=True).first()
    return {
        **RequestSerializer(request).data,
        "policy": [LineSerializer(line).data for line in judged.lines],
        "seal": actions.seal(request, judged),
        "reviews": ReviewSerializer(request.reviews.select_related("reviewer"), many=True).data,
        "attestation": envelope,
    }


class RequestListView(ApiView):
    @extend_schema(
        operation_id="requests_list",
        tags=["Requests"],
        parameters=[
            OpenApiParameter("state", str, enum=list(ApprovalRequest.State)),
            OpenApiParameter("inbox", bool, description="Only those that wait for you."),
            OpenApiParameter("asset", str, description="team/name"),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=RequestSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Requests, newest first."""
        mine = request.query_params.get("inbox", "").lower() in ("1", "true")
        rows = approvals.inbox(self.by) if mine else approvals.visible_requests(self.by)
        if state := request.query_params.get("state"):
            if state not in set(ApprovalRequest.State):
                raise Invalid("state", f"Use one of {', '.join(ApprovalRequest.State)}.")
            rows = rows.filter(state=state)
        if asset := request.query_params.get("asset"):
            rows = rows.filter(asset_label=asset)
        return page_response(request, rows, order=["-id"], show=lambda row: RequestSerializer(row).data)

    @extend_schema(
        operation_id="requests_create",
        tags=["Requests"],
        request=RequestCreateSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a protected alias or label to move to a version. Needs request.create."""
        made = approvals.open_request(by=self.by, **self.read(RequestCreateSerializer))
        return Response(detail(made), status=201)


class RequestView(ApiView):
    @extend_schema(operation_id="requests_get", tags=["Requests"], responses=RequestDetailSerializer)
    def get(self, request: Request, request_id: int) -> Response:
        """One request: the policy line by line, the reviews, and once applied its attestation."""
        return Response(detail(approvals.get_request(self.by, request_id)))


class ReviewListView(ApiView):
    @extend_schema(
        operation_id="reviews_create",
        tags=["Requests"],
        request=ReviewCreateSerializer,
        responses={201: RequestDetailSerializer},
    )
    def post(self, request: Request, request_id: int) -> Response:
        """Approve, reject or comment. The last approval that the policy asks for moves the alias in the same transaction."""
        found = approvals.get_request(self.by, request_id)
        done = approvals.decide(request=found, by=self.by, **self.read(ReviewCreateSerializer))
        return Response(detail(done), status=201)


class WithdrawView(ApiView):
    @extend_schema(operation_id="requests_withdraw", tags=["Requests"], request=None, responses=RequestDetailSerializer)
    def post(self, request: Request, request_id: int) -> Response:
        """Take back a request that you made."""
        return Response(detail(actions.withdraw(request=approvals.get_request(self.by, request_id), by=self.by)))
