"""JSON shapes of ledger events."""

from rest_framework import serializers

from governance.ledger.models import AuditEvent


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    actor = serializers.CharField(source="actor_email", help_text="E-mail of who acted; empty for the system itself.")
    target = serializers.SerializerMethodField(help_text="{kind, id, label, digest} of what was acted on.")

    class Meta:
        model = AuditEvent
        fields = [
            "id", "at", "team", "actor", "actor_name", "via", "key_id", "address", "request_id", "action", "target",
            "subjects", "before", "after", "reason",
        ]  # fmt: skip

    def get_target(self, event: AuditEvent) -> dict[str, str]:
        return {
            "kind": event.target_kind,
            "id": event.target_id,
            "label": event.target_label,
            "digest": event.target_digest,
        }
