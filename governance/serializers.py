"""JSON shapes of policies and ledger events."""

from rest_framework import serializers

from governance.ledger.models import AuditEvent
from governance.models import Policy


class CheckField(serializers.JSONField):
    """{type: 'metric', metric, bound: 'lower'|'upper'|'value', minimum?, maximum?, dataset?} or {type: 'card'}."""


class PolicyRulesSerializer(serializers.Serializer[object]):
    checks = serializers.ListField(
        child=CheckField(),
        help_text="Each {type: 'metric', metric, bound: lower|upper|value (of the 95 % interval), minimum?, maximum?, "
        "dataset?: team/name} or {type: 'card'}.",
    )
    reviews = serializers.JSONField(
        help_text="{steps: [{count, role or group}], ordered}, or of one step {count, role or group}."
    )
    terms = serializers.JSONField(default=dict)


class PolicyCreateSerializer(PolicyRulesSerializer):
    team = serializers.CharField()
    kind = serializers.CharField(help_text="model, dataset or prompt")
    pattern = serializers.CharField(default="*", help_text="Names of assets it holds for; '*' stands for any letters.")
    stage = serializers.CharField(help_text="development, staging or production")


class PolicySerializer(serializers.ModelSerializer[Policy]):
    team = serializers.CharField(source="team.name")
    version = serializers.IntegerField(source="current.number", help_text="Counts up with each change of the rules.")
    checks = serializers.JSONField(source="current.checks")
    reviews = serializers.JSONField(source="current.reviews")

    terms = serializers.JSONField(source="current.terms")

    class Meta:
        model = Policy
        fields = ["id", "team", "kind", "pattern", "stage", "version", "checks", "reviews", "terms", "created_at"]


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
