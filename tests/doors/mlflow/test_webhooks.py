"""MLflow's webhooks: made by its client, told in its words, signed its way."""

import base64
import hashlib
import hmac

import pytest

from accounts.access import Actor
from accounts.actions import create_key, grant_role
from accounts.roles import Role
from notifications import deliveries, tail
from registry import actions
from tests.notifications.conftest import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings):
    import ipaddress

    settings.WEBHOOK_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    settings.WEBHOOK_ALLOW_HTTP = True
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def managing(client_process, site, cast):
    """The client with a key of somebody who manages the team's webhooks and makes models."""
    grant_role(user=cast.admin, role=Role.CONTRIBUTOR, on=cast.team, by=Actor(cast.admin))
    _, key = create_key(name="mlflow", team=cast.team, by=Actor(cast.admin))
    client_process.call("use", site, key)
    return client_process.call


def test_webhooks_are_made_changed_and_removed(managing, receiver):
    found = managing("walk_hooks", receiver.url)
    assert found["made"] == found["got"] == found["listed"][0]
    assert found["made"]["events"] == ["model_version.created"] and found["made"]["status"] == "ACTIVE"
    changed = found["changed"]
    assert (changed["name"], changed["description"], changed["status"]) == ("other", "d2", "DISABLED")
    assert changed["events"] == ["model_version_tag.set"]
    assert (found["left"], found["gone"]) == (0, "RESOURCE_DOES_NOT_EXIST")


def test_who_does_not_manage_webhooks_makes_none(mlflow, receiver):
    from tests.clients.driver import ClientError

    with pytest.raises(ClientError) as caught:
        mlflow("create_hook", receiver.url)
    assert caught.value.code == "PERMISSION_DENIED"


def test_a_test_says_what_came_back(managing, receiver):
    receiver.answers = [(201, {}, b"thanks")]
    made = managing("create_hook", receiver.url)
    assert managing("try_hook", made["id"]) == [True, 201, "thanks", None]
    assert receiver.messages()[0]["entity"] == "registered_model"
    receiver.answers = [(500, {}, b"no")]
    assert managing("try_hook", made["id"])[:2] == [False, 500]


def test_events_are_told_in_mlflows_words_with_its_signature(managing, receiver, cast):
    managing("create_hook", receiver.url, secret="s3cr3t-s3cr3t")
    managing("things_happen")
    actions.create_asset(team=cast.team, kind="dataset", name="silent", by=Actor(cast.admin))
    tail.follow()
    deliveries.deliver()
    got = {f"{m['entity']}.{m['action']}": m["data"] for m in receiver.messages()}
    at = {"name": "told", "version": "1"}
    assert got == {
        "registered_model.created": {"name": "told", "tags": {}, "description": "d"},
        "model_version.created": {
            **at, "source": "s3://bucket/1", "run_id": "r1", "tags": {"a": "b"}, "description": "v1",
        },
        "model_version_tag.set": {**at, "key": "k", "value": "v"},
        "model_version_tag.deleted": {**at, "key": "k"},
        "model_version_alias.created": {**at, "alias": "rc"},
        "model_version_alias.deleted": {"name": "told", "alias": "rc"},
    }  # fmt: skip
    assert len(receiver.got) == 6 and all(m["workspace"] == "acme" for m in receiver.messages())
    one = receiver.got[0]
    headers = {name.lower(): value for name, value in one.headers.items()}
    # As MLflow's documentation shows it to receivers.
    signed = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.{one.body.decode()}"
    wanted = base64.b64encode(hmac.new(b"s3cr3t-s3cr3t", signed.encode(), hashlib.sha256).digest()).decode()
    assert headers["x-mlflow-signature"] == f"v1,{wanted}"


def test_changes_of_prompts_are_told_in_mlflows_words(managing, receiver):
    made = managing("create_hook", receiver.url, prompts=True)
    assert "prompt_version.created" in made["events"] and len(made["events"]) == 8
    managing("prompts_happen")
    tail.follow()
    deliveries.deliver()
    got = {}
    for message in receiver.messages():
        got.setdefault(f"{message['entity']}.{message['action']}", []).append(message["data"])
    assert set(got) == set(made["events"])
    (prompt,), (version,) = got["prompt.created"], got["prompt_version.created"]
    assert (prompt["name"], prompt["tags"]["a"]) == ("greeting", "b")
    assert (version["name"], version["version"], version["template"]) == ("greeting", "1", "Hello {{name}}!")
    assert version["description"] == "first"
    at = {"name": "greeting", "version": "1"}
    assert {"name": "greeting", "key": "k", "value": "v"} in got["prompt_tag.set"]
    assert got["prompt_tag.deleted"] == [{"name": "greeting", "key": "k"}]
    assert {**at, "key": "vk", "value": "vv"} in got["prompt_version_tag.set"]
    assert got["prompt_version_tag.deleted"] == [{**at, "key": "vk"}]
    assert got["prompt_alias.created"] == [{**at, "alias": "rc"}]
    assert got["prompt_alias.deleted"] == [{"name": "greeting", "alias": "rc"}]
    for name in made["events"]:
        assert managing("try_prompt_hook", made["id"], name)
