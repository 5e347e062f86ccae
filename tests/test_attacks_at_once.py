"""What several people do at the same moment, as tried against a running instance: one winner, and everybody is told what happened."""

import base64
import hashlib
import io
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

import prompts.actions
import registry.actions
from accounts.access import Actor
from accounts.actions import create_key
from accounts.errors import Conflict, NotFound, Problem
from accounts.models import Team
from config.views import server_error
from governance.actions import create_policy, remove_policy
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from prompts.models import Label, Prompt
from registry import storage
from registry.actions import uploads
from registry.actions.commits import Add, commit
from registry.models import Version
from tests.conftest import make_cast
from tests.test_attacks import approve, make_model

TEXT = {"type": "text", "template": "Hello {{ name }}"}


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"


def together(number, work):
    """`work(n)` in threads that start at the same moment; what each returned or raised, the problems by their code."""
    barrier, outcomes = threading.Barrier(number), [None] * number

    def one(n):
        barrier.wait()
        try:
            outcomes[n] = work(n)
        except Problem as problem:
            outcomes[n] = problem.code
        except Exception as error:
            outcomes[n] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def make_prompt(cast):
    by = Actor(cast.alice)
    prompt = prompts.actions.create_prompt(team=cast.team, name="hello", by=by)
    return prompt, prompts.actions.create_version(prompt=prompt, by=by, **TEXT)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["prompt", "model"])
def test_all_who_move_what_is_protected_at_once_are_led_to_one_request(kind):
    cast = make_cast()
    if kind == "prompt":
        prompt, version = make_prompt(cast)

        def ask(n):
            return prompts.actions.move_or_ask(
                prompt=prompt, label="production", version=version, by=Actor(cast.alice)
            ).pk
    else:
        model, version = make_model(cast.team, Actor(cast.alice))

        def ask(n):
            return registry.actions.move_or_ask(
                asset=model, name="production", version=version, by=Actor(cast.alice)
            ).pk

    opened = together(6, ask)
    assert opened == [ApprovalRequest.objects.get().pk] * 6
    assert AuditEvent.objects.filter(action="request.opened").count() == 1


def test_a_moved_label_is_told_though_somebody_removes_it_at_once(cast, api, monkeypatch):
    prompt, _ = make_prompt(cast)
    move = prompts.actions.move_or_ask

    def and_gone(**wanted):
        done = move(**wanted)
        prompts.actions.remove_label(prompt=prompt, label=wanted["label"], by=Actor(cast.alice))
        return done

    monkeypatch.setattr(prompts.actions, "move_or_ask", and_gone)
    answer = api(cast.alice).put("/api/v1/prompts/acme/hello/labels/blue", {"version": 1}, "application/json")
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert not Label.objects.filter(prompt=prompt).exists()


def test_a_moved_alias_is_told_though_somebody_removes_it_at_once(cast, api, monkeypatch):
    model, _ = make_model(cast.team, Actor(cast.alice))
    move = registry.actions.move_or_ask

    def and_gone(**wanted):
        done = move(**wanted)
        registry.actions.remove_alias(asset=model, name=wanted["name"], by=Actor(cast.alice))
        return done

    monkeypatch.setattr(registry.actions, "move_or_ask", and_gone)
    answer = api(cast.alice).put(f"/api/v1/models/{model}/aliases/blue", {"version": 1}, "application/json")
    assert (answer.status_code, answer.json()["number"]) == (200, 1)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("registered-models/alias", {"alias": "blue"}),
        ("registered-models/delete-tag", {"key": "k"}),
        ("model-versions/delete-tag", {"key": "k", "version": "1"}),
    ],
)
@pytest.mark.parametrize("kind", ["prompt", "model"])
def test_mlflow_takes_away_what_somebody_else_takes_away_at_once(kind, what, body, cast, api, monkeypatch):
    by = Actor(cast.alice)
    if kind == "prompt":
        thing, version = make_prompt(cast)
        prompts.actions.move_label(prompt=thing, label="blue", version=version, by=by)
        owner, where = prompts.actions, {"prompt": thing}
    else:
        thing, version = make_model(cast.team, by)
        registry.actions.move_alias(asset=thing, name="blue", version=version, by=by)
        owner, where = registry.actions, {"asset": thing}
    owner.set_tag(key="k", value="1", by=by, **where)
    owner.set_tag(key="k", value="1", by=by, version=version)

    def gone(**_):
        raise NotFound("It is not there.")

    for name in ("delete_tag", "remove_label", "remove_alias"):
        if hasattr(owner, name):
            monkeypatch.setattr(owner, name, gone)
    answer = api(cast.alice, team=cast.team).delete(
        f"/api/2.0/mlflow/{what}", {"name": thing.name, **body}, "application/json"
    )
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.django_db(transaction=True)
def test_langfuse_clients_that_create_one_prompt_at_once_make_a_version_each():
    cast = make_cast()
    row, key = create_key(name="k", team=cast.team, by=Actor(cast.alice))
    header = "Basic " + base64.b64encode(f"{row.key_id}:{key}".encode()).decode()

    def create(n):
        body = {"name": "fresh", "prompt": f"Hi {n}", "type": "text"}
        answer = Client().post(
            "/api/public/v2/prompts", body, content_type="application/json", headers={"Authorization": header}
        )
        return answer.status_code

    assert together(6, create) == [201] * 6
    assert sorted(Prompt.objects.get(name="fresh").versions.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.django_db(transaction=True)
def test_commits_at_once_without_a_parent_all_follow_each_other():
    cast = make_cast()
    by = Actor(cast.alice)
    model = registry.actions.create_asset(team=Team.objects.get(pk=cast.team.pk), kind="model", name="busy", by=by)

    def write(n):
        content = f"file {n}".encode()
        incoming = storage.receive(io.BytesIO(content), limit=1000)
        operation = Add(f"f{n}.txt", hashlib.sha256(content).hexdigest(), incoming)
        return commit(asset=model, operations=[operation], holds=lambda sha256: False, by=by).number

    assert sorted(together(12, write), key=str) == sorted(range(1, 13), key=str)
    assert Version.objects.get(asset=model, number=12).files.count() == 12


def test_a_part_of_an_upload_that_was_given_up_meanwhile_is_not_found(cast):
    by = Actor(cast.alice)
    upload = uploads.begin(team=cast.team, size=4, by=by)
    late = uploads.get_upload(by, upload.pk)
    uploads.give_up(upload=upload)
    with pytest.raises(NotFound, match="given up"):
        uploads.put_part(upload=late, number=1, stream=io.BytesIO(b"four"))


def test_what_waits_for_its_time_keeps_its_prompt_and_version(cast, api):
    _, version = make_prompt(cast)
    later = timezone.now() + timedelta(hours=1)
    asked = prompts.actions.request_move(version=version, slot="production", by=Actor(cast.alice), apply_at=later)
    assert approve(asked, Actor(cast.bob)).state == "approved"
    root = "/api/v1/prompts/acme/hello"
    for address in (f"{root}/versions/1", root):
        answer = api(cast.admin).delete(address)
        assert (answer.status_code, answer.json()["errors"]["references"]) == (409, [f"request {asked.pk}"])


def test_a_request_tells_by_rest_why_an_approval_counts_no_more(cast, api):
    _, version = make_prompt(cast)
    later = timezone.now() + timedelta(hours=1)
    asked = prompts.actions.request_move(version=version, slot="production", by=Actor(cast.alice), apply_at=later)
    approve(asked, Actor(cast.bob))
    anew = {"checks": [], "reviews": {"count": 1, "role": "reviewer"}}
    create_policy(team=cast.team, kind="prompt", pattern="*", stage="production", by=Actor(cast.admin), **anew)
    answer = api(cast.alice).get(f"/api/v1/requests/{asked.pk}")
    assert answer.status_code == 200
    (step,) = answer.json()["steps"]
    assert [stale["reviewer"] for stale in step["stale"]] == [cast.bob.email]
    assert "policy" in step["stale"][0]["reason"]


@pytest.mark.parametrize("deep", [False, True])
def test_what_stands_in_approved_text_does_not_move_freely_once_its_protection_is_dropped(deep, cast):
    by, admin = Actor(cast.alice), Actor(cast.admin)

    def prompt(name, *texts):
        made = prompts.actions.create_prompt(team=cast.team, name=name, by=by)
        return made, [prompts.actions.create_version(prompt=made, type="text", template=text, by=by) for text in texts]

    def protect(name):
        return create_policy(
            team=cast.team, kind="prompt", pattern=name, stage="staging", checks=[], reviews={"count": 1}, by=admin
        )

    def release(version):
        approve(prompts.actions.request_move(version=version, slot="staging", by=by), Actor(cast.bob))

    part, texts = prompt("part", "one", "two")
    policy = protect("part")
    protect("whole")
    release(texts[0])
    if deep:
        prompt("middle", '{% include "part@staging" %}')
    _, wholes = prompt("whole", '{% include "middle:1" %}' if deep else '{% include "part@staging" %}', "alone")
    release(wholes[0])
    remove_policy(policy=policy, by=admin)
    with pytest.raises(Conflict, match="'staging' of acme/whole"):
        prompts.actions.move_label(prompt=part, label="staging", version=texts[1], by=by)
    assert Label.objects.get(prompt=part).version == texts[0]
    release(wholes[1])
    prompts.actions.move_label(prompt=part, label="staging", version=texts[1], by=by)
    assert Label.objects.get(prompt=part).version == texts[1]


def test_an_error_of_ours_has_the_shape_of_the_api(rf):
    answer = server_error(rf.get("/api/v1/prompts"))
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert server_error(rf.get("/prompts"))["Content-Type"] == "text/plain"
