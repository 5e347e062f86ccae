"""JSON shapes of requests and reviews."""

from typing import Any

from rest_framework import serializers

from governance import policies
from governance.models import ApprovalRequest, Review


class RequestCreateSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["model", "dataset", "prompt"])
    asset = serializers.CharField(help_text="team/name")
    version = serializers.IntegerField(min_value=1)
    alias = serializers.CharField(default="production", help_text="The protected alias (of a prompt: label) to move.")
    reason = serializers.CharField(default="", allow_blank=True)


class ReviewCreateSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(["approve", "reject", "comment"])
    comment = serializers.CharField(default="", allow_blank=True)
    shown = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="The request's `seal` as you read it: refused when something changed since.",
    )


class ReviewSerializer(serializers.ModelSerializer[Review]):
    reviewer = serializers.CharField(source="reviewer.email")

    class Meta:
        model = Review
        fields = ["id", "reviewer", "verdict", "comment", "digest", "evidence_digests", "created_at"]


class LineSerializer(serializers.Serializer[policies.CheckResult]):
    title = serializers.CharField()
    state = serializers.ChoiceField(["passed", "failed", "waiting"])
    detail = serializers.CharField(help_text="The number behind the state.")
    link = serializers.CharField()
    evidence_digest = serializers.CharField()


class RequestSerializer(serializers.ModelSerializer[ApprovalRequest]):
    team = serializers.CharField(source="team.name")
    asset = serializers.CharField(source="asset_label")
    version = serializers.IntegerField(source="version_number")
    alias = serializers.CharField(source="slot")
    previous_version = serializers.IntegerField(source="previous_number", allow_null=True)
    requested_by = serializers.CharField(source="requested_by.email")

    class Meta:
        model = ApprovalRequest
        fields = [
            "id", "team", "kind", "asset", "version", "digest", "alias", "stage", "previous_version", "previous_digest",
            "reason", "requested_by", "state", "created_at", "closed_at",
        ]  # fmt: skip


class RequestDetailSerializer(RequestSerializer):
    policy = LineSerializer(many=True, read_only=True, help_text="The policy in force, line by line.")
    seal = serializers.CharField(read_only=True, help_text="Digest, policy version and evidence as one value.")
    reviews = ReviewSerializer(many=True, read_only=True)
    attestation = serializers.JSONField(read_only=True, allow_null=True, help_text="DSSE envelope, once applied.")

    class Meta(RequestSerializer.Meta):
        fields = [*RequestSerializer.Meta.fields, "policy", "seal", "reviews", "attestation"]
