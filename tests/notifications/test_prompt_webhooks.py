"""Changes of prompts reach a team's webhooks, signed."""

import pytest
from standardwebhooks import Webhook

from accounts.access import Actor
from notifications.models import Endpoint
from prompts import actions

pytestmark = pytest.mark.django_db


def test_each_change_of_a_prompt_is_sent_signed(webhook, receiver, pump, cast):
    Endpoint.objects.update(events=["prompt.*", "prompt_version.*", "label.*"])
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/first reply", by=by)
    versions = [actions.create_version(prompt=prompt, type="text", template=text, by=by) for text in ("one", "two")]
    for version in versions:
        actions.move_label(prompt=prompt, label="candidate", version=version, reason="Try it.", by=by)
    actions.remove_label(prompt=prompt, label="candidate", by=by)
    actions.archive_prompt(prompt=prompt, by=by)
    while pump():
        pass
    messages = [Webhook(webhook.plain_secret).verify(one.body, one.headers) for one in receiver.got]
    assert sorted(message["type"] for message in messages) == [
        "label.moved", "label.moved", "label.removed", "prompt.archived", "prompt.created", "prompt_version.created",
        "prompt_version.created",
    ]  # fmt: skip
    moved = max((one["data"] for one in messages if one["type"] == "label.moved"), key=lambda data: data["id"])
    assert moved["target"]["label"] == "acme/support/first reply@candidate"
    assert (moved["before"]["version"], moved["after"]["version"], moved["reason"]) == (1, 2, "Try it.")
    assert moved["after"]["digest"] == versions[1].digest
