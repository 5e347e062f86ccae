"""The bodies that the REST API of experiments and runs takes and gives."""

import math
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from registry.models import Artifact
from tracking.models import Experiment, Metric, Run

_STATES = Run.State.choices


class ExperimentIn(serializers.Serializer[Any]):
    team = serializers.CharField(max_length=96, help_text="The team's name.")
    name = serializers.CharField(max_length=500, help_text="The team's only one of this name.")
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True), default=dict)


class ExperimentPatch(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=500, required=False)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True, help_text="Markdown.")


class ExperimentOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    name = serializers.CharField()
    is_default = serializers.BooleanField(
        help_text="Runs that name no experiment are here; MLflow's clients know it as 0."
    )
    description = serializers.CharField()
    tags = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)
    link = serializers.CharField(help_text="Its page on this site.")


class RunIn(serializers.Serializer[Any]):
    team = serializers.CharField(max_length=96, help_text="The team's name.")
    name = serializers.CharField(max_length=120, help_text="What the run does.")
    kind = serializers.ChoiceField(Run.Kind.choices, default="training")
    total_steps = serializers.IntegerField(default=0, min_value=0, help_text="0: not known beforehand.")
    parameters = serializers.DictField(default=dict, help_text="Any JSON object, such as learning rate and batch size.")
    experiment = serializers.CharField(
        required=False, max_length=500, help_text="The name of an experiment of the team; its default one without it."
    )


class RunPatch(serializers.Serializer[Any]):
    state = serializers.ChoiceField(_STATES, required=False)
    step = serializers.IntegerField(required=False, min_value=0, help_text="Steps done so far.")
    message = serializers.CharField(
        required=False, allow_blank=True, max_length=2_000, help_text="One line for whoever watches."
    )


class MetricIn(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=250, help_text="Such as 'loss'.")
    step = serializers.IntegerField(min_value=0)
    value = serializers.FloatField(help_text="A finite number.")


class MetricsIn(serializers.Serializer[Any]):
    metrics = MetricIn(many=True, help_text="At most 5000; a metric and step that was reported already is replaced.")


class MetricOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    step = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True, help_text="null where it is no finite number.")
    reported_at = serializers.DateTimeField()


class MetricsKept(serializers.Serializer[Any]):
    kept = serializers.IntegerField(help_text="How many points were written.")


class RunOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    run_id = serializers.CharField(help_text="32 hexadecimal digits: by these MLflow's clients know it.")
    team = serializers.CharField()
    experiment = serializers.CharField(help_text="The experiment's name.")
    experiment_id = serializers.IntegerField()
    kind = serializers.ChoiceField(Run.Kind.choices)
    name = serializers.CharField()
    state = serializers.ChoiceField(_STATES)
    step = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    message = serializers.CharField()
    parameters = serializers.DictField()
    tags = serializers.DictField(child=serializers.CharField())
    created_by = serializers.EmailField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    heartbeat_at = serializers.DateTimeField(help_text="The last report.")
    deleted_at = serializers.DateTimeField(allow_null=True)
    link = serializers.CharField(help_text="Its page on this site.")


class ArtifactOut(serializers.Serializer[Any]):
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    added_at = serializers.DateTimeField()


def show_experiment(experiment: Experiment) -> dict[str, Any]:
    """An experiment in the shape of ExperimentOut."""
    return {
        "id": experiment.pk,
        "team": experiment.team.name,
        "name": experiment.name,
        "is_default": experiment.is_default,
        "description": experiment.description,
        "tags": experiment.tags,
        "created_at": experiment.created_at,
        "updated_at": experiment.updated_at,
        "deleted_at": experiment.deleted_at,
        "link": experiment.get_absolute_url(),
    }


def show_run(run: Run) -> dict[str, Any]:
    """A run in the shape of RunOut."""
    return {
        "id": run.pk,
        "run_id": run.uuid,
        "team": run.team.name,
        "experiment": run.experiment.name,
        "experiment_id": run.experiment_id,
        "kind": run.kind,
        "name": run.name,
        "state": run.state,
        "step": run.step,
        "total_steps": run.total_steps,
        "message": run.message,
        "parameters": run.parameters,
        "tags": run.tags,
        "created_by": run.created_by.email,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "heartbeat_at": run.heartbeat_at,
        "deleted_at": run.deleted_at,
        "link": run.get_absolute_url(),
    }


def show_metric(metric: Metric) -> dict[str, Any]:
    value = metric.value if math.isfinite(metric.value) else None
    at = datetime.fromtimestamp(metric.timestamp / 1000, UTC)
    return {"key": metric.key, "step": metric.step, "value": value, "reported_at": at}


def show_artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "path": artifact.path,
        "size": artifact.blob.size,
        "sha256": artifact.blob_id,
        "added_at": artifact.added_at,
    }
