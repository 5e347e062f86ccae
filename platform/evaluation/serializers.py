"""The bodies that the REST API of evaluations takes and gives."""

from typing import Any

from rest_framework import serializers

from evaluation.models import Evaluation, Example

_ADDRESS = r"^[^/]+/[^/]+$"


class ParametersIn(serializers.Serializer[Any]):
    max_tokens = serializers.IntegerField(required=False, default=64, help_text="Longest answer in tokens, 1 to 32768.")
    temperature = serializers.FloatField(required=False, default=0.0, help_text="0 to 2; 0 takes the likeliest token.")
    seed = serializers.IntegerField(required=False, default=0)
    input_field = serializers.CharField(required=False, default="input", help_text="Field of the rows that is asked.")
    expected_field = serializers.CharField(
        required=False, default="expected", help_text="Field of the rows that the answer is compared with."
    )
    limit = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Only the first so many rows. A result on a part of a dataset is no evidence for an approval.",
    )


class EvaluationIn(serializers.Serializer[Any]):
    model = serializers.RegexField(_ADDRESS, help_text="The model as team/name.")
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="Number of a registered version.")
    dataset = serializers.RegexField(_ADDRESS, help_text="The dataset as team/name, of the same team.")
    dataset_version = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=2**31 - 1,
        help_text="Without it: the newest registered one.",
    )
    parameters = ParametersIn(required=False)


class FiguresOut(serializers.Serializer[Any]):
    value = serializers.FloatField()
    lower = serializers.FloatField(help_text="Lower end of the 95 % interval.")
    upper = serializers.FloatField(help_text="Upper end of the 95 % interval.")
    n = serializers.IntegerField(help_text="Examples that it is out of.")


class EvaluationOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    model = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField(help_text="Of the version that was asked.")
    dataset = serializers.CharField()
    dataset_version = serializers.IntegerField()
    dataset_digest = serializers.CharField()
    state = serializers.ChoiceField(Evaluation.State.choices)
    message = serializers.CharField(help_text="What it is at, or what went wrong.")
    total = serializers.IntegerField(help_text="Examples to score.")
    done = serializers.IntegerField(help_text="Examples scored.")
    without_answer = serializers.IntegerField(help_text="Examples that got no answer; they count as wrong.")
    complete = serializers.BooleanField(help_text="Every row of the dataset is asked: then the result is evidence.")
    parameters = ParametersIn()
    metrics = serializers.DictField(child=FiguresOut(), help_text="By name; empty until it has succeeded.")
    created_by = serializers.EmailField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True, help_text="At the pace so far.")
    link = serializers.CharField(help_text="Its page on this site.")


class ScoresOut(serializers.Serializer[Any]):
    exact_match = serializers.IntegerField(help_text="1 or 0.")
    edits = serializers.IntegerField(help_text="Characters to insert, delete or replace.")
    reference = serializers.IntegerField(help_text="Characters of the expected text.")


class ExampleOut(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Of the row in the dataset version, from 0.")
    input = serializers.CharField()
    expected = serializers.CharField()
    output = serializers.CharField()
    correct = serializers.BooleanField()
    scores = ScoresOut()
    latency_ms = serializers.FloatField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(help_text="Why there is no answer.")


def show_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation in the shape of EvaluationOut."""
    return {
        "id": evaluation.pk,
        "team": evaluation.team.name,
        "model": str(evaluation.model),
        "version": evaluation.version.number,
        "digest": evaluation.version.digest,
        "dataset": str(evaluation.dataset),
        "dataset_version": evaluation.dataset_version.number,
        "dataset_digest": evaluation.dataset_version.digest,
        "state": evaluation.state,
        "message": evaluation.message,
        "total": evaluation.total,
        "done": evaluation.done,
        "without_answer": evaluation.errors,
        "complete": evaluation.is_whole,
        "parameters": evaluation.parameters,
        "metrics": evaluation.results,
        "created_by": evaluation.created_by.email,
        "created_at": evaluation.created_at,
        "started_at": evaluation.started_at,
        "finished_at": evaluation.finished_at,
        "seconds_left": evaluation.seconds_left,
        "link": evaluation.get_absolute_url(),
    }


def show_example(example: Example) -> dict[str, Any]:
    return {
        "index": example.index,
        "input": example.input,
        "expected": example.expected,
        "output": example.output,
        "correct": example.correct,
        "scores": example.scores,
        "latency_ms": example.latency_ms,
        "tokens": example.tokens,
        "error": example.error,
    }
