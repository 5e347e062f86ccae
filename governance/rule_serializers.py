"""JSON shapes of policies, for the OpenAPI document; governance.rules is what reads and refuses them."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from governance.models import Evidence, Policy, PolicyVersion
from governance.policies import Outcome

AGE = "Evidence older than this does not count."


class MetricCheckSerializer(serializers.Serializer[object]):
    """A metric of an evaluation of exactly these bytes, against a threshold or against what is in production now."""

    type = serializers.ChoiceField(["metric"])
    metric = serializers.CharField(help_text="Such as exact_match.")
    bound = serializers.ChoiceField(
        ["lower", "value", "upper"], default="value", help_text="Which end of the 95 % interval counts."
    )
    minimum = serializers.FloatField(required=False)
    maximum = serializers.FloatField(required=False)
    dataset = serializers.CharField(required=False, help_text="team/name; any without.")
    dataset_version = serializers.IntegerField(
        required=False, help_text="Without it, what was measured on a version that is not the newest does not count."
    )
    against = serializers.ChoiceField(
        ["production"], required=False, help_text="Instead of minimum and maximum: production's value on the same rows."
    )
    margin = serializers.FloatField(
        required=False, help_text="By how much it must be better; a negative one lets it be worse by that much."
    )
    better = serializers.ChoiceField(["higher", "lower"], required=False, help_text="Of a check against production.")
    max_age_days = serializers.IntegerField(required=False, help_text=AGE)


class CardCheckSerializer(serializers.Serializer[object]):
    """The card says what it must."""

    type = serializers.ChoiceField(["card"])
    fields_ = serializers.ListField(child=serializers.CharField(), required=False)

    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        found["fields"] = found.pop("fields_")  # a serializer has an attribute of this name already
        return found


class ScanCheckSerializer(serializers.Serializer[object]):
    """The scan of the files found nothing that runs when they are loaded."""

    type = serializers.ChoiceField(["scan"])
    max_age_days = serializers.IntegerField(required=False, help_text=AGE)


class LicenceCheckSerializer(serializers.Serializer[object]):
    """The card's licence is one of these SPDX identifiers, in any case."""

    type = serializers.ChoiceField(["licence"])
    allow = serializers.ListField(child=serializers.CharField())


class LineageCheckSerializer(serializers.Serializer[object]):
    """It is recorded which run or base model it comes from, and what it was trained on."""

    type = serializers.ChoiceField(["lineage"])


class PromptTestsCheckSerializer(serializers.Serializer[object]):
    """The tests of the prompt, as they are now, passed with exactly these bytes."""

    type = serializers.ChoiceField(["prompt_tests"])
    share = serializers.FloatField(default=1.0, help_text="Of the tests, so many must pass; 1: all of them.")
    models = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="With each of these deployments, as team/name."
    )
    max_age_days = serializers.IntegerField(required=False, help_text=AGE)


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="PolicyCheck",
        serializers={
            "metric": MetricCheckSerializer,
            "card": CardCheckSerializer,
            "scan": ScanCheckSerializer,
            "licence": LicenceCheckSerializer,
            "lineage": LineageCheckSerializer,
            "prompt_tests": PromptTestsCheckSerializer,
        },
        resource_type_field_name="type",
    )
)
class CheckField(serializers.JSONField):
    """One check; governance.rules names what is wrong with it."""


class ReviewStepSerializer(serializers.Serializer[object]):
    count = serializers.IntegerField(default=1, help_text="How many people must approve, 1 to 10.")
    role = serializers.CharField(required=False, help_text="A role, such as 'reviewer', or else")
    group = serializers.CharField(required=False, help_text="a named group of the team, such as 'legal'.")


class ReviewRuleSerializer(serializers.Serializer[object]):
    """Never the author nor the requester, and no one twice. One step may be written short: {count, role}."""

    steps = ReviewStepSerializer(many=True)
    ordered = serializers.BooleanField(default=False, help_text="Each step waits for the one before.")


@extend_schema_field(ReviewRuleSerializer)
class ReviewsField(serializers.JSONField):
    pass


class TermsSerializer(serializers.Serializer[object]):
    open_days = serializers.IntegerField(default=30)
    shelf_life_days = serializers.IntegerField(allow_null=True, required=False)
    escalate_after_h = serializers.IntegerField(allow_null=True, required=False)
    escalate_to = serializers.CharField(allow_null=True, required=False, help_text="role:admin or group:safety")
    break_glass = serializers.BooleanField(default=True)
    review_glass_within_h = serializers.IntegerField(default=72)
    unsafe_files = serializers.ChoiceField(
        ["refused", "allowed"],
        default="refused",
        help_text="allowed: files that can run code may pass. Otherwise a protected stage takes no version with such files, and none "
        "that was not scanned.",
    )


@extend_schema_field(TermsSerializer)
class TermsField(serializers.JSONField):
    pass


class PolicyRulesSerializer(serializers.Serializer[object]):
    checks = serializers.ListField(child=CheckField())
    reviews = ReviewsField()
    terms = TermsField(required=False)


class PolicyCreateSerializer(PolicyRulesSerializer):
    team = serializers.CharField()
    kind = serializers.CharField(help_text="model, dataset, prompt, deployment, policy or role")
    pattern = serializers.CharField(default="*", help_text="Names it holds for; '*' stands for any letters.")
    stage = serializers.CharField(
        default="", allow_blank=True, help_text="development, staging or production; none for policies and roles."
    )


class PolicyChangeSerializer(serializers.Serializer[object]):
    team = serializers.CharField()
    action = serializers.ChoiceField(["create", "update", "remove"])
    policy = serializers.IntegerField(required=False, help_text="Its id, to update or remove it.")
    kind = serializers.CharField(default="", allow_blank=True, help_text="To create one, as are pattern and stage.")
    pattern = serializers.CharField(default="*")
    stage = serializers.CharField(default="", allow_blank=True)
    checks = serializers.ListField(child=CheckField(), required=False)
    reviews = ReviewsField(required=False)
    terms = TermsField(required=False)
    reason = serializers.CharField(default="", allow_blank=True)


class PolicySerializer(serializers.ModelSerializer[Policy]):
    team = serializers.CharField(source="team.name")
    version = serializers.IntegerField(source="current.number", help_text="Counts up with each change of the rules.")
    checks = serializers.ListField(child=CheckField(), source="current.checks")
    reviews = ReviewsField(source="current.reviews")
    terms = TermsField(source="current.terms")

    class Meta:
        model = Policy
        fields = ["id", "team", "kind", "pattern", "stage", "version", "checks", "reviews", "terms", "created_at"]


class PolicyVersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    created_by = serializers.CharField(source="created_by.email", default="")
    checks = serializers.ListField(child=CheckField())
    reviews = ReviewsField()
    terms = TermsField()

    class Meta:
        model = PolicyVersion
        fields = ["number", "checks", "reviews", "terms", "created_by", "created_at"]


class PolicyDiffSerializer(serializers.Serializer[object]):
    before = serializers.ListField(child=serializers.CharField(), help_text="The earlier version's lines, in words.")
    after = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    added = serializers.ListField(child=serializers.CharField())


class PolicyRequestSerializer(serializers.Serializer[object]):
    request = serializers.IntegerField(help_text="The request that was opened.")


class DryLineSerializer(serializers.Serializer[object]):
    title = serializers.CharField()
    state = serializers.CharField()
    detail = serializers.CharField()


class OutcomeSerializer(serializers.Serializer[Outcome]):
    request = serializers.IntegerField(source="request.pk")
    what = serializers.CharField(source="request", help_text="What was asked for, in words.")
    state = serializers.CharField(source="request.state")
    closed_at = serializers.DateTimeField(source="request.closed_at", allow_null=True)
    was_let_through = serializers.BooleanField()
    lets_through = serializers.BooleanField()
    changed = serializers.BooleanField()
    lines = DryLineSerializer(many=True, help_text="What would have blocked it.")


class DryRunSerializer(serializers.Serializer[object]):
    since = serializers.DateTimeField()
    newly_blocked = serializers.IntegerField()
    newly_let_through = serializers.IntegerField()
    same = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Older requests, beyond the newest 2,000, that were not judged.")
    outcomes = OutcomeSerializer(many=True, help_text="Those that change first.")


class EvidenceSerializer(serializers.ModelSerializer[Evidence]):
    team = serializers.CharField(source="team.name")

    class Meta:
        model = Evidence
        fields = ["id", "team", "kind", "subject_digest", "label", "link", "payload", "digest", "created_at"]
