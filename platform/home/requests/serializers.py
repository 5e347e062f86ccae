"""JSON shapes of requests and reviews."""

from typing import Any

from rest_framework import serializers

from governance.models import ApprovalRequest, Delegation, Review

_AT = "RFC 3339. Held against the database's clock."
KINDS = ["model", "dataset", "prompt"]


class MoveSerializer(serializers.Serializer[Any]):
    """A version, and the protected alias or label that is to point at it."""

    kind = serializers.ChoiceField(KINDS)
    asset = serializers.CharField(help_text="team/name")
    version = serializers.IntegerField(min_value=1)
    alias = serializers.CharField(default="production", help_text="The protected alias (of a prompt: label) to move.")


class RequestCreateSerializer(MoveSerializer):
    reason = serializers.CharField(default="", allow_blank=True)
    apply_at = serializers.DateTimeField(
        default=None, allow_null=True, help_text=f"Apply the approval at this time, not at once. {_AT}"
    )
    apply_after_evaluation = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        help_text="Apply the approval when this evaluation of these bytes has succeeded and every check passes. Reviewers can "
        "approve before it has.",
    )


class RemovalCreateSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(KINDS)
    asset = serializers.CharField(help_text="team/name")
    alias = serializers.CharField(help_text="The protected alias (of a prompt: label) to empty.")
    reason = serializers.CharField(default="", allow_blank=True)


class RoleRequestSerializer(serializers.Serializer[Any]):
    team = serializers.CharField()
    person = serializers.EmailField(help_text="Who shall have the role; they do not review this.")
    role = serializers.CharField(help_text="A role that the team gives by approved requests only.")
    asset_kind = serializers.ChoiceField(["", *KINDS], default="")
    asset = serializers.CharField(default="", allow_blank=True, help_text="team/name; empty: on the whole team.")
    prefix = serializers.CharField(default="", allow_blank=True, help_text="On names that begin so.")
    kind = serializers.CharField(default="", allow_blank=True, help_text="With a prefix: on this kind only.")
    stage = serializers.CharField(default="", allow_blank=True, help_text="At this stage only.")
    expires_at = serializers.DateTimeField(default=None, allow_null=True, help_text=_AT)
    apply_at = serializers.DateTimeField(default=None, allow_null=True, help_text=_AT)
    reason = serializers.CharField(default="", allow_blank=True)


class DeploymentRequestSerializer(serializers.Serializer[Any]):
    """A new deployment (all of name, model, version and stage), or a change to one (name, and what shall change)."""

    team = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField(default="", allow_blank=True, help_text="team/name")
    version = serializers.IntegerField(default=None, allow_null=True, min_value=1)
    stage = serializers.CharField(default="", allow_blank=True, help_text="Of a new deployment.")
    engine = serializers.CharField(default=None, allow_null=True)
    engine_options = serializers.DictField(default=None, allow_null=True)
    num_gpus = serializers.FloatField(default=None, allow_null=True, min_value=0)
    apply_at = serializers.DateTimeField(default=None, allow_null=True, help_text=_AT)
    reason = serializers.CharField(default="", allow_blank=True)


class GlassSerializer(MoveSerializer):
    reason = serializers.CharField(help_text="At least 20 characters: why this cannot wait for a review.")


class OnBehalfSerializer(serializers.Serializer[Any]):
    on_behalf_of = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="The colleague who is away and handed you their reviewing; empty: yourself.",
    )


class ReviewCreateSerializer(OnBehalfSerializer):
    verdict = serializers.ChoiceField(["approve", "reject", "changes", "comment"])
    comment = serializers.CharField(default="", allow_blank=True, help_text="@address names somebody of the team.")
    shown = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="The request's `seal` as you read it: refused when something changed since.",
    )


class GlassReviewSerializer(OnBehalfSerializer):
    verdict = serializers.ChoiceField(["confirm", "roll_back"])
    comment = serializers.CharField(help_text="What you found.")


class AnswerSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(help_text="What you did about the changes that were asked for.")


class ReviewSerializer(serializers.ModelSerializer[Review]):
    reviewer = serializers.CharField(source="reviewer.email")
    on_behalf_of = serializers.CharField(source="on_behalf_of.email", allow_null=True, default=None)

    class Meta:
        model = Review
        fields = [
            "id", "reviewer", "on_behalf_of", "verdict", "comment", "mentions", "roles", "groups", "digest", "evidence_digests",
            "created_at", "replaced_at",
        ]  # fmt: skip


class LineSerializer(serializers.Serializer[object]):
    title = serializers.CharField()
    state = serializers.ChoiceField(["passed", "failed", "waiting"])
    detail = serializers.CharField(help_text="The number behind the state.")
    link = serializers.CharField()
    evidence_digest = serializers.CharField()


class StaleSerializer(serializers.Serializer[Any]):
    review = serializers.IntegerField()
    reviewer = serializers.CharField()
    reason = serializers.CharField(help_text="Why this approval does not count any more.")

    def to_representation(self, instance: tuple[Review, str]) -> dict[str, Any]:
        review, reason = instance
        return {"review": review.pk, "reviewer": review.reviewer.email, "reason": reason}


class StepSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    state = serializers.ChoiceField(["passed", "failed", "waiting"])
    wanted = serializers.IntegerField(help_text="How many people must approve.")
    counted = serializers.SerializerMethodField()
    stale = StaleSerializer(many=True)

    def get_counted(self, step: Any) -> list[int]:
        """The ids of the reviews that count for this step."""
        return [review.pk for review in step.counted]


class RequestSerializer(serializers.ModelSerializer[ApprovalRequest]):
    team = serializers.CharField(source="team.name")
    asset = serializers.CharField(source="asset_label")
    version = serializers.IntegerField(source="version_number", allow_null=True)
    alias = serializers.CharField(source="slot")
    previous_version = serializers.IntegerField(source="previous_number", allow_null=True)
    requested_by = serializers.CharField(source="requested_by.email")
    renews = serializers.IntegerField(source="renews_id", allow_null=True)
    change = serializers.JSONField(allow_null=True, help_text="Of deployments, policies, roles and removals.")
    previous = serializers.JSONField(allow_null=True, help_text="What there was when the change was asked for.")
    waits_for = serializers.ListField(
        child=serializers.CharField(), help_text="'role:reviewer', 'group:legal', 'escalated:role:admin'"
    )

    class Meta:
        model = ApprovalRequest
        fields = [
            "id", "team", "kind", "asset", "version", "digest", "alias", "stage", "change", "previous", "previous_version",
            "previous_digest", "reason", "requested_by", "state", "waits_for", "created_at", "closed_at", "expires_at",
            "escalated_at", "apply_at", "apply_after_evaluation", "valid_until", "lapsed_at", "lapse_reason", "renews",
            "glass_broken", "afterwards", "afterwards_due_at",
        ]  # fmt: skip


class RequestDetailSerializer(RequestSerializer):
    policy = LineSerializer(many=True, read_only=True, help_text="The policy in force, line by line.")
    steps = StepSerializer(many=True, read_only=True, help_text="The reviews that it asks for.")
    problems = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Why nobody could satisfy it as things stand."
    )
    seal = serializers.CharField(read_only=True, help_text="Digest, policy version and evidence as one value.")
    reviews = ReviewSerializer(many=True, read_only=True)
    attestation = serializers.JSONField(read_only=True, allow_null=True, help_text="DSSE envelope, once applied.")

    class Meta(RequestSerializer.Meta):
        fields = [*RequestSerializer.Meta.fields, "policy", "steps", "problems", "seal", "reviews", "attestation"]


class CountsSerializer(serializers.Serializer[Any]):
    inbox = serializers.IntegerField(help_text="Wait for you.")
    mine = serializers.IntegerField(help_text="You asked for, and are under way.")
    glass = serializers.IntegerField(help_text="Broken glasses that nobody has settled.")
    renewals = serializers.IntegerField()


class EvidenceBriefSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    digest = serializers.CharField()
    link = serializers.CharField()
    payload = serializers.JSONField()
    created_at = serializers.DateTimeField()


class EvidencePairSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    changed = serializers.BooleanField()
    old = EvidenceBriefSerializer(allow_null=True, help_text="What the lapsed approval was given on.")
    new = EvidenceBriefSerializer(allow_null=True, help_text="The newest of the same sort now.")


class DelegationSerializer(serializers.ModelSerializer[Delegation]):
    team = serializers.CharField(source="team.name")
    delegator = serializers.CharField(source="delegator.email")
    delegate = serializers.CharField(source="delegate.email")

    class Meta:
        model = Delegation
        fields = ["id", "team", "delegator", "delegate", "starts_at", "ends_at", "ended_at", "reason", "created_at"]


class DelegationCreateSerializer(serializers.Serializer[Any]):
    team = serializers.CharField()
    to = serializers.EmailField(help_text="Who reviews for you.")
    starts_at = serializers.DateTimeField(help_text=_AT)
    ends_at = serializers.DateTimeField(help_text=_AT)
    reason = serializers.CharField(default="", allow_blank=True, max_length=300)
