"""JSON shapes of webhooks, deliveries and notices."""

from typing import Any

from rest_framework import serializers

from notifications.models import Attempt, Delivery, Endpoint, Notice

EVENTS_HELP = "Types of events: '*' for all, 'request.*' for all of a kind, 'request.opened' for one."


class WebhookCreateSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, help_text="An https address on the public Internet.")
    events = serializers.ListField(child=serializers.CharField(max_length=60), max_length=300, help_text=EVENTS_HELP)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    enabled = serializers.BooleanField(required=False, default=True)


class WebhookChangeSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, required=False)
    events = serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=300, required=False, help_text=EVENTS_HELP
    )
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    enabled = serializers.BooleanField(required=False)


class WebhookSerializer(serializers.ModelSerializer[Endpoint]):
    team = serializers.CharField(source="team.name")
    state = serializers.CharField(help_text="active, failing or disabled")
    created_by = serializers.CharField(source="created_by.email", default=None, allow_null=True)
    old_secret_until = serializers.DateTimeField(
        source="previous_until",
        allow_null=True,
        help_text="Until then messages carry a signature by the old secret too.",
    )

    class Meta:
        model = Endpoint
        fields = [
            "id", "team", "url", "description", "events", "enabled", "state", "disabled_reason", "failing_since",
            "last_success_at", "old_secret_until", "created_by", "created_at",
        ]  # fmt: skip


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Verifies messages. This is the only time that it is shown.")

    class Meta(WebhookSerializer.Meta):
        fields = ["secret", *WebhookSerializer.Meta.fields]


class RotateSerializer(serializers.Serializer[Any]):
    overlap_s = serializers.IntegerField(
        required=False,
        default=86_400,
        min_value=0,
        max_value=604_800,
        help_text="For how long messages carry a signature by the old secret as well; a day when left out.",
    )


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="This is the only time that it is shown.")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    webhook = serializers.IntegerField(source="endpoint_id")
    event = serializers.IntegerField(source="event_id", allow_null=True, help_text="Of the ledger; null for a test.")
    next_at = serializers.SerializerMethodField(help_text="When it is tried next; null once it has ended.")

    class Meta:
        model = Delivery
        fields = ["id", "webhook", "message_id", "event", "type", "state", "tries", "next_at", "created_at", "ended_at"]

    def get_next_at(self, delivery: Delivery) -> str | None:
        return delivery.next_at.isoformat() if delivery.state == Delivery.State.WAITING else None


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = ["at", "duration_ms", "address", "request_headers", "status", "response", "error"]


class DeliveryDetailSerializer(DeliverySerializer):
    attempts = AttemptSerializer(many=True, help_text="Oldest first.")
    body = serializers.JSONField(help_text="The message; null when its event can't be read any more.")

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "body", "attempts"]


class ResendSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="Failed messages made at or after this time are sent again.")


class ResentSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class EventTypeSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    group = serializers.CharField()


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    class Meta:
        model = Notice
        fields = ["id", "kind", "team", "title", "body", "link", "created_at", "read_at"]


class ReadNoticesSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        allow_null=True,
        default=None,
        max_length=1000,
        help_text="Which; all when left out.",
    )


class PreferenceSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    title = serializers.CharField(source="about.title", read_only=True)
    on_page = serializers.BooleanField(required=False, help_text="On the page of notices.")
    by_mail = serializers.BooleanField(required=False)


class PreferencesSerializer(serializers.Serializer[Any]):
    preferences = PreferenceSerializer(many=True)
    sends_mail = serializers.BooleanField(read_only=True, help_text="Whether this site sends e-mail at all.")
