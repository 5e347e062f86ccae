"""REST: the audit ledger, read only."""

from datetime import datetime

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, make_aware
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid, NotFound
from accounts.rest import ApiView, page_response
from governance.access import ledger_teams
from governance.attestations import public_key_pem
from governance.ledger.reads import Filter, search
from governance.serializers import AuditEventSerializer


def read_time(field: str, text: str) -> datetime | None:
    """A time or day of a filter, UTC unless it says otherwise; Invalid names the field."""
    if not text:
        return None
    try:
        moment = parse_datetime(text) if "T" in text or " " in text else None
        if moment is None and (day := parse_date(text)):
            moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001  made aware below
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(field, "Use a time such as 2026-05-03 or 2026-05-03T14:00:00Z.")
    return make_aware(moment, get_current_timezone()) if is_naive(moment) else moment


def filter_of(values: dict[str, str]) -> Filter:
    return Filter(
        actor=values.get("actor", "").strip(),
        asset=values.get("asset", "").strip(),
        action=values.get("action", "").strip(),
        after=read_time("after", values.get("after", "").strip()),
        before=read_time("before", values.get("before", "").strip()),
    )


class LedgerView(ApiView):
    @extend_schema(
        operation_id="ledger_list",
        tags=["Ledger"],
        parameters=[
            OpenApiParameter("actor", str, description="E-mail, or a part of the name, of who acted."),
            OpenApiParameter("asset", str, description="A part of the label of what was acted on."),
            OpenApiParameter(
                "action", str, description="An action, or the beginning of one: 'request' or 'request.opened'."
            ),
            OpenApiParameter("after", str, description="At or after this time."),
            OpenApiParameter("before", str, description="Before this time."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=AuditEventSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Events, newest first. Needs ledger.view."""
        teams = ledger_teams(self.by)
        events = search(
            filter_of({key: value for key, value in request.query_params.items() if isinstance(value, str)}),
            teams=teams,
        )
        return page_response(request, events, order=["-id"], show=lambda event: AuditEventSerializer(event).data)


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
