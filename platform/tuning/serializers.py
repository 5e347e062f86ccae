"""The bodies that the REST API of runs takes and gives."""

from typing import Any

from rest_framework import serializers

from tuning.models import RunMetric, TrainingRun

_STATES = TrainingRun.State.choices


class RunIn(serializers.Serializer[Any]):
    team = serializers.CharField(max_length=96, help_text="The team's name.")
    name = serializers.CharField(max_length=120, help_text="What the run does.")
    kind = serializers.ChoiceField(TrainingRun.Kind.choices, default="training")
    total_steps = serializers.IntegerField(default=0, min_value=0, help_text="0: not known beforehand.")
    parameters = serializers.DictField(default=dict, help_text="Any JSON object, such as learning rate and batch size.")


class RunPatch(serializers.Serializer[Any]):
    state = serializers.ChoiceField(_STATES, required=False)
    step = serializers.IntegerField(required=False, min_value=0, help_text="Steps done so far.")
    message = serializers.CharField(
        required=False, allow_blank=True, max_length=2_000, help_text="One line for whoever watches."
    )


class MetricIn(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=80, help_text="Such as 'loss'.")
    step = serializers.IntegerField(min_value=0)
    value = serializers.FloatField(help_text="A finite number.")


class MetricsIn(serializers.Serializer[Any]):
    metrics = MetricIn(many=True, help_text="At most 5000; a metric and step that was reported already is replaced.")


class MetricOut(MetricIn):
    reported_at = serializers.DateTimeField()


class MetricsKept(serializers.Serializer[Any]):
    kept = serializers.IntegerField(help_text="How many points were written.")


class RunOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    kind = serializers.ChoiceField(TrainingRun.Kind.choices)
    name = serializers.CharField()
    state = serializers.ChoiceField(_STATES)
    step = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    message = serializers.CharField()
    parameters = serializers.DictField()
    created_by = serializers.EmailField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    heartbeat_at = serializers.DateTimeField(help_text="The last report.")
    link = serializers.CharField(help_text="Its page on this site.")


def show_run(run: TrainingRun) -> dict[str, Any]:
    """A run in the shape of RunOut."""
    return {
        "id": run.pk,
        "team": run.team.name,
        "kind": run.kind,
        "name": run.name,
        "state": run.state,
        "step": run.step,
        "total_steps": run.total_steps,
        "message": run.message,
        "parameters": run.parameters,
        "created_by": run.created_by.email,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "heartbeat_at": run.heartbeat_at,
        "link": run.get_absolute_url(),
    }


def show_metric(metric: RunMetric) -> dict[str, Any]:
    return {"key": metric.key, "step": metric.step, "value": metric.value, "reported_at": metric.reported_at}
