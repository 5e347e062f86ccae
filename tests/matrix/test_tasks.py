"""Every task of Celery's registry and every command of ours: what each changes is told in the same transaction.

A new task or command without an entry here fails. An entry brings about the change that the task is there for; one that
changes nothing governed says so."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command, get_commands
from django.utils import timezone

from accounts.access import Actor
from accounts.models import ApiKey, Grant, KeyAddress, User
from accounts.roles import Role
from accounts.tasks import end_expired_grants, record_key_uses
from config.celery import app
from evaluation.tasks import resume
from evaluation.tasks import run as run_evaluation
from governance.ledger.models import AuditEvent
from governance.ledger.tasks import anchor_checkpoints, index_events, seal_events
from governance.models import ApprovalRequest
from governance.tasks import keep_requests, lapse_approvals
from home import approvals
from home.tasks import apply_due
from notifications.tasks import deliver, follow, forget_erased, send_mail, sweep
from playground.models import PlaygroundRun
from playground.tasks import resume as resume_playground
from playground.tasks import run as run_playground
from prompt_tests.tasks import resume as resume_tests
from prompt_tests.tasks import run as run_tests
from registry import actions as registry
from registry.models import Asset, Version
from registry.tasks import (
    convert,
    measure_weights,
    purge_deleted,
    refresh_search,
    scan,
    scan_versions,
    scrub_blobs,
    sign,
    sign_versions,
    sweep_uploads,
)
from serving import cluster
from serving.models import Deployment
from serving.tasks import reconcile
from tests.matrix.calls import undone
from tests.matrix.governed import is_governed, untold
from tests.matrix.journal import Journal, journal
from tests.matrix.world import World
from tracking.models import Run
from tracking.tasks import close_lost, purge

OURS = ("governance", "registry", "prompts", "accounts", "serving", "gateway", "evaluation", "tracking", "prompt_tests", "playground", "home", "notifications", "config")  # fmt: skip


@dataclass(frozen=True)
class Work:
    """`run(world, monkeypatch, journal)` does what there is to be done. `tells`: the events that it is for; empty with `quiet`."""

    run: Callable[[World, pytest.MonkeyPatch, Journal], Any]
    tells: tuple[str, ...] = ()
    quiet: str = ""


def outlive_the_grace(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        Run.objects.exclude(deleted_at=None).update(deleted_at=timezone.now() - timedelta(days=31))
    purge()


def lose_a_run(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    with written.aside():
        Run.objects.filter(pk=world.own.run.pk).update(state="running", heartbeat_at=long_ago)
    close_lost()


def fail_an_evaluation(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    """Its model does not start: the first turn takes it up and asks for the model, the second finds that it failed."""
    run_evaluation(world.own.evaluation.pk)
    with written.aside():
        Deployment.objects.filter(purpose="evaluation").update(state="failed", failures=5, message="No memory.")
    run_evaluation(world.own.evaluation.pk)


def play(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    """Its model has not started: that is what each cell says, and the run ends."""
    with written.aside():
        PlaygroundRun.objects.filter(pk=world.own.values["play"]).update(lease_until=timezone.now())
    run_playground(world.own.values["play"])


def fail_a_test_run(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    """The first turn takes it up and waits for the deployment, the second finds that it failed."""
    run_tests(world.own.test_run.pk)
    with written.aside():
        Deployment.objects.filter(name="dep").update(state="failed", message="No memory.")
    run_tests(world.own.test_run.pk)


def see_a_failed_start(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    failed = {
        name: cluster.App(name, "DEPLOY_FAILED", deployment_message="No memory.")
        for name in (row.revision.application for row in Deployment.objects.with_revision() if row.revision)
    }
    patch.setattr(
        cluster, "observe", lambda: cluster.Observed(serve_is_up=True, http=cluster.serve_address(), apps=failed)
    )
    patch.setattr(cluster, "deploy", lambda wanted: None)
    reconcile()


def purge_a_version(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    long_ago = timezone.now() - timedelta(days=100)
    with written.aside():
        Version.objects.filter(asset=world.own.model, number=3).update(deleted_at=long_ago)
    purge_deleted()


def end_a_grant(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        Grant.objects.filter(user=world.own.people[Role.VIEWER]).update(expires_at=timezone.now() - timedelta(hours=1))
    end_expired_grants()


def use_a_key_at_the_gateway(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        key = ApiKey.objects.get(key_id=world.callers["own:viewer"].key_id)
        KeyAddress.objects.create(key=key, address="203.0.113.9", recorded=False)
    record_key_uses()


def decide_nothing_in_time(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        past = timezone.now() - timedelta(hours=1)
        ApprovalRequest.objects.filter(pk=world.own.values["unsure"]).update(expires_at=past)
    keep_requests()


def outlive_an_approval(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        past = timezone.now() - timedelta(hours=1)
        ApprovalRequest.objects.filter(pk=world.own.values["applied"]).update(valid_until=past)
    lapse_approvals()


def let_an_hour_come(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    people = world.own.people
    with written.aside():
        planned = approvals.open_request(
            kind="model", asset="acme/n", version=3, alias="production", reason="at night",
            apply_at=timezone.now() + timedelta(hours=1), by=Actor(people[Role.CONTRIBUTOR]),
        )  # fmt: skip
        approvals.decide(request=planned, verdict="approve", comment="", by=Actor(people[Role.REVIEWER]))
        ApprovalRequest.objects.filter(pk=planned.pk).update(apply_at=timezone.now() - timedelta(seconds=1))
    apply_due()


def sign_each() -> None:
    for pk in Version.objects.registered().values_list("pk", flat=True):
        sign(pk)


def convert_one(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    """Of a checkpoint that is none: it ends with the reason."""
    with written.aside():
        by = Actor(world.own.people[Role.CONTRIBUTOR])
        asset = Asset.objects.get(team=world.own.team, kind="model", name="m")
        draft = registry.create_version(asset=asset, by=by)
        registry.add_file(version=draft, path="pytorch_model.bin", stream=io.BytesIO(b"none"), by=by)
        made = registry.start_conversion(version=registry.register_version(version=draft, by=by), by=by)
    convert(made.pk)


def scan_each() -> None:
    for pk in Version.objects.registered().values_list("pk", flat=True):
        scan(pk)


TASKS: dict[str, Work] = {
    "accounts.tasks.end_expired_grants": Work(end_a_grant, tells=("role.expired",)),
    "accounts.tasks.record_key_uses": Work(use_a_key_at_the_gateway, tells=("key.first_used_from",)),
    "evaluation.tasks.run": Work(fail_an_evaluation, tells=("evaluation.taken_up", "evaluation.finished")),
    "playground.tasks.run": Work(play, tells=("playground_run.finished",)),
    "playground.tasks.resume": Work(lambda *_: resume_playground(), quiet="it queues the task above"),
    "evaluation.tasks.resume": Work(lambda *_: resume(), quiet="it queues the task above"),
    "governance.ledger.tasks.index_events": Work(lambda *_: index_events(), quiet="the ledger's own index"),
    "governance.ledger.tasks.seal_events": Work(lambda *_: seal_events(), quiet="the ledger's own tree"),
    "governance.ledger.tasks.anchor_checkpoints": Work(lambda *_: anchor_checkpoints(), quiet="the ledger's own tree"),
    "governance.tasks.keep_requests": Work(decide_nothing_in_time, tells=("request.expired",)),
    "governance.tasks.lapse_approvals": Work(outlive_an_approval, tells=("approval.lapsed", "request.opened")),
    "home.tasks.apply_due": Work(let_an_hour_come, tells=("request.applied", "alias.moved")),
    "notifications.tasks.follow": Work(lambda *_: follow(), quiet="messages about events"),
    "notifications.tasks.deliver": Work(
        lambda *_: deliver(), quiet="what came of messages; disabling a webhook is an event"
    ),
    "notifications.tasks.send_mail": Work(lambda *_: send_mail(), quiet="what came of messages"),
    "notifications.tasks.forget_erased": Work(
        lambda *_: forget_erased(), quiet="notices that quote what was erased; the erasure is the event"
    ),
    "notifications.tasks.sweep": Work(lambda *_: sweep(), quiet="messages that are older than they are kept"),
    "prompt_tests.tasks.run": Work(fail_a_test_run, tells=("test_run.taken_up", "test_run.finished")),
    "prompt_tests.tasks.resume": Work(lambda *_: resume_tests(), quiet="it queues the task above"),
    "registry.tasks.purge_deleted": Work(purge_a_version, tells=("version.purged",)),
    "registry.tasks.refresh_search": Work(
        lambda *_: refresh_search(), quiet="what search knows follows from what it tells of"
    ),
    "registry.tasks.scan": Work(lambda world, *_: scan_each(), tells=("evidence.deposited",)),
    "registry.tasks.measure_weights": Work(
        lambda *_: measure_weights(), quiet="how far weights moved: derived, and made again at any time"
    ),
    "registry.tasks.sign": Work(lambda *_: sign_each(), tells=("version.signed",)),
    "registry.tasks.sign_versions": Work(lambda *_: sign_versions(), tells=("version.signed",)),
    "registry.tasks.convert": Work(convert_one, tells=("conversion.finished",)),
    "registry.tasks.convert_waiting": Work(convert_one, tells=("conversion.finished",)),
    "registry.tasks.scan_versions": Work(lambda *_: scan_versions(), tells=("evidence.deposited",)),
    "registry.tasks.scrub_blobs": Work(
        lambda *_: scrub_blobs(), quiet="when bytes were hashed again; damage is an event"
    ),
    "registry.tasks.sweep_uploads": Work(lambda *_: sweep_uploads(), quiet="bytes that nothing refers to"),
    "serving.tasks.reconcile": Work(see_a_failed_start, tells=("deployment.state_changed",)),
    "tracking.tasks.close_lost": Work(lose_a_run, tells=("run.finished",)),
    "tracking.tasks.purge": Work(outlive_the_grace, tells=("run.purged",)),
}


def first_administrator(world: World, patch: pytest.MonkeyPatch, written: Journal) -> None:
    with written.aside():
        User.objects.update(is_superuser=False)
    patch.setenv("COUNTERSIGN_ADMIN_EMAIL", "first@example.com")
    call_command("bootstrap", stdout=io.StringIO())


def next_signing_key(*_: Any) -> None:
    call_command("rotate_ledger_key", reason="a new year", stdout=io.StringIO())


COMMANDS: dict[str, Work] = {
    "rotate_model_key": Work(
        lambda *_: call_command("rotate_model_key", reason="a new year", stdout=io.StringIO()),
        tells=("model_key.rotated",),
    ),
    "draw_transitions": Work(
        lambda *_: call_command("draw_transitions", stdout=io.StringIO()), quiet="it writes a page of the docs"
    ),
    "bootstrap": Work(first_administrator, tells=("user.created",)),
    "rotate_ledger_key": Work(next_signing_key, tells=("ledger_key.rotated",)),
}


def test_every_task_and_command_has_an_entry():
    app.loader.import_default_modules()
    tasks = {name for name in app.tasks if not name.startswith("celery.")}
    commands = {name for name, owner in get_commands().items() if str(owner).split(".")[0] in OURS}
    assert tasks ^ set(TASKS) == set(), "say in TASKS what it changes and which events tell of it"
    assert commands ^ set(COMMANDS) == set(), "say in COMMANDS what it changes and which events tell of it"


@pytest.mark.parametrize("name", [*TASKS, *COMMANDS])
def test_what_runs_by_itself_tells_what_it_changes(name, world, monkeypatch):
    work = {**TASKS, **COMMANDS}[name]
    with undone():
        before = AuditEvent.objects.values_list("pk", flat=True).first() or 0
        with journal() as written:
            work.run(world, monkeypatch, written)
        events = list(AuditEvent.objects.filter(pk__gt=before).order_by("pk"))
    assert untold(written) == []
    if work.quiet:
        assert not [write for write in written.writes if is_governed(write)], work.quiet
    else:
        assert set(work.tells) <= {event.action for event in events}
    for event in events:
        assert event.actor_name and event.via and event.target_kind and event.target_label and event.subjects, event
