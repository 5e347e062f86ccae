"""Asking for the files of a gated model or dataset, over REST."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import can
from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from accounts.roles import Permission
from registry import actions, gates
from registry.api.base import PAGE, PROBLEMS, RegistryView
from registry.models import AccessRequest
from registry.representations import moment
from registry.serializers import AccessAsk, AccessDecision, AccessRequestOut, page_of


def access_json(row: AccessRequest) -> dict[str, object]:
    return {
        "id": row.pk,
        "kind": row.asset.kind,
        "asset": str(row.asset),
        "person": row.person.email,
        "reason": row.reason,
        "state": row.state,
        "holds": row.holds,
        "until": moment(row.until),
        "answer": row.answer,
        "asked_at": moment(row.asked_at),
        "decided_at": moment(row.decided_at),
        "decided_by": row.decided_by.email if row.decided_by else None,
    }


_ROWS = AccessRequest.objects.select_related("asset__team", "person", "decided_by")


class AssetAccess(RegistryView):
    operations = {"get": "access_list", "post": "access_ask"}

    @extend_schema(
        summary="Who asked for its files",
        description="All requests for those who manage the team, else one's own.",
        parameters=PAGE,
        responses={200: page_of(AccessRequestOut), 404: PROBLEMS[404]},
    )
    def get(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset, _ = gates.get_shown(self.by, kind, f"{team}/{name}")
        rows = _ROWS.filter(asset=asset)
        if not can(self.by, Permission.TEAM_MANAGE, asset):
            rows = rows.filter(person_id=self.by.id or 0)
        return page_response(request, rows, order=["-id"], show=access_json)

    @extend_schema(
        summary="Ask for the files of a gated one", request=AccessAsk, responses={201: AccessRequestOut, **PROBLEMS}
    )
    def post(self, request: Request, kind: str, team: str, name: str) -> Response:
        asset, _ = gates.get_shown(self.by, kind, f"{team}/{name}")
        row = actions.ask_for_access(asset=asset, reason=self.read(AccessAsk)["reason"], by=self.by)
        return Response(access_json(row), status=201, headers={"Location": f"/api/v1/access-requests/{row.pk}"})


class AccessRequests(ApiView):
    @extend_schema(
        operation_id="access_requests_list",
        tags=["access"],
        summary="Requests for gated files: one's own, and those that one may decide",
        parameters=[OpenApiParameter("state", str, enum=AccessRequest.State.values), *PAGE],
        responses={200: page_of(AccessRequestOut)},
    )
    def get(self, request: Request) -> Response:
        rows = AccessRequest.objects.known_to(self.by).select_related("asset__team", "person", "decided_by")
        if state := request.query_params.get("state", ""):
            if state not in AccessRequest.State.values:
                raise Invalid("state", f"Use one of {', '.join(AccessRequest.State.values)}.")
            rows = rows.filter(state=state)
        return page_response(request, rows, order=["-id"], show=access_json)


class AccessRequestDetail(ApiView):
    @extend_schema(
        operation_id="access_requests_get", tags=["access"], responses={200: AccessRequestOut, 404: PROBLEMS[404]}
    )
    def get(self, request: Request, request_id: int) -> Response:
        """One request for gated files."""
        return Response(access_json(gates.get_request(self.by, request_id)))

    @extend_schema(
        operation_id="access_requests_withdraw", tags=["access"], request=None, responses={200: AccessRequestOut}
    )
    def delete(self, request: Request, request_id: int) -> Response:
        """Withdraw what one asked."""
        row = actions.withdraw_access_request(request=gates.get_request(self.by, request_id), by=self.by)
        return Response(access_json(row))


class AccessRequestDecision(ApiView):
    @extend_schema(
        operation_id="access_requests_decide",
        tags=["access"],
        request=AccessDecision,
        responses={200: AccessRequestOut, **PROBLEMS},
    )
    def post(self, request: Request, request_id: int) -> Response:
        """Give access, with an end, or refuse it. Needs team.manage on the asset."""
        row, given = gates.get_request(self.by, request_id), self.read(AccessDecision)
        if given["verdict"] == "refuse":
            row = actions.refuse_access(request=row, answer=given["answer"], by=self.by)
        else:
            until = timezone.now() + timedelta(days=given["days"]) if given["days"] else given["until"]
            row = actions.grant_access(request=row, until=until, answer=given["answer"], by=self.by)
        return Response(access_json(row))
