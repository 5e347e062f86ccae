"""JSON shapes of deployments."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from governance.stages import Stage
from serving.actions.deployments import MAX_REPLICAS
from serving.cluster import Resources
from serving.models import Deployment, Revision
from serving.prices import plain

OPTIONS_HELP = (
    "The engine's options. transformers: max_model_len (tokens), dtype (auto, float32, bfloat16, float16), "
    "max_concurrency (requests computed at once in a replica), threads; num_cpus is Ray's CPU share of a replica. "
    "vllm: its own engine arguments."
)
GPUS_HELP = "GPUs per replica: 0 runs on CPU, a share such as 0.5 shares one."


class DeploymentIn(serializers.Serializer[Any]):
    team = serializers.CharField(help_text="The team; it is also the model's.")
    name = serializers.CharField(help_text="Clients of the gateway ask for the model 'team/name'.")
    model = serializers.CharField(help_text="The model, 'team/name'.")
    version = serializers.IntegerField(required=False, min_value=1, help_text="The version's number; or give an alias.")
    alias = serializers.CharField(required=False, help_text="An alias: the version that it points at now is deployed.")
    stage = serializers.ChoiceField(
        choices=[stage.value for stage in Stage],
        default=Stage.PRODUCTION.value,
        help_text="A protected stage takes only versions that were approved for it.",
    )
    replicas = serializers.IntegerField(default=1, min_value=1, max_value=MAX_REPLICAS, help_text="Copies to run.")
    engine = serializers.ChoiceField(choices=Revision.Engine.values, default=Revision.Engine.TRANSFORMERS.value)
    engine_options = serializers.DictField(required=False, help_text=OPTIONS_HELP)
    num_gpus = serializers.FloatField(default=0, min_value=0, help_text=GPUS_HELP)


class DeploymentChange(serializers.Serializer[Any]):
    """What is left out stays. Another version, engine or configuration makes a new revision."""

    version = serializers.IntegerField(required=False, min_value=1)
    alias = serializers.CharField(required=False)
    replicas = serializers.IntegerField(required=False, min_value=1, max_value=MAX_REPLICAS)
    engine = serializers.ChoiceField(required=False, choices=Revision.Engine.values)
    engine_options = serializers.DictField(required=False, help_text=OPTIONS_HELP)
    num_gpus = serializers.FloatField(required=False, min_value=0, help_text=GPUS_HELP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(self.initial_data) - set(self.fields)):
            raise serializers.ValidationError(
                {name: [f"This can't be changed here. Changeable are {', '.join(self.fields)}."] for name in unknown}
            )
        return attrs


class PricesIn(serializers.Serializer[Any]):
    """Both or neither: null for both takes the price away."""

    input_per_million = serializers.DecimalField(
        14, 6, allow_null=True, help_text="What a million tokens of input cost."
    )
    output_per_million = serializers.DecimalField(
        14, 6, allow_null=True, help_text="What a million tokens of answers cost."
    )


class PricesOut(PricesIn):
    currency = serializers.CharField(help_text="ISO 4217, such as USD.")


class RevisionOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    version = serializers.IntegerField()
    digest = serializers.CharField(help_text="The digest of the version's files; replicas verify it.")
    engine = serializers.CharField()
    engine_options = serializers.DictField()
    num_gpus = serializers.FloatField()
    approval = serializers.IntegerField(allow_null=True, help_text="The request that approved it; null: stage is free.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)


class ReplicaOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    revision = serializers.IntegerField()
    state = serializers.CharField(help_text="starting, running, stopping, stopped, …, as Ray Serve says.")
    node = serializers.CharField(help_text="Address of the node that it runs on.")
    pid = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)


class DeploymentOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    team = serializers.CharField()
    name = serializers.CharField()
    model = serializers.CharField(help_text="'team/name' of the deployed model.")
    version = serializers.IntegerField()
    stage = serializers.CharField()
    desired = serializers.ChoiceField(choices=Deployment.Desired.values, help_text="What people want.")
    state = serializers.ChoiceField(choices=Deployment.State.values, help_text="What was seen last.")
    message = serializers.CharField(help_text="The state in a sentence; of a failure what the engine said.")
    detail = serializers.CharField(help_text="All that Ray said about a failure.")
    state_changed_at = serializers.DateTimeField()
    retry_at = serializers.DateTimeField(allow_null=True, help_text="When a failed one is tried again.")
    replicas = serializers.IntegerField(help_text="How many are wanted.")
    ready_replicas = serializers.IntegerField(help_text="How many answer.")
    replica_states = ReplicaOut(many=True)
    revision = RevisionOut(help_text="The newest revision.")
    active_revision = serializers.IntegerField(allow_null=True, help_text="The revision that answers now.")
    prices = PricesOut(allow_null=True, help_text="What its tokens cost; null while nobody has said.")
    endpoint = serializers.CharField(
        allow_null=True, help_text="Base URL for clients, with `served_model` as model; null while nothing answers."
    )
    served_model = serializers.CharField(help_text="The model name that gateway clients send.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField(allow_null=True)


class NodeOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    address = serializers.CharField()
    cpus = serializers.FloatField()
    gpus = serializers.FloatField()
    memory_bytes = serializers.IntegerField()


class ClusterOut(serializers.Serializer[Any]):
    cpus = serializers.FloatField(help_text="Of all living nodes.")
    gpus = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    nodes = NodeOut(many=True)


def revision_json(revision: Revision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "version": revision.version.number,
        "digest": revision.digest,
        "engine": revision.engine,
        "engine_options": revision.engine_options,
        "num_gpus": revision.num_gpus,
        "approval": revision.approval_id,
        "created_at": revision.created_at,
        "created_by": revision.created_by.email if revision.created_by else None,
    }


def prices_json(row: Deployment) -> dict[str, Any] | None:
    if row.input_price is None or row.output_price is None:
        return None
    return {
        "input_per_million": plain(row.input_price),
        "output_per_million": plain(row.output_price),
        "currency": row.price_currency,
    }


def deployment_json(row: Deployment) -> dict[str, Any]:
    """A deployment that was read `with_revision`."""
    revision = row.revision
    return {
        "id": row.pk,
        "team": row.team.name,
        "name": row.name,
        "model": str(revision.version.asset) if revision else "",
        "version": revision.version.number if revision else 0,
        "stage": row.stage,
        "desired": row.desired,
        "state": row.state,
        "message": row.message,
        "detail": row.detail,
        "state_changed_at": row.state_changed_at,
        "retry_at": row.retry_at,
        "replicas": row.replicas,
        "ready_replicas": row.ready_replicas,
        "replica_states": [
            {field: replica[field] for field in ReplicaOut().fields} for replica in row.observed_replicas
        ],
        "revision": revision_json(revision) if revision else None,
        "active_revision": row.active.number if row.active else None,
        "prices": prices_json(row),
        # Ray Serve's own address is nobody's business: requests go through the gateway, with a key.
        "endpoint": f"{settings.GATEWAY_URL}/v1" if row.endpoint else None,
        "served_model": str(row),
        "created_at": row.created_at,
        "created_by": row.created_by.email if row.created_by else None,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by.email if row.updated_by else None,
    }


def cluster_json(has: Resources) -> dict[str, Any]:
    return {
        "cpus": has.cpus,
        "gpus": has.gpus,
        "memory_bytes": has.memory_bytes,
        "nodes": [
            {
                "id": node.id,
                "address": node.address,
                "cpus": node.cpus,
                "gpus": node.gpus,
                "memory_bytes": node.memory_bytes,
            }
            for node in has.nodes
        ],
    }
