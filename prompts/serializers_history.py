"""The shapes of the REST API: branches, merges, folders, tags and restoring."""

from typing import Any

from rest_framework import serializers

from prompts.actions.branches import Plan
from prompts.models import PromptBranch


class BranchIn(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Letters, digits, '.', '_' and '-'.")
    start = serializers.IntegerField(
        required=False, min_value=1, help_text="The version it begins at; without it main's newest."
    )


class BranchOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.CharField(help_text="open, merged or closed.")
    start = serializers.IntegerField()
    head = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    updated_at = serializers.DateTimeField()


class ClashOut(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="What a resolution is given for.")
    title = serializers.CharField()
    kind = serializers.CharField(help_text="text, messages or value.")
    base = serializers.JSONField(allow_null=True)
    ours = serializers.JSONField(allow_null=True, help_text="The target's.")
    theirs = serializers.JSONField(allow_null=True, help_text="The source's.")
    choices = serializers.ListField(child=serializers.CharField())
    chosen = serializers.CharField(help_text="Empty: not decided.")


class PlanOut(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken off the class
    target = serializers.CharField()
    source_head = serializers.IntegerField()
    target_head = serializers.IntegerField()
    base = serializers.IntegerField(allow_null=True, help_text="The version that both grew from.")
    nothing_to_merge = serializers.BooleanField()
    conflicts = ClashOut(many=True)
    result = serializers.JSONField(
        help_text="What the new version would say; the target's side where a conflict is open."
    )
    problems = serializers.DictField(help_text="By field: why the result could not be saved.")


class ExpectedHeads(serializers.Serializer[Any]):
    source = serializers.IntegerField(min_value=1)  # type: ignore[assignment]  # as above
    target = serializers.IntegerField(min_value=1)


class MergeIn(serializers.Serializer[Any]):
    target = serializers.CharField(required=False, default="main")
    resolutions = serializers.DictField(
        required=False, default=dict, help_text="By a conflict's key: 'ours', 'theirs', 'both' or {\"edit\": value}."
    )
    expected = ExpectedHeads(required=False, help_text="The heads that you saw; 409 where one has moved on since.")
    message = serializers.CharField(required=False, allow_blank=True, default="")


class PreviewIn(serializers.Serializer[Any]):
    target = serializers.CharField(required=False, default="main")
    resolutions = serializers.DictField(required=False, default=dict)


class MergedOut(serializers.Serializer[Any]):
    version = serializers.IntegerField(allow_null=True, help_text="null: the target says all of it already.")
    branch = serializers.CharField()


class RollBackIn(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, default="")
    expected = serializers.IntegerField(required=False, allow_null=True, help_text="The version you saw there.")


class RolledBackOut(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken off the class
    version = serializers.IntegerField(help_text="What it points at, or will once the request is approved.")
    request = serializers.IntegerField(
        allow_null=True, help_text="A protected label: the request that was opened for it."
    )


class TagOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    value = serializers.CharField()


class TagIn(serializers.Serializer[Any]):
    value = serializers.CharField(required=False, allow_blank=True, default="", trim_whitespace=False)


class FolderOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    path = serializers.CharField()
    prompts = serializers.IntegerField()
    more = serializers.BooleanField(help_text="There are more than were counted.")


class RestorePrompt(serializers.Serializer[Any]):
    name = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="Another name, where its own was taken."
    )
    reason = serializers.CharField(required=False, default="", allow_blank=True, help_text="Why, for the ledger.")


class RestoreVersion(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, default="", allow_blank=True, help_text="Why, for the ledger.")


def show_branch(branch: PromptBranch) -> dict[str, Any]:
    return {
        "name": branch.name,
        "state": branch.state,
        "start": branch.start.number,
        "head": branch.head.number,
        "created_at": branch.created_at,
        "created_by": branch.created_by.email,
        "updated_at": branch.updated_at,
    }


def show_plan(plan: Plan) -> dict[str, Any]:
    return {
        "source": plan.source,
        "target": plan.target,
        "source_head": plan.theirs.number,
        "target_head": plan.ours.number,
        "base": plan.base.number if plan.base else None,
        "nothing_to_merge": plan.nothing,
        "conflicts": [
            {
                name: getattr(clash, name)
                for name in ("key", "title", "kind", "base", "ours", "theirs", "choices", "chosen")
            }
            for clash in plan.result.clashes
        ],
        "result": plan.result.fields,
        "problems": plan.problem.errors if plan.problem else {},
    }
