"""REST: the audit ledger, read only."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import NotFound
from accounts.rest import ApiView, page_arguments
from governance.access import ledger_teams
from governance.asking import FIELDS, filter_of, found_page
from governance.attestations import public_key_pem
from governance.ledger.reads import Filter, search
from governance.serializers import AuditEventSerializer


class LedgerView(ApiView):
    @extend_schema(
        operation_id="ledger_list",
        tags=["Ledger"],
        parameters=[
            *[OpenApiParameter(name, str, description=text) for name, text in FIELDS.items()],
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=AuditEventSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Events, newest first. Needs ledger.view."""
        chosen = filter_of({key: value for key, value in request.query_params.items() if isinstance(value, str)})
        cursor, limit = page_arguments(request)
        found, following = found_page(chosen, teams=ledger_teams(self.by), cursor=cursor, limit=limit)
        return Response({"results": [AuditEventSerializer(event).data for event in found.events], "next": following})


class EventView(ApiView):
    @extend_schema(operation_id="ledger_get", tags=["Ledger"], responses=AuditEventSerializer)
    def get(self, request: Request, event_id: int) -> Response:
        """One event. Needs ledger.view."""
        event = search(Filter(), teams=ledger_teams(self.by)).filter(pk=event_id).first()
        if event is None:
            raise NotFound("There is no such event that you can see.")
        return Response(AuditEventSerializer(event).data)


class SigningKeyView(ApiView):
    @extend_schema(
        operation_id="signing_key",
        tags=["Ledger"],
        responses={200: {"type": "object", "properties": {"pem": {"type": "string"}}}},
    )
    def get(self, request: Request) -> Response:
        """The public key (PEM, Ed25519) that verifies the attestations of approvals."""
        return Response({"pem": public_key_pem()})
