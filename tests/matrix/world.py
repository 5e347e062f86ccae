"""Two teams with one of everything each, and everybody who might come by.

Whatever a team's people wrote carries the team's word: where a stranger's page shows it, something leaked.
"""

import io
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.access import Actor
from accounts.actions import (
    add_member,
    create_first_administrator,
    create_group,
    create_key,
    create_role,
    create_service_account,
    create_team,
    create_user,
    grant_role,
)
from accounts.models import Grant, Team, User
from accounts.roles import Role
from evaluation.actions import create_evaluation
from governance.actions import create_policy, delegate
from governance.actions.views import save_view
from governance.ledger.models import AuditEvent
from home import approvals
from notifications.actions import create_webhook
from notifications.models import Delivery, Endpoint, Notice
from playground import actions as playground
from playground.models import PlaygroundRun
from prompt_tests.actions import create_run as create_test_run
from prompt_tests.actions import save_suite
from prompt_tests.models import SuiteRun
from prompts.actions import create_branch, create_prompt, delete_prompt, move_label, set_tag
from prompts.actions import create_version as create_prompt_version
from prompts.actions import delete_version as delete_prompt_version
from prompts.models import Prompt, PromptVersion
from registry import actions as registry
from registry import internal
from registry.actions import uploads
from registry.actions.signing import sign_version
from registry.models import Asset
from serving.actions import create_deployment, stop_deployment
from tests.conftest import PASSWORD
from tests.registry.conftest import model_files
from tracking import actions as tracking

OWN, OTHER = "acme", "rival"
WORDS = {OWN: "sesame", OTHER: "quinoa"}
ROWS = b'{"input": "a", "expected": "b"}\n'


@dataclass
class Caller:
    """Somebody with both doors open: `page` has their session, `rest` their key. Roles are held in `team` alone."""

    name: str
    team: str | None
    role: Role | None
    user: User | None
    page: Client
    rest: Client
    key_id: str = ""
    site_admin: bool = False

    def strange_words(self) -> list[str]:
        """The words of teams that are none of this caller's business."""
        return [] if self.site_admin else [word for team, word in WORDS.items() if team != self.team]


@dataclass
class World:
    """`callers` by name ('own:viewer', 'other:admin', 'nobody', 'anonymous', 'root'); `own` and `other` hold the ids of
    what there is in each team, under the names that the table of expectations uses."""

    own: SimpleNamespace
    other: SimpleNamespace
    callers: dict[str, Caller] = field(default_factory=dict)


def build() -> World:
    root = create_first_administrator(email="root@example.com", password=PASSWORD, name="Root")
    assert root is not None
    by = Actor(root)
    world = World(own=_team(OWN, by), other=_team(OTHER, by))
    for side, things in (("own", world.own), ("other", world.other)):
        for role, user in things.people.items():
            world.callers[f"{side}:{role.value}"] = _caller(f"{side}:{role.value}", user, things.team.name, role)
    # What forms offer first is what changed last.
    Asset.objects.filter(name="m").update(updated_at=timezone.now())
    nobody = create_user(email="nobody@example.com", name="Nobody", password=PASSWORD, by=by)
    world.callers["nobody"] = _caller("nobody", nobody, None, None)
    world.callers["root"] = _caller("root", root, None, Role.ADMIN)
    world.callers["root"].site_admin = True
    world.callers["anonymous"] = Caller("anonymous", None, None, None, Client(), Client())
    return world


def _caller(name: str, user: User, team: str | None, role: Role | None) -> Caller:
    row, whole = create_key(name=f"key of {name}", by=Actor(user))
    page = Client()
    page.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    rest = Client(headers={"authorization": f"Bearer {whole}"})
    assert rest.get("/api/v1/me").status_code == 200  # its first use from here is an event, which no cell is about
    return Caller(name, team, role, user, page, rest, row.key_id)


def _team(name: str, root: Actor) -> SimpleNamespace:
    """A team, its people by role, and one of everything that they can make."""
    word = WORDS[name]
    team = create_team(name=name, title=f"Team {word}", by=root)
    people: dict[Role, User] = {}
    for role in Role:
        email = f"{role.value}@{word}.example"
        people[role] = create_user(email=email, name=f"{role.value.title()} {word}", password=PASSWORD, by=root)
        grant_role(user=people[role], role=role, on=team, by=root)
    return SimpleNamespace(team=team, people=people, word=word, **_things(team, people, word))


def _things(team: Team, people: dict[Role, User], word: str) -> dict[str, Any]:
    maker, admin, deployer = (Actor(people[role]) for role in (Role.CONTRIBUTOR, Role.ADMIN, Role.DEPLOYER))
    bin_ = _bin(team, word, maker)
    model, versions = _asset(team, "model", "m", model_files(), word, maker)
    _, datasets = _asset(team, "dataset", "d", {"a.jsonl": ROWS}, word, maker)
    prompt = create_prompt(team=team, name="p", description=f"a prompt {word}", by=maker)
    for text in ("Hi {{ x }}", "Hello {{ x }}"):
        prompt_version = create_prompt_version(
            prompt=prompt, type="text", template=text, message=f"said {word}", by=maker
        )
        prompt.refresh_from_db()
    move_label(prompt=prompt, label="candidate", version=prompt_version, reason=word, by=maker)
    _history(prompt, word, maker)
    foreign = _foreign(team, word, maker, admin)
    policy = create_policy(
        team=team, kind="model", pattern="*", stage="production", checks=[{"type": "card"}],
        reviews={"count": 1, "role": "reviewer"}, by=admin,
    )  # fmt: skip
    request = registry.request_move(version=versions[0], slot="production", reason=f"please {word}", by=maker)
    more = _decided(team, people, word)
    run = tracking.create_run(team=team, name=f"run-{word}", total_steps=10, by=maker)
    deployments = {
        key: create_deployment(team=team, name=key, version=versions[0], stage="development", by=deployer)
        for key in ("dep", "halted")
    }
    stop_deployment(deployment=deployments["halted"], by=deployer)
    evaluation = create_evaluation(version=versions[0], dataset_version=datasets[0], by=maker)
    played = _played(team, word, maker)
    test_run = _tests(prompt, prompt_version, word, maker)
    upload = uploads.begin(team=team, size=3, by=maker)
    uploads.put_part(upload=upload, number=1, stream=io.BytesIO(b"abc"))
    done = uploads.begin(team=team, size=0, by=maker)
    uploads.complete(upload=done)
    robot = create_service_account(name=f"robot-{word}", team=team, role=Role.VIEWER, by=admin)
    robot_key, _ = create_key(name=f"robot key {word}", team=team, user=robot, by=admin)
    grouped = people[Role.REVIEWER]
    create_role(team=team, slug="guild", title=f"Role {word}", permissions=["asset.view"], by=admin)
    group = create_group(team=team, slug="guild", title=f"Guild {word}", by=admin)
    add_member(group=group, user=grouped, by=admin)
    halted = deployments["halted"]
    event = AuditEvent.objects.filter(team=team.name, action="asset.created").order_by("id")[0]
    return {
        "model": model,
        "prompt": prompt,
        "version": versions[0],
        "request": request,
        "robot": robot,
        "run": run,
        "deployment": deployments["dep"],
        "test_run": test_run,
        "halted": halted,
        "evaluation": evaluation,
        "token": internal.sign(versions[0]),
        "values": {
            **more, **foreign,
            **played,
            **_tracked(team, word, run, maker),
            **bin_,
            **_told(team, people, word, event.pk),
            **_gated(team, people, word),
            "team": team.name, "name": "m", "number": 1, "alias": "candidate", "label": "candidate", "path": "README.md",
            "request_id": request.pk, "policy_id": policy.pk, "run_id": run.pk, "evaluation_id": evaluation.pk, "test_run_id": test_run.pk,
            "event_id": event.pk, "person_id": people[Role.VIEWER].pk, "email": people[Role.VIEWER].email,
            "slug": "guild", "grouped": grouped.email, "session_id": 2**40,
            "grant_id": Grant.objects.get(team=team, user=people[Role.VIEWER]).pk, "pk": 2**40,
            "role": "viewer", "key_id": robot_key.key_id, "kind": "model", "key": str(model.pk),
            "upload": upload.pk, "done": done.pk,
            "sha256": versions[0].files.get(path="config.json").blob_id,
        },
    }  # fmt: skip


def _history(prompt: Prompt, word: str, by: Actor) -> None:
    """A label that moved twice, tags, a deleted version, a branch with a version on it, a deleted prompt, and one that nothing needs."""
    for version in prompt.versions.order_by("number"):
        move_label(prompt=prompt, label="moved", version=version, reason=word, by=by)
    set_tag(prompt=prompt, key="owner", value=word, by=by)
    set_tag(version=prompt.versions.get(number=1), key="owner", value=word, by=by)
    delete_prompt_version(version=create_prompt_version(prompt=prompt, type="text", template=word, by=by), by=by)
    create_branch(prompt=prompt, name="side", start=prompt.versions.get(number=2), by=by)
    create_prompt_version(prompt=prompt, type="text", template=f"Hello {{{{ x }}}}, {word}", branch="side", by=by)
    delete_prompt(prompt=create_prompt(team=prompt.team, name="gone", description=word, by=by), by=by)
    spare = create_prompt(team=prompt.team, name="spare", description=word, by=by)
    create_prompt_version(prompt=spare, type="text", template=word, message=f"said {word}", by=by)


def _tests(prompt: Prompt, version: PromptVersion, word: str, by: Actor) -> SuiteRun:
    """A prompt's tests, and a run of them that waits for its deployment."""
    case = {"variables": {"x": word}, "expected": word, "assertions": [{"type": "contains"}]}
    save_suite(prompt=prompt, content={"cases": [case], "models": [f"{prompt.team.name}/dep"]}, by=by)
    return create_test_run(prompt=prompt, version=version, by=by)


def _foreign(team: Team, word: str, by: Actor, admin: Actor) -> dict[str, int]:
    """A model as a client of MLflow makes it: its bytes lie elsewhere, and nothing refers to it. And a webhook of that client's."""
    spare = registry.create_tagged(team=team, kind="model", name="spare", description=word, tags={"said": word}, by=by)
    for _ in range(2):
        made = registry.register_elsewhere(
            asset=spare, source=f"s3://{word}/x", tags={"said": word}, facts={"mlflow": {"run_id": word}}, by=by
        )
    registry.move_alias(asset=spare, name="candidate", version=made, by=by)
    hook, _ = create_webhook(
        team=team, url="https://93.184.216.34/hook", events=["version.registered"], description=f"hook {word}", secret=word,
        foreign={"name": f"hook {word}", "description": "", "events": ["model_version.created"]}, by=admin,
    )  # fmt: skip
    # Refused at once, and not for the first time: no test waits for it.
    Endpoint.objects.filter(pk=hook.pk).update(url="https://10.0.0.1/hook", refused_at=timezone.now())
    return {"foreign_hook": hook.pk}


def _decided(team: Team, people: dict[Role, User], word: str) -> dict[str, int]:
    """Requests in every state that somebody can still do something about, guarded roles and deployments, and a delegation."""
    maker, admin, reviewer = (Actor(people[role]) for role in (Role.CONTRIBUTOR, Role.ADMIN, Role.REVIEWER))
    one = {"count": 1, "role": "reviewer"}
    for kind, pattern, stage in (("role", "auditor", ""), ("deployment", "guarded*", "staging")):
        create_policy(team=team, kind=kind, pattern=pattern, stage=stage, checks=[], reviews=one, by=admin)
    _asset(team, "model", "n", model_files(), f"{word} again", maker)
    asked = {"alias": "production", "reason": f"please {word}", "by": maker}
    applied = approvals.open_request(kind="model", asset=f"{team}/n", version=1, **asked)
    approvals.decide(request=applied, verdict="approve", comment=f"fine {word}", by=reviewer)
    unsure = approvals.open_request(kind="dataset", asset=f"{team}/d", version=1, **asked)
    approvals.decide(request=unsure, verdict="changes", comment=f"not yet {word}", by=reviewer)
    glass = approvals.break_glass(
        kind="prompt", asset=f"{team}/p", version=1, alias="production", reason=f"the site of {word} is down", by=admin
    )
    now = timezone.now()
    delegation = delegate(
        to=people[Role.VIEWER], team=team, starts_at=now, ends_at=now + timedelta(days=2), reason=word, by=reviewer
    )
    return {"applied": applied.pk, "unsure": unsure.pk, "glass": glass.pk, "delegation_id": delegation.pk}


def _gated(team: Team, people: dict[Role, User], word: str) -> dict[str, int]:
    """A gated model and dataset 'g': the viewer asked for the model's files, the auditor was given both."""
    maker, admin = Actor(people[Role.CONTRIBUTOR]), Actor(people[Role.ADMIN])
    found: dict[str, int] = {}
    for kind in ("model", "dataset"):
        task = "text-generation" if kind == "model" else ""
        asset = registry.create_asset(team=team, kind=kind, name="g", task=task, description=word, gated=True, by=maker)
        asked = registry.ask_for_access(asset=asset, reason=f"to look {word}", by=Actor(people[Role.AUDITOR]))
        given = registry.grant_access(request=asked, answer=f"fine {word}", by=admin)
        assert given.grant_id is not None
        found[f"gate_{kind}"] = given.grant_id
        if kind == "model":
            waits = registry.ask_for_access(asset=asset, reason=f"to try {word}", by=Actor(people[Role.VIEWER]))
            found["access_id"] = waits.pk
    return found


def _played(team: Team, word: str, by: Actor) -> dict[str, int]:
    """A session, a run of it that waits, and one that ended with an answer, which is rated."""
    column = {"content": {"type": "text", "template": f"say {word}"}, "model": f"{team.name}/dep"}
    session = playground.save_session(team=team, name=f"bench {word}", columns=[], inputs=[], options={}, by=by)
    run = playground.start_run(team=team, columns=[column], name=f"try {word}", session=session, by=by)
    ended = playground.start_run(
        team=team, columns=[column], inputs=[{}, {}], name=f"tried {word}", session=session, by=by
    )
    playground.cancel_run(run=ended, by=by)
    cell = ended.cells.get(row=0)
    ended.cells.filter(row=0).update(state="done", output=f"said {word}")
    PlaygroundRun.objects.filter(pk=ended.pk).update(done=1)
    playground.rate_cell(cell=ended.cells.get(row=0), good=True, comment=word, by=by)
    return {"bench": session.pk, "play": run.pk, "played": ended.pk, "cell_id": cell.pk}


def _tracked(team: Team, word: str, run: Any, by: Actor) -> dict[str, Any]:
    """An experiment, a deleted one, a deleted run, and a file of the run."""
    lab = tracking.create_experiment(team=team, name=f"lab {word}", by=by)
    gone = tracking.create_experiment(team=team, name=f"gone {word}", by=by)
    tracking.delete_experiment(experiment=gone, by=by)
    gone_run = tracking.start_run(team=team, experiment=lab, name=f"gone {word}", by=by)
    tracking.delete_run(run=gone_run, by=by)
    lab_run = tracking.start_run(team=team, experiment=lab, name=f"working {word}", tags={"said": word}, by=by)
    made = tracking.create_logged_model(team=team, experiment=lab, name="made", tags={"said": word}, by=by)
    tracking.put_artifact(owner=lab_run, path="README.md", stream=io.BytesIO(word.encode()), by=by)
    tracking.set_experiment_tag(experiment=lab, key="said", value=word, by=by)
    tracking.put_artifact(owner=run, path="README.md", stream=io.BytesIO(word.encode()), by=by)
    return {
        "experiment_id": lab.pk, "gone_experiment": gone.pk, "gone_run": gone_run.pk, "gone_uuid": gone_run.uuid,
        "run_uuid": run.uuid, "lab_run": lab_run.uuid, "model_id": made.model_id,
    }  # fmt: skip


def _told(team: Team, people: dict[Role, User], word: str, event_id: int) -> dict[str, int]:
    """A webhook with a message that failed, a notice of the reviewer's, and the auditor's view, which is shared."""
    admin, auditor = Actor(people[Role.ADMIN]), Actor(people[Role.AUDITOR])
    webhook, _ = create_webhook(
        team=team, url="https://93.184.216.34/hook", events=["*"], description=f"tells {word}", by=admin
    )
    delivery = Delivery.objects.create(
        endpoint=webhook, type="asset.created", state="failed", event_id=event_id, ended_at=timezone.now()
    )
    notice = Notice.objects.create(
        user=people[Role.REVIEWER],
        kind="review_wanted",
        event_id=event_id,
        team=team.name,
        title=f"see {word}",
        link="/",
    )
    view = save_view(team=team, name=f"all of {word}", query="action=request", shared=True, by=auditor)
    return {"webhook_id": webhook.pk, "delivery_id": delivery.pk, "notice_id": notice.pk, "view_id": view.pk}


def _bin(team: Team, word: str, by: Actor) -> dict[str, int]:
    """An asset that nothing refers to (f) with a deleted version, and a deleted asset."""
    _, versions = _asset(team, "model", "f", model_files(), word, by)
    _, datasets = _asset(team, "dataset", "f", {"a.jsonl": ROWS}, word, by)
    for version in (versions[0], datasets[0]):
        registry.archive_version(version=version, by=by)
        registry.set_tag(version=version, key="a", by=by)
        registry.set_tag(asset=version.asset, key="a", by=by)
    registry.delete_version(version=versions[2], by=by)
    gone, _ = _asset(team, "model", "gone", model_files(), word, by)
    registry.archive_asset(asset=_asset(team, "model", "old", model_files(), word, by)[0], by=by)
    registry.archive_asset(asset=_asset(team, "dataset", "old", {"a.jsonl": ROWS}, word, by)[0], by=by)
    registry.delete_asset(asset=gone, by=by)
    return {"asset_id": gone.pk, "version_id": versions[2].pk}


def _asset(team: Team, kind: str, name: str, files: dict[str, bytes], word: str, by: Actor) -> tuple[Any, list[Any]]:
    """A model or dataset: version 1 registered and a candidate, 2 a draft with files, 3 registered."""
    task = "text-generation" if kind == "model" else ""
    asset = registry.create_asset(team=team, kind=kind, name=name, task=task, description=f"a {kind} {word}", by=by)
    versions = []
    for number in (1, 2, 3):
        version = registry.create_version(asset=asset, message=f"made {word}", by=by)
        extra = {"notes.txt": f"{number} of {word}".encode()}
        for path, content in {**files, **extra}.items():
            stream = io.BytesIO(content)
            registry.add_file(version=version, path=path, stream=stream, expected_size=len(content), by=by)
        versions.append(version if number == 2 else registry.register_version(version=version, by=by))
    sign_version(version=versions[0])
    registry.move_alias(asset=asset, name="candidate", version=versions[0], reason=f"try {word}", by=by)
    registry.create_branch(asset=asset, name="side", start=versions[0], by=by)
    return asset, versions
