"""What people may ask of deployments, and what the gate lets through."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.access import Actor
from accounts.errors import ApprovalRequired, Conflict, Forbidden, Invalid, Unavailable
from governance.ledger.models import AuditEvent
from registry.models import Version
from serving import actions, cluster
from serving.models import Deployment, Hold
from tests.serving.conftest import approve, make_version

pytestmark = pytest.mark.usefixtures("machine")


def create(version: Version, by: Actor, **changes: Any) -> Deployment:
    fields = {"team": version.asset.team, "name": "dates", "version": version, "stage": "production"}
    return actions.create_deployment(**(fields | changes), by=by)


@pytest.fixture
def deployment(approved: Version, dana: Actor) -> Deployment:
    return create(approved, dana)


def events(*names: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__in=names).order_by("id"))


def test_approved_version_is_deployed_bound_to_its_digest_and_approval(approved: Version, dana: Actor) -> None:
    deployment = create(approved, dana)
    assert (deployment.state, deployment.desired, deployment.endpoint) == ("queued", "running", "")
    assert deployment.revision is not None
    assert (deployment.revision.number, deployment.revision.digest) == (1, approved.digest)
    assert deployment.revision.approval_id is not None
    (event,) = events("deployment.created")
    assert event.actor_name == "Dana"
    assert event.after["digest"] == approved.digest
    assert f"version:{approved.pk}" in event.subjects
    assert f"model:{approved.asset_id}" in event.subjects


def test_unapproved_version_is_refused_and_the_refusal_is_in_the_ledger(version: Version, dana: Actor) -> None:
    with pytest.raises(ApprovalRequired) as refusal:
        create(version, dana)
    assert "not approved for production" in refusal.value.detail
    assert refusal.value.link.startswith("/requests/new?")
    assert not Deployment.objects.exists()
    (event,) = events("deployment.refused")
    assert event.after == {"deployment": "acme/dates", "stage": "production"}
    assert f"version:{version.pk}" in event.subjects


def test_what_can_not_be_served_is_refused_with_the_reason(cast: SimpleNamespace, dana: Actor) -> None:
    facts = {"servable": False, "not_servable": "config.json is missing."}
    with pytest.raises(Invalid, match="can't be served"):
        create(make_version(cast, facts=facts), dana, stage="development")
    assert not Deployment.objects.exists()


def test_approval_of_one_digest_never_covers_another(approved: Version, cast: SimpleNamespace, dana: Actor) -> None:
    with pytest.raises(ApprovalRequired):
        create(make_version(cast, number=2), dana)


@pytest.mark.parametrize("state", ["open", "approved", "rejected", "withdrawn", "expired", "superseded"])
def test_only_an_applied_approval_counts(version: Version, cast: SimpleNamespace, dana: Actor, state: str) -> None:
    approve(version, cast, state=state, **({"closed_at": None} if state in ("open", "approved") else {}))
    with pytest.raises(ApprovalRequired):
        create(version, dana)


def test_free_stage_needs_no_approval(version: Version, dana: Actor) -> None:
    deployment = create(version, dana, stage="development")
    assert deployment.revision
    assert deployment.revision.approval_id is None


def test_update_asks_the_gate_for_the_new_version(deployment: Deployment, cast: SimpleNamespace, dana: Actor) -> None:
    second = make_version(cast, number=2)
    with pytest.raises(ApprovalRequired):
        actions.update_deployment(deployment=deployment, version=second, by=dana)
    deployment.refresh_from_db()
    assert deployment.revision
    assert deployment.revision.number == 1
    assert deployment.generation == 1
    approve(second, cast)
    updated = actions.update_deployment(deployment=deployment, version=second, by=dana)
    assert updated.revision
    assert (updated.revision.number, updated.revision.digest) == (2, second.digest)


def test_start_asks_the_gate_again(deployment: Deployment, cast: SimpleNamespace, dana: Actor) -> None:
    from governance.models import ApprovalRequest

    actions.stop_deployment(deployment=deployment, by=dana)
    ApprovalRequest.objects.update(state="superseded")
    with pytest.raises(ApprovalRequired):
        actions.start_deployment(deployment=deployment, by=dana)
    deployment.refresh_from_db()
    assert deployment.desired == "stopped"
    assert len(events("deployment.refused")) == 1


def test_trying_a_failed_update_again_leaves_the_older_revision_answering(deployment: Deployment, dana: Actor) -> None:
    from django.utils import timezone

    endpoint = "http://127.0.0.1:1/deployment-1-1"
    Deployment.objects.update(state="running", endpoint=endpoint, failures=3, retry_at=timezone.now())
    again = actions.start_deployment(deployment=deployment, by=dana)
    assert (again.state, again.endpoint, again.failures, again.retry_at) == ("updating", endpoint, 0, None)


def test_stopping_takes_the_endpoint_away_at_once(deployment: Deployment, dana: Actor) -> None:
    Deployment.objects.update(state="running", endpoint="http://127.0.0.1:1/deployment-1-1")
    stopped = actions.stop_deployment(deployment=deployment, by=dana)
    assert (stopped.desired, stopped.state, stopped.endpoint) == ("stopped", "stopping", "")
    actions.stop_deployment(deployment=deployment, by=dana)
    assert len(events("deployment.stopped")) == 1, "stopping twice is stopping once"


def test_scaling_makes_no_new_revision(deployment: Deployment, dana: Actor) -> None:
    scaled = actions.scale_deployment(deployment=deployment, replicas=2, by=dana)
    assert scaled.replicas == 2
    assert scaled.revisions.count() == 1
    (event,) = events("deployment.changed")
    assert (event.before["replicas"], event.after["replicas"]) == (1, 2)
    assert actions.scale_deployment(deployment=deployment, replicas=2, by=dana).generation == scaled.generation


def test_deleting_frees_the_name_and_leaves_the_ledger(deployment: Deployment, approved: Version, dana: Actor) -> None:
    actions.delete_deployment(deployment=deployment, by=dana)
    assert not Deployment.objects.exists()
    (event,) = events("deployment.deleted")
    assert event.before["digest"] == approved.digest
    create(approved, dana)


def test_name_that_exists_is_a_conflict(deployment: Deployment, approved: Version, dana: Actor) -> None:
    with pytest.raises(Conflict) as problem:
        create(approved, dana)
    assert "name" in problem.value.errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Dates!"}, "name"),
        ({"name": "~version-1"}, "name"),
        ({"stage": "moon"}, "stage"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": 65}, "replicas"),
        ({"engine": "llama.cpp"}, "engine"),
        ({"engine_options": {"max_modl_len": 1}}, "engine_options"),
        ({"engine_options": {"num_cpus": 0}}, "engine_options"),
        ({"num_gpus": -1}, "num_gpus"),
        ({"num_gpus": 1.5}, "num_gpus"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(
    approved: Version, dana: Actor, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as problem:
        create(approved, dana, **changes)
    assert list(problem.value.errors) == [field]
    assert not Deployment.objects.exists()


def test_draft_dataset_and_other_teams_model_are_refused(
    version: Version, cast: SimpleNamespace, dana: Actor, actor: Callable[..., Actor]
) -> None:
    draft = make_version(cast, number=9, state="draft", digest="", registered_at=None, registered_by=None)
    with pytest.raises(Invalid, match="draft"):
        create(draft, dana)
    from registry.models import Asset

    Asset.objects.update(kind="dataset", task="")
    with pytest.raises(Invalid, match="dataset"):
        create(Version.objects.get(pk=version.pk), dana)


def test_gpu_where_there_is_none_is_refused_with_what_the_cluster_has(approved: Version, dana: Actor) -> None:
    with pytest.raises(Invalid) as problem:
        create(approved, dana, num_gpus=1)
    assert "2 CPUs, no GPU and 24.0 GiB of memory on 1 node" in problem.value.detail
    assert list(problem.value.errors) == ["num_gpus"]
    assert not Deployment.objects.exists()


def test_more_gpus_than_any_node_has_are_refused(approved: Version, dana: Actor, machine: SimpleNamespace) -> None:
    machine.nodes = [cluster.Node(f"n{n}", "", cpus=8, gpus=4, memory_bytes=1) for n in range(2)]
    with pytest.raises(Invalid, match="At most 4 fit on one node"):
        create(approved, dana, num_gpus=8)
    assert create(approved, dana, num_gpus=4, replicas=2).replicas == 2


def test_more_cpus_than_are_free_are_refused(deployment: Deployment, approved: Version, dana: Actor) -> None:
    with pytest.raises(Conflict) as problem:
        create(approved, dana, name="more", replicas=8)
    assert "other deployments take 0.25 CPUs" in problem.value.detail
    assert "stop one of acme/dates" in problem.value.errors["replicas"][0]
    assert actions.scale_deployment(deployment=deployment, replicas=8, by=dana).replicas == 8, "its own don't count"


def test_while_ray_is_away_only_gpus_cannot_be_promised(
    approved: Version, dana: Actor, machine: SimpleNamespace
) -> None:
    machine.error = cluster.RayDown("Nothing answers.")
    with pytest.raises(Unavailable):
        create(approved, dana, num_gpus=1)
    assert create(approved, dana).state == "queued"


ALLOWED = {"dana", "admin"}


@pytest.mark.parametrize("who", ["alice", "bob", "dana", "carol", "victor", "mallory", "admin"])
def test_only_deployers_and_administrators_change_deployments(
    deployment: Deployment, approved: Version, cast: SimpleNamespace, actor: Callable[..., Actor], who: str
) -> None:
    by = actor(getattr(cast, who))
    for act in (
        lambda: create(approved, by, name="another"),
        lambda: actions.scale_deployment(deployment=deployment, replicas=2, by=by),
        lambda: actions.stop_deployment(deployment=deployment, by=by),
        lambda: actions.start_deployment(deployment=deployment, by=by),
        lambda: actions.delete_deployment(deployment=deployment, by=by),
    ):
        if who in ALLOWED:
            act()
        else:
            with pytest.raises(Forbidden):
                act()


def test_target_stays_up_while_anybody_holds_it(
    version: Version, actor: Callable[..., Actor], cast: SimpleNamespace
) -> None:
    by = actor(cast.alice)
    target = actions.hold_target(version=version, holder="evaluation:1", by=by)
    assert (target.purpose, target.stage, target.desired) == ("evaluation", "", "running")
    assert actions.hold_target(version=version, holder="evaluation:1", by=by).pk == target.pk
    actions.hold_target(version=version, holder="evaluation:2", by=by)
    assert Hold.objects.count() == 2
    assert Deployment.objects.count() == 1
    actions.release_target(holder="evaluation:1")
    actions.release_target(holder="evaluation:1")
    target.refresh_from_db()
    assert target.desired == "running"
    actions.release_target(holder="evaluation:2")
    target.refresh_from_db()
    assert (target.desired, target.state) == ("stopped", "stopping")
    again = actions.hold_target(version=version, holder="evaluation:3", by=by)
    assert (again.pk, again.desired) == (target.pk, "running")
    assert not Deployment.objects.for_people().exists()


def test_database_refuses_what_no_action_writes(deployment: Deployment) -> None:
    for change in ({"replicas": 0}, {"stage": ""}, {"state": "stopped", "endpoint": "http://x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Deployment.objects.filter(pk=deployment.pk).update(**change)
