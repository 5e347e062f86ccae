"""The bodies that the REST API of tests takes and gives."""

from typing import Any

from rest_framework import serializers

from prompt_tests.assertions import KINDS
from prompt_tests.models import SuiteRevision, SuiteRun


class AssertionOut(serializers.Serializer[Any]):
    """Each type has fields of its own (docs/prompt-tests.md)."""

    type = serializers.ChoiceField(list(KINDS))


class CaseOut(serializers.Serializer[Any]):
    name = serializers.CharField(required=False)
    variables = serializers.DictField()
    placeholders = serializers.DictField(required=False)
    expected = serializers.CharField(required=False)
    assertions = AssertionOut(many=True, required=False, help_text="Beside those of every case.")


class RowsOut(serializers.Serializer[Any]):
    dataset = serializers.CharField(help_text="As team/name, of the prompt's team.")
    version = serializers.IntegerField(required=False, help_text="Without it, the newest registered one.")
    mapping = serializers.DictField(child=serializers.CharField(), required=False, help_text="Variable -> column.")
    expected_column = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False)


class SuiteShape(serializers.Serializer[Any]):
    assertions = AssertionOut(many=True, required=False, help_text="Of every case.")
    cases = CaseOut(many=True, required=False)
    rows = RowsOut(required=False, allow_null=True)
    models = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Deployments; empty: the version's own model."
    )
    repeats = serializers.IntegerField(required=False, default=1)
    threshold = serializers.FloatField(required=False, default=1.0, help_text="The share that makes a run green.")
    run_on_save = serializers.BooleanField(required=False, default=False)


class SuiteOut(serializers.Serializer[Any]):
    revision = serializers.IntegerField(help_text="0: there are no tests yet.")
    digest = serializers.CharField()
    content = SuiteShape(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.EmailField(allow_null=True)


class ContentIn(serializers.Serializer[Any]):
    """The fields of a version that is not made."""

    type = serializers.CharField()
    template = serializers.JSONField()
    format = serializers.CharField(required=False)
    inputs = serializers.JSONField(required=False)
    tools = serializers.JSONField(required=False)
    response_format = serializers.JSONField(required=False, allow_null=True)
    model = serializers.CharField(required=False, allow_blank=True)
    parameters = serializers.JSONField(required=False)


class RunIn(serializers.Serializer[Any]):
    version = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)
    content = ContentIn(required=False, allow_null=True, help_text="Instead of a version: a text that is none yet.")
    models = serializers.ListField(
        child=serializers.CharField(max_length=300),
        required=False,
        help_text="Instead of the suite's models; then the result is no evidence.",
    )


class TargetOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    digest = serializers.CharField(help_text="Of the bytes that answered when the run began.")


class SuiteRunOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    prompt = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(help_text="Of the version or text that is tested.")
    suite_revision = serializers.IntegerField()
    suite_digest = serializers.CharField()
    dataset = serializers.CharField(allow_null=True)
    dataset_version = serializers.IntegerField(allow_null=True)
    models = TargetOut(many=True)
    judges = TargetOut(many=True)
    evidence = serializers.BooleanField(help_text="Asks all that the suite asks: when it ends, policies see it.")
    on_save = serializers.BooleanField()
    state = serializers.ChoiceField(SuiteRun.State.choices)
    ended = serializers.BooleanField()
    green = serializers.BooleanField(allow_null=True, help_text="Set when `state` is succeeded.")
    message = serializers.CharField()
    total = serializers.IntegerField(help_text="Tests: cases x models x repeats.")
    done = serializers.IntegerField()
    passed = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Those without an answer included.")
    without_answer = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost = serializers.CharField(allow_null=True)
    created_by = serializers.EmailField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)
    link = serializers.CharField()


class VerdictOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    passed = serializers.BooleanField()
    reason = serializers.CharField()
    score = serializers.FloatField(required=False)


class CaseResultOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    case = serializers.CharField()
    row = serializers.IntegerField(allow_null=True, help_text="Of the dataset version, from 0.")
    model = serializers.CharField()
    repeat = serializers.IntegerField()
    passed = serializers.BooleanField()
    passed_before = serializers.BooleanField(required=False, allow_null=True, help_text="With `against`.")
    output_before = serializers.CharField(required=False, allow_null=True, help_text="With `against`.")
    variables = serializers.DictField()
    messages = serializers.ListField(child=serializers.DictField())
    withheld = serializers.BooleanField(
        help_text="`messages` is empty: text of a prompt that the caller doesn't see is in them."
    )
    expected = serializers.CharField()
    output = serializers.CharField()
    tool_calls = serializers.ListField(child=serializers.DictField())
    verdicts = VerdictOut(many=True)
    error = serializers.CharField()
    latency_ms = serializers.FloatField(allow_null=True)
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)
    cost = serializers.CharField(allow_null=True)
    includes = serializers.ListField(child=serializers.CharField())


class CaseIn(CaseOut):
    """A case to add."""


def show_suite(revision: SuiteRevision | None) -> dict[str, Any]:
    if revision is None:
        return {"revision": 0, "digest": "", "content": None, "created_at": None, "created_by": None}
    return {
        "revision": revision.number,
        "digest": revision.digest,
        "content": revision.content,
        "created_at": revision.created_at,
        "created_by": revision.created_by.email,
    }


def show_run(run: SuiteRun) -> dict[str, Any]:
    dataset = run.dataset_version
    return {
        "id": run.pk,
        "prompt": str(run.prompt),
        "version": run.version.number if run.version else None,
        "digest": run.digest,
        "suite_revision": run.revision.number,
        "suite_digest": run.revision.digest,
        "dataset": str(dataset.asset) if dataset else None,
        "dataset_version": dataset.number if dataset else None,
        "models": run.targets,
        "judges": run.judges,
        "evidence": run.whole,
        "on_save": run.on_save,
        "state": run.state,
        "ended": run.has_ended,
        "green": run.green,
        "message": run.message,
        "total": run.total,
        "done": run.done,
        "passed": run.passed,
        "failed": run.failed,
        "without_answer": run.errors,
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "cost": run.cost_text or None,
        "created_by": run.created_by.email,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "seconds_left": run.seconds_left,
        "link": run.get_absolute_url(),
    }


def show_result(result: Any) -> dict[str, Any]:
    """A CaseResult, with what a comparison adds to its row, in the shape of CaseResultOut."""
    shown = {
        "index": result.index,
        "case": result.label,
        "row": result.row,
        "model": result.model,
        "repeat": result.repeat,
        "passed": result.passed,
        "variables": result.variables,
        "messages": result.messages,
        "withheld": result.withheld,
        "expected": result.expected,
        "output": result.output,
        "tool_calls": result.tool_calls,
        "verdicts": result.verdicts,
        "error": result.error,
        "latency_ms": result.latency_ms,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "cost": result.cost_text or None,
        "includes": [f"{one['name']} version {one['version']} {one['digest']}" for one in result.includes],
    }
    if hasattr(result, "was"):
        shown |= {"passed_before": result.was, "output_before": result.was_output}
    return shown
