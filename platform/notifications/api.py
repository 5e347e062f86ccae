"""REST: webhooks, their deliveries, notices and how one gets them."""

import json
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_team
from accounts.errors import Invalid
from accounts.rest import ApiView, page_response
from governance.asking import read_time
from notifications import actions, mailer, reads
from notifications.deliveries import body_of
from notifications.models import Delivery
from notifications.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    EventTypeSerializer,
    NewWebhookSerializer,
    NoticeSerializer,
    PreferencesSerializer,
    ReadNoticesSerializer,
    ResendSerializer,
    ResentSerializer,
    RotateSerializer,
    SecretSerializer,
    WebhookChangeSerializer,
    WebhookCreateSerializer,
    WebhookSerializer,
)
from notifications.tail import known_types

_EXAMPLE = {"url": "https://example.com/hooks", "events": ["request.*", "alias.moved"], "description": "Release bot"}


class WebhookListView(ApiView):
    @extend_schema(operation_id="webhooks_list", tags=["Webhooks"], responses=WebhookSerializer(many=True))
    def get(self, request: Request, team: str) -> Response:
        """A team's webhooks, newest first. Needs webhook.manage."""
        rows = reads.webhooks_of(self.by, get_team(self.by, team))
        return page_response(request, rows, order=["-id"], show=lambda row: WebhookSerializer(row).data)

    @extend_schema(
        operation_id="webhooks_create",
        tags=["Webhooks"],
        request=WebhookCreateSerializer,
        responses={201: NewWebhookSerializer},
        examples=[OpenApiExample("Decisions only", _EXAMPLE, request_only=True)],
    )
    def post(self, request: Request, team: str) -> Response:
        """Tell another system of the team's events, by Standard Webhooks. The answer alone shows the secret. Needs webhook.manage."""
        found = get_team(self.by, team)
        webhook, secret = actions.create_webhook(team=found, by=self.by, **self.read(WebhookCreateSerializer))
        return Response({"secret": secret, **WebhookSerializer(webhook).data}, status=201)


class EventTypesView(ApiView):
    @extend_schema(
        operation_id="webhooks_event_types", tags=["Webhooks"], responses={200: EventTypeSerializer(many=True)}
    )
    def get(self, request: Request) -> Response:
        """Every type of event that a webhook can ask for, on one page."""
        types = [{"type": name, "group": group} for group, names in known_types().items() for name in names]
        return Response({"results": types, "next": None})


class WebhookView(ApiView):
    @extend_schema(operation_id="webhooks_get", tags=["Webhooks"], responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: int) -> Response:
        """One webhook and how it does. Needs webhook.manage."""
        return Response(WebhookSerializer(reads.get_webhook(self.by, webhook_id)).data)

    @extend_schema(
        operation_id="webhooks_change",
        tags=["Webhooks"],
        request=WebhookChangeSerializer,
        responses=WebhookSerializer,
    )
    def patch(self, request: Request, webhook_id: int) -> Response:
        """Change what the body names; `enabled` true also takes a disabled one up again. Needs webhook.manage."""
        webhook = reads.get_webhook(self.by, webhook_id)
        changed = actions.change_webhook(webhook=webhook, by=self.by, **self.read(WebhookChangeSerializer))
        return Response(WebhookSerializer(changed).data)

    @extend_schema(operation_id="webhooks_remove", tags=["Webhooks"], responses={204: None})
    def delete(self, request: Request, webhook_id: int) -> Response:
        """Send nothing there any more. Needs webhook.manage."""
        actions.remove_webhook(webhook=reads.get_webhook(self.by, webhook_id), by=self.by)
        return Response(status=204)


class WebhookSecretView(ApiView):
    @extend_schema(
        operation_id="webhooks_rotate_secret",
        tags=["Webhooks"],
        request=RotateSerializer,
        responses={201: SecretSerializer},
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        """Make a new secret; for a while messages are signed by the old one as well. Needs webhook.manage."""
        webhook = reads.get_webhook(self.by, webhook_id)
        overlap = timedelta(seconds=self.read(RotateSerializer)["overlap_s"])
        return Response({"secret": actions.rotate_secret(webhook=webhook, by=self.by, overlap=overlap)}, status=201)


class WebhookTestView(ApiView):
    @extend_schema(operation_id="webhooks_test", tags=["Webhooks"], request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook_id: int) -> Response:
        """Send a test message; the delivery says what came of it. Needs webhook.manage."""
        delivery = actions.send_test(webhook=reads.get_webhook(self.by, webhook_id), by=self.by)
        return Response(DeliverySerializer(delivery).data, status=202)


class DeliveryListView(ApiView):
    @extend_schema(
        operation_id="deliveries_list",
        tags=["Webhooks"],
        parameters=[
            OpenApiParameter("state", str, enum=list(Delivery.State)),
            OpenApiParameter("since", str, description="Made at or after this time."),
        ],
        responses=DeliverySerializer(many=True),
    )
    def get(self, request: Request, webhook_id: int) -> Response:
        """The messages of the last 30 days, newest first. Needs webhook.manage."""
        webhook = reads.get_webhook(self.by, webhook_id)
        state = request.query_params.get("state", "")
        if state and state not in set(Delivery.State):
            raise Invalid("state", f"Use one of {', '.join(Delivery.State)}.")
        since = read_time("since", request.query_params.get("since", ""))
        rows = reads.deliveries_of(webhook, state=state, since=since)
        return page_response(request, rows, order=["-id"], show=lambda row: DeliverySerializer(row).data)


class DeliveriesResendView(ApiView):
    @extend_schema(
        operation_id="deliveries_resend_failed",
        tags=["Webhooks"],
        request=ResendSerializer,
        responses={202: ResentSerializer},
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        """Send again all messages since a time that failed. Needs webhook.manage."""
        webhook = reads.get_webhook(self.by, webhook_id)
        count = actions.resend_failed(webhook=webhook, since=self.read(ResendSerializer)["since"], by=self.by)
        return Response({"count": count}, status=202)


class DeliveryView(ApiView):
    @extend_schema(operation_id="deliveries_get", tags=["Webhooks"], responses=DeliveryDetailSerializer)
    def get(self, request: Request, delivery_id: int) -> Response:
        """One message with every attempt to deliver it. Needs webhook.manage."""
        delivery = reads.get_delivery(self.by, delivery_id)
        body = body_of(delivery)
        delivery.body = json.loads(body) if body else None  # type: ignore[attr-defined]
        return Response(DeliveryDetailSerializer(delivery).data)


class DeliveryResendView(ApiView):
    @extend_schema(
        operation_id="deliveries_resend", tags=["Webhooks"], request=None, responses={202: DeliverySerializer}
    )
    def post(self, request: Request, delivery_id: int) -> Response:
        """Send a message again now, under the same webhook-id. Needs webhook.manage."""
        delivery = actions.resend(delivery=reads.get_delivery(self.by, delivery_id), by=self.by)
        return Response(DeliverySerializer(delivery).data, status=202)


class NoticeListView(ApiView):
    @extend_schema(
        operation_id="notices_list",
        tags=["Notices"],
        parameters=[OpenApiParameter("unread", bool, description="Only those that you have not read.")],
        responses=NoticeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What you were told, newest first."""
        unread = request.query_params.get("unread", "").lower() in ("1", "true")
        rows = reads.notices_of(self.by, unread=unread)
        return page_response(request, rows, order=["-id"], show=lambda row: NoticeSerializer(row).data)


class NoticesReadView(ApiView):
    @extend_schema(
        operation_id="notices_read", tags=["Notices"], request=ReadNoticesSerializer, responses=ResentSerializer
    )
    def post(self, request: Request) -> Response:
        """Mark notices of yours as read; how many were unread."""
        ids = self.read(ReadNoticesSerializer)["ids"]
        return Response({"count": actions.mark_read(by=self.by, notice_ids=ids)})


class PreferencesView(ApiView):
    @extend_schema(operation_id="notices_preferences", tags=["Notices"], responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        """How you get each kind of notice."""
        return Response(self._show())

    @extend_schema(
        operation_id="notices_choose",
        tags=["Notices"],
        request=PreferencesSerializer,
        responses=PreferencesSerializer,
    )
    def put(self, request: Request) -> Response:
        """Choose how you get them. Kinds that the body leaves out stay as they are."""
        rows = self.read(PreferencesSerializer)["preferences"]
        choices: dict[str, dict[str, bool]] = {
            row["kind"]: {key: row[key] for key in ("on_page", "by_mail") if key in row} for row in rows
        }
        actions.choose_notices(choices=choices, by=self.by)
        return Response(self._show())

    def _show(self) -> dict[str, Any]:
        shown = {"preferences": reads.choices_of(self.by), "sends_mail": mailer.configured()}
        return dict(PreferencesSerializer(shown).data)
