"""What somebody tries who wants past the rules: each attempt by the doors that everybody has."""

import io
import threading

import pytest
from django.db import connection

from accounts.access import Actor
from accounts.actions import create_key, create_service_account, create_user, grant_role
from accounts.errors import Forbidden, Invalid, Problem
from accounts.models import ApiKey, User
from accounts.roles import Role
from governance.models import ApprovalRequest
from home import approvals
from registry import actions as registry
from registry.models import Alias
from serving import cluster
from tests.conftest import PASSWORD, make_cast
from tests.registry.conftest import model_files, safetensors


def make_model(team, by, name="m", **changes):
    asset = registry.create_asset(team=team, kind="model", name=name, task="text-generation", by=by)
    return asset, add_version(asset, by, **changes)


def add_version(asset, by, **changes):
    version = registry.create_version(asset=asset, by=by)
    for path, content in model_files(**changes).items():
        registry.add_file(version=version, path=path, stream=io.BytesIO(content), expected_size=len(content), by=by)
    return registry.register_version(version=version, by=by)


@pytest.fixture
def model(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    return make_model(cast.team, Actor(cast.alice))[0]


@pytest.fixture
def machine(monkeypatch):
    node = cluster.Node("n1", "127.0.0.1", cpus=8, gpus=0, memory_bytes=24 * 1024**3)
    monkeypatch.setattr(cluster, "resources", lambda **_: cluster.Resources([node]))


LOOKALIKES = ["Production", "PRODUCTION", "production%0A", "production%20", "%20production", "pro%C2%ADduction", "%EF%BD%90roduction", "production%0D", "рroduction", "production."]  # fmt: skip


@pytest.mark.parametrize("name", LOOKALIKES)
def test_no_name_that_looks_like_a_protected_one(name, cast, model, api):
    alice = api(cast.alice)
    assert alice.put(f"/api/v1/models/acme/m/aliases/{name}", {"version": 1}).status_code == 400
    alice.post("/api/v1/prompts", {"team": "acme", "name": "p"})
    alice.post("/api/v1/prompts/acme/p/versions", {"type": "text", "template": "x"})
    assert alice.put(f"/api/v1/prompts/acme/p/labels/{name}", {"version": 1}).status_code == 400
    assert not Alias.objects.exists()


@pytest.mark.parametrize("who", ["alice", "bob", "dana", "admin"])
def test_a_protected_alias_moves_by_no_other_door(who, cast, model, api, client_of):
    client = api(getattr(cast, who))
    assert client.put("/api/v1/models/acme/m/aliases/production", {"version": 1}).status_code == 403
    assert client.delete("/api/v1/models/acme/m/aliases/production").status_code in (403, 404)
    page = client_of(getattr(cast, who)).post("/models/acme/m/aliases", {"alias": "production", "version": "1"})
    assert page.status_code in (302, 403, 422)  # 302: to the form that asks for an approval
    assert not Alias.objects.exists()


@pytest.mark.parametrize("stage", ["production", "Production", "production ", "PRODUCTION", "production\n", "ｐroduction", "", None, ["staging"], "prod"])  # fmt: skip
def test_unapproved_bytes_get_into_no_protected_stage(stage, cast, model, api, machine):
    dana = api(cast.dana)
    body = {"team": "acme", "name": "d", "model": "acme/m", "version": 1, "stage": stage}
    assert dana.post("/api/v1/deployments", body).status_code in (400, 403)
    assert dana.get("/api/v1/deployments").json()["results"] == []


def test_a_deployment_does_not_change_its_stage(cast, model, api, machine):
    dana = api(cast.dana)
    made = dana.post(
        "/api/v1/deployments",
        {"team": "acme", "name": "d", "model": "acme/m", "version": 1, "stage": "development"},
    )
    assert made.status_code == 201
    assert dana.patch("/api/v1/deployments/acme/d", {"stage": "production"}).status_code == 400


@pytest.mark.parametrize("option", ["model", "tokenizer", "speculative_config", "lora_modules", "worker_cls", "trust_remote_code", "trust-remote-code", "hf_overrides", "load_format"])  # fmt: skip
def test_no_option_of_an_engine_loads_other_bytes_than_the_approved_ones(option, cast, model, api, machine):
    body = {"team": "acme", "name": "d", "model": "acme/m", "version": 1, "stage": "development", "engine": "vllm"}
    answer = api(cast.dana).post("/api/v1/deployments", {**body, "engine_options": {option: "x"}})
    assert answer.status_code == 400
    assert option in answer.json()["errors"]["engine_options"][0]


def ask(model, by, number=1):
    return approvals.open_request(kind="model", asset=str(model), version=number, alias="production", reason="", by=by)


def approve(request, by):
    return approvals.decide(request=request, verdict="approve", comment="", by=by)


def test_a_service_account_does_not_review(cast, model, api):
    admin = Actor(cast.admin)
    robot = create_service_account(name="robot", team=cast.team, role=Role.REVIEWER, by=admin)
    request = ask(model, Actor(cast.alice))
    _, key = create_key(name="k", team=cast.team, user=robot, by=admin)
    client = api(None)
    answer = client.post(
        f"/api/v1/requests/{request.pk}/reviews",
        {"verdict": "approve"},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 403
    assert "service account" in answer.json()["detail"]


def test_whoever_made_a_service_accounts_key_is_not_somebody_else_to_its_work(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    admin = Actor(cast.admin)
    grant_role(user=cast.admin, role=Role.REVIEWER, on=cast.team, by=admin)
    robot = create_service_account(name="robot", team=cast.team, role=Role.CONTRIBUTOR, by=admin)
    row, _ = create_key(name="k", team=cast.team, user=robot, by=admin)
    model, _ = make_model(cast.team, Actor(robot, key=row))
    request = ask(model, Actor(robot, key=row))
    with pytest.raises(Forbidden, match="key of the service account"):
        approve(request, Actor(cast.admin))
    assert approve(request, Actor(cast.bob)).state == ApprovalRequest.State.APPLIED


def test_the_author_of_the_same_bytes_is_an_author(cast, model):
    """Bob uploads; Alice registers a copy of it and asks; Bob is not somebody else."""
    grant_role(user=cast.bob, role=Role.CONTRIBUTOR, on=cast.team, by=Actor(cast.admin))
    other, _ = make_model(cast.team, Actor(cast.bob), name="other")
    add_version(other, Actor(cast.alice))
    request = ask(other, Actor(cast.alice), number=2)
    with pytest.raises(Forbidden, match="made this version"):
        approve(request, Actor(cast.bob))


def test_a_narrow_key_ends_nothing_wider_than_itself(cast, api):
    wide, _ = create_key(name="wide", by=Actor(cast.alice))
    narrow = api(cast.alice, scopes=["read"], team=cast.team)
    assert narrow.delete(f"/api/v1/keys/{wide.key_id}").status_code == 404
    other, _ = create_key(name="other", team=cast.team, by=Actor(cast.alice))
    assert narrow.delete(f"/api/v1/keys/{other.key_id}").status_code == 403
    own = ApiKey.objects.get(name="tests")
    assert narrow.delete(f"/api/v1/keys/{own.key_id}").status_code == 204
    assert not ApiKey.objects.exclude(pk=own.pk).exclude(revoked_at=None).exists()


def test_a_site_administrators_key_of_one_team_reaches_no_other(cast, api):
    client = api(cast.admin, team=cast.team)
    assert client.post("/api/v1/teams", {"name": "mine"}).status_code == 403
    assert (
        client.post("/api/v1/people", {"email": "x@example.com", "name": "X", "password": PASSWORD}).status_code == 403
    )
    assert {event["team"] for event in client.get("/api/v1/ledger").json()["results"]} <= {"acme"}


def test_making_a_key_tells_a_stranger_nothing_about_accounts(cast, client_of):
    client = client_of(cast.mallory)
    said = [
        client.post(
            "/api/v1/keys",
            {"name": "k", "team": "acme", "service_account": email},
            content_type="application/json",
        )
        for email in ("bob@example.com", "nobody@example.com")
    ]
    assert {answer.status_code for answer in said} == {400}
    assert said[0].json() == said[1].json()


def test_a_key_is_made_for_a_teams_own_service_account_alone(cast):
    admin = Actor(cast.admin)
    stranger = create_user(email="s@service.invalid", name="s", kind=User.Kind.SERVICE, by=admin)
    with pytest.raises(Invalid, match="has no role"):
        create_key(name="k", team=cast.team, user=stranger, by=admin)


def test_nobody_changes_the_address_that_the_ledger_knows_them_by(cast, client_of):
    client = client_of(cast.alice)
    for data in (
        {"action_add": "", "email": "new@example.com"},
        {"action_primary": "", "email": "new@example.com"},
    ):
        client.post("/accounts/email/", data)
    cast.alice.refresh_from_db()
    assert cast.alice.email == "alice@example.com"
    from allauth.account.models import EmailAddress

    assert not EmailAddress.objects.filter(email="new@example.com").exists()


def test_what_mallory_may_not_see_is_not_there(cast, model, api, client_of, machine):
    request = ask(model, Actor(cast.alice))
    mallory, page = api(cast.mallory), client_of(cast.mallory)
    for address in (
        "models/acme/m", "models/acme/m/versions/1", "models/acme/m/versions/1/files/README.md", "models/acme/nothing",
        f"requests/{request.pk}", "requests/999999", "teams/acme/members", "teams/nothing/members",
        "evaluations?model=acme/m", "deployments/acme/d/logs",
    ):  # fmt: skip
        assert mallory.get(f"/api/v1/{address}").status_code == 404, address
    for address in (
        "models",
        "requests",
        "policies",
        "runs",
        "evaluations",
        "deployments",
        "prompts",
        "datasets",
        "teams",
    ):
        assert mallory.get(f"/api/v1/{address}").json()["results"] == [], address
    assert mallory.get("/api/v1/ledger").status_code == 403
    for address in ("/models/acme/m", "/models/acme/nothing", f"/requests/{request.pk}", "/requests/999999"):
        assert page.get(address).status_code == 404, address
    assert b"Alice" not in page.get("/settings/team/?team=acme").content
    assert b"acme/m" not in page.get("/search?q=m").content


def test_a_deactivated_persons_session_and_keys_end_at_once(cast, api, client_of):
    key, page = api(cast.alice), client_of(cast.alice)
    assert key.get("/api/v1/me").status_code == page.get("/models/").status_code == 200
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert key.get("/api/v1/me").status_code == 401
    assert page.get("/models/").status_code == 302


def test_a_session_on_the_api_needs_its_csrf_token(cast):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.admin, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post("/api/v1/teams", {"name": "x"}, content_type="application/json").status_code == 403
    assert client.post("/settings/teams/new", {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"model.safetensors": (32 << 20).to_bytes(8, "little") + b"{" * 100},
        {"model.safetensors": safetensors().replace(b'"F32"', b'["F"]')},
        {"config.json": b'{"a": ' + b"9" * 5_000 + b"}"},
        {"config.json": b"[" * 100_000},
        {"README.md": b"---\na: &x [1]\nb: *x\n---\n"},
        {"README.md": b"---\na: 0x" + b"f" * 8_000 + b"\n---\n"},
    ],
)
def test_a_files_traps_are_refused_by_name(changes, cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    with pytest.raises(Invalid) as caught:
        make_model(cast.team, Actor(cast.alice), **changes)
    assert next(iter(changes)) in caught.value.detail


def test_texts_that_no_database_holds_are_left_out_of_facts(cast, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    card = b'---\nlicense: "a\\0b"\n"k\\ud800": "\\ud800"\n---\n'
    config = b'{"architectures": ["A\\ud800\\u0000"]}'
    _, version = make_model(cast.team, Actor(cast.alice), **{"README.md": card, "config.json": config})
    assert version.facts["card"]["license"] == "ab"


@pytest.mark.parametrize("text", [b'{"input": ' + b"9" * 5_000 + b"}\n", b'{"a": "\\u0000"}\n', b"[" * 100_000])
def test_rows_that_cannot_be_kept_are_named(text, cast, api, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    alice = api(cast.alice)
    alice.post("/api/v1/datasets", {"team": "acme", "name": "d"})
    alice.post("/api/v1/datasets/acme/d/versions", {})
    alice.put("/api/v1/datasets/acme/d/versions/1/files/a.jsonl", text)
    answer = alice.post("/api/v1/datasets/acme/d/versions/1/register")
    assert answer.status_code == 400
    assert "a.jsonl, line 1" in answer.json()["errors"]["files"][0]


def test_a_csv_header_with_nul_is_named(cast, api, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    alice = api(cast.alice)
    alice.post("/api/v1/datasets", {"team": "acme", "name": "d"})
    alice.post("/api/v1/datasets/acme/d/versions", {})
    alice.put("/api/v1/datasets/acme/d/versions/1/files/a.csv", b"input,ex\0pected\n1,2\n")
    answer = alice.post("/api/v1/datasets/acme/d/versions/1/register")
    assert answer.status_code == 400
    assert "a.csv, line 1" in answer.json()["errors"]["files"][0]


@pytest.mark.django_db(transaction=True)
def test_two_rival_requests_decided_at_once_give_one_application_and_no_deadlock(settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    cast = make_cast()
    model, _ = make_model(cast.team, Actor(cast.alice))
    add_version(model, Actor(cast.alice), **{"extra.txt": b"x"})
    second = create_user(email="second@example.com", name="Second", password=PASSWORD, by=Actor(cast.admin))
    grant_role(user=second, role=Role.REVIEWER, on=cast.team, by=Actor(cast.admin))
    requests = [ask(model, Actor(cast.alice), number) for number in (1, 2)]
    barrier = threading.Barrier(2)
    outcomes = []

    def decide(request, person):
        barrier.wait()
        try:
            outcomes.append(approve(request, Actor(person)).state)
        except Problem as problem:
            outcomes.append(problem.status)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=pair) for pair in zip(requests, (cast.bob, second), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, outcomes)) == ["409", "applied"]
    assert sorted(ApprovalRequest.objects.values_list("state", flat=True)) == ["applied", "superseded"]


def test_a_strangers_upload_is_turned_away_before_it_is_read(client, monkeypatch):
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.core.files.uploadhandler import TemporaryFileUploadHandler

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", lambda *a, **k: pytest.fail("the file was read"))
    client.cookies["csrftoken"] = "x" * 32
    answer = client.post("/models/acme/m/versions/1/files", {"uploads": SimpleUploadedFile("a.json", bytes(2 << 20))})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
