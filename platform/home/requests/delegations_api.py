"""REST: who reviews for whom."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.members import get_member
from accounts.rest import ApiView, page_response
from governance import actions
from home import approvals
from home.requests.serializers import DelegationCreateSerializer, DelegationSerializer


class DelegationListView(ApiView):
    @extend_schema(
        operation_id="delegations_list",
        tags=["Requests"],
        parameters=[
            OpenApiParameter("in_force", bool, description="Only those that hold now."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=DelegationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The delegations that you gave or received, and those of the teams that you manage, newest first."""
        rows = approvals.visible_delegations(self.by)
        if request.query_params.get("in_force", "").lower() in ("1", "true"):
            rows = rows.in_force()
        return page_response(request, rows, order=["-id"], show=lambda row: DelegationSerializer(row).data)

    @extend_schema(
        operation_id="delegations_create",
        tags=["Requests"],
        request=DelegationCreateSerializer,
        responses={201: DelegationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Let somebody else of the team review for you while you are away. Needs delegation.create and a session, no key."""
        given = self.read(DelegationCreateSerializer)
        team = get_team(self.by, given.pop("team"))
        to = get_member(team, given.pop("to"))
        return Response(DelegationSerializer(actions.delegate(to=to, team=team, by=self.by, **given)).data, status=201)


class DelegationEndView(ApiView):
    @extend_schema(operation_id="delegations_end", tags=["Requests"], request=None, responses=DelegationSerializer)
    def post(self, request: Request, delegation_id: int) -> Response:
        """End a delegation before its time. Twice is once."""
        found = approvals.get_delegation(self.by, delegation_id)
        return Response(DelegationSerializer(actions.end_delegation(delegation=found, by=self.by)).data)
