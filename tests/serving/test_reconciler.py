"""The reconciler against a real Ray Serve, a real engine and the site's own door for files."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from registry import actions as registry
from registry.models import Asset, Version
from serving import actions, cluster, planning, reconciler
from serving.models import Deployment
from tests.conftest import make_cast
from tests.fixtures.ray import RayCluster, eventually
from tests.serving.engines import tiny

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def site(ray_cluster: RayCluster, live_server: Any, tmp_path: Path, settings: Any) -> Iterator[SimpleNamespace]:
    """The cast and a registered tiny Llama; replicas fetch its files from the live server."""
    settings.INTERNAL_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    settings.STORAGE = tmp_path / "storage"
    settings.ENGINE_CACHE = tmp_path / "cache"
    cast = make_cast()
    yield SimpleNamespace(cast=cast, dana=Actor(cast.dana), version=register(cast, tiny.make_llama(tmp_path / "llama")))
    cluster.deploy([])  # not by the reconciler, which would end Serve itself with nothing left to run
    eventually(lambda: not cluster.observe().apps, what="Serve is empty again")


def register(cast: SimpleNamespace, folder: Path, name: str = "tiny") -> Version:
    alice = Actor(cast.alice)
    asset = Asset.objects.filter(name=name).first() or registry.create_asset(
        team=cast.team, kind="model", name=name, task="text-generation", by=alice
    )
    version = registry.create_version(asset=asset, by=alice)
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            registry.add_file(version=version, path=path.name, stream=stream, by=alice)
    return registry.register_version(version=version, by=alice)


def deploy(site: SimpleNamespace, **changes: Any) -> Deployment:
    fields = {"team": site.cast.team, "name": "tiny", "version": site.version, "stage": "development"}
    return actions.create_deployment(**(fields | changes), by=site.dana)


def until(deployment: Deployment, done: Callable[[Deployment], Any], *, timeout_s: float = 90) -> Deployment:
    """Reconcile as beat does until the deployment looks like that."""
    states: list[str] = []

    def look() -> Deployment | None:
        reconciler.reconcile()
        deployment.refresh_from_db()
        if deployment.state not in states[-1:]:
            states.append(deployment.state)
        return deployment if done(deployment) else None

    try:
        found: Deployment = eventually(look, timeout_s=timeout_s)
    except AssertionError:
        raise AssertionError(f"{states}: {deployment.message}\n{deployment.detail}") from None
    found.states = states  # type: ignore[attr-defined]
    return found


def complete(deployment: Deployment) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{deployment.endpoint}/v1/completions",
        data=json.dumps({"model": str(deployment), "prompt": "the sea", "max_tokens": 3}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_whole_life_of_a_deployment(site: SimpleNamespace, ray_cluster: RayCluster) -> None:
    deployment = deploy(site)
    until(deployment, lambda d: d.state == "running")
    assert deployment.states[0] == "queued"
    assert "starting" in deployment.states
    assert complete(deployment)["usage"]["completion_tokens"] > 0
    (replica,) = deployment.observed_replicas
    assert replica["state"] == "running"
    assert replica["revision"] == 1
    assert cluster.log_tail(replica["node_id"], replica["log"], lines=50)
    first = replica["id"]

    actions.scale_deployment(deployment=deployment, replicas=2, by=site.dana)
    until(deployment, lambda d: d.state == "running" and d.ready_replicas == 2)
    assert first in {replica["id"] for replica in deployment.observed_replicas}, "the first one went on"
    assert len(ray_cluster.replicas()) == 2

    actions.stop_deployment(deployment=deployment, by=site.dana)
    until(deployment, lambda d: d.state == "stopped")
    assert ray_cluster.replicas() == []
    assert deployment.observed_replicas == []
    assert deployment.endpoint == ""

    actions.start_deployment(deployment=deployment, by=site.dana)
    until(deployment, lambda d: d.state == "running" and d.ready_replicas == 2)
    changes = AuditEvent.objects.filter(action="deployment.state_changed").order_by("id")
    assert [event.after["state"] for event in changes] == ["running"] * 3  # at first, scaled, started again
    assert {event.actor_name for event in changes} == {"system"}


def test_update_goes_from_one_revision_to_the_next_without_a_gap(site: SimpleNamespace, tmp_path: Path) -> None:
    deployment = until(deploy(site), lambda d: d.state == "running")
    first = deployment.endpoint
    second = register(site.cast, tiny.make_llama(tmp_path / "second", seed=1))
    actions.update_deployment(deployment=deployment, version=second, by=site.dana)
    until(deployment, lambda d: d.state == "updating")
    assert deployment.endpoint == first
    assert complete(deployment)
    until(deployment, lambda d: d.state == "running" and d.endpoint != first)
    assert deployment.active
    assert deployment.active.version == second
    assert complete(deployment)
    eventually(lambda: reconciler.reconcile() and list(cluster.observe().apps) == [deployment.active.application])


def test_files_that_do_not_load_fail_with_the_engines_words_and_back_off(
    site: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tiny.make_llama(tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_size": 48}))
    monkeypatch.setattr(planning, "backoff_s", lambda failures: 3600.0)
    deployment = deploy(site, version=register(site.cast, broken))
    until(deployment, lambda d: d.state == "failed")
    assert deployment.message.startswith("the model does not load: RuntimeError"), deployment.message
    assert "Traceback" not in deployment.message
    assert deployment.detail
    assert deployment.failures == 1
    assert deployment.retry_at is not None
    eventually(lambda: reconciler.reconcile() and not cluster.observe().apps, what="nothing is retried before its time")
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    assert deployment.observed_replicas, "the log can still be found"
    (event,) = AuditEvent.objects.filter(action="deployment.state_changed")
    assert event.after["state"] == "failed"
    assert event.reason == deployment.message


def test_failed_update_leaves_the_older_revision_answering(site: SimpleNamespace, tmp_path: Path) -> None:
    deployment = until(deploy(site), lambda d: d.state == "running")
    broken = tiny.make_llama(tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_size": 48}))
    actions.update_deployment(deployment=deployment, version=register(site.cast, broken), by=site.dana)
    until(deployment, lambda d: d.failures >= 1)
    assert deployment.state == "running"
    assert deployment.active
    assert deployment.active.number == 1
    assert "Revision 1 goes on answering" in deployment.message
    assert complete(deployment)


def test_ray_killed_and_started_again_runs_everything_again(site: SimpleNamespace, ray_cluster: RayCluster) -> None:
    deployment = until(deploy(site), lambda d: d.state == "running")
    ray_cluster.kill()
    until(deployment, lambda d: d.state == "queued", timeout_s=10)
    assert deployment.endpoint == ""
    assert "Ray isn't running" in deployment.message
    ray_cluster.start()
    until(deployment, lambda d: d.state == "running")
    assert complete(deployment)


def test_killed_replica_is_replaced(site: SimpleNamespace, ray_cluster: RayCluster) -> None:
    deployment = until(deploy(site), lambda d: d.state == "running")
    (process,) = ray_cluster.replicas()
    (before,) = deployment.observed_replicas
    process.kill()
    until(deployment, lambda d: d.state == "running" and [r["id"] for r in d.observed_replicas] != [before["id"]])
    assert complete(deployment)


def test_deleted_deployment_leaves_nothing_on_ray(site: SimpleNamespace, ray_cluster: RayCluster) -> None:
    deployment = until(deploy(site), lambda d: d.state == "running")
    actions.delete_deployment(deployment=deployment, by=site.dana)
    assert eventually(lambda: reconciler.reconcile() and not ray_cluster.replicas())


def test_one_reconciler_runs_at_a_time(site: SimpleNamespace) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [reconciler.LOCK_KEY])
        assert reconciler.reconcile() is False
    assert eventually(reconciler.reconcile, timeout_s=5)
