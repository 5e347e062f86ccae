"""Models to deploy: rows for what needs no bytes, real files for what Ray loads."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts.access import Actor
from governance.models import ApprovalRequest
from registry.models import Asset, Version
from serving import cluster
from tests.fixtures.ray import ray_cluster

__all__ = ["ray_cluster"]


def make_version(cast: SimpleNamespace, *, name: str = "date-normaliser", number: int = 1, **fields: Any) -> Version:
    """A registered version without files; `fields` change the version."""
    asset, _ = Asset.objects.get_or_create(
        team=cast.team,
        kind="model",
        name=name,
        defaults={"task": "text-generation", "created_by": cast.alice, "updated_by": cast.alice},
    )
    digest = f"sha256:{hashlib.sha256(f'{name} {number}'.encode()).hexdigest()}"
    registered = {"state": "registered", "digest": digest, "registered_at": timezone.now(), "registered_by": cast.alice}
    return Version.objects.create(asset=asset, number=number, created_by=cast.alice, **(registered | fields))


def approve(version: Version, cast: SimpleNamespace, *, stage: str = "production", **fields: Any) -> ApprovalRequest:
    """An approval of these bytes that has been applied, as the story leaves it."""
    values: dict[str, Any] = {
        "team": version.asset.team,
        "kind": "model",
        "asset_id": version.asset_id,
        "asset_label": str(version.asset),
        "version_id": version.pk,
        "version_number": version.number,
        "digest": version.digest,
        "slot": stage,
        "stage": stage,
        "requested_by": cast.alice,
        "state": "applied",
        "closed_at": timezone.now(),
    }
    return ApprovalRequest.objects.create(**(values | fields))


@pytest.fixture
def version(cast: SimpleNamespace) -> Version:
    return make_version(cast)


@pytest.fixture
def approved(version: Version, cast: SimpleNamespace) -> Version:
    approve(version, cast)
    return version


@pytest.fixture
def dana(cast: SimpleNamespace) -> Actor:
    return Actor(cast.dana, via="ui")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the cluster is said to have: two CPUs and no GPU, unless a test changes it."""
    has = SimpleNamespace(
        nodes=[cluster.Node("n1", "127.0.0.1", cpus=2, gpus=0, memory_bytes=24 * 1024**3)], error=None
    )

    def resources(**_: Any) -> cluster.Resources:
        if has.error:
            raise has.error
        return cluster.Resources(has.nodes)

    monkeypatch.setattr(cluster, "resources", resources)
    return has
