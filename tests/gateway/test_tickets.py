"""The platform's own calls go through the gateway, which asks anew for whom they are."""

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest

from accounts.tickets import Ticket, read, secret_of, written

SECRET = secret_of("only-for-tests")
CHAT = {"model": "acme/dates", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def call(gateway_url):
    """call(authorization) -> status, code"""

    def send(authorization, body=CHAT):
        connection = http.client.HTTPConnection(urlsplit(gateway_url).netloc, timeout=20)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": authorization})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        return response.status, (answer.get("error") or {}).get("code")

    return send


def ticket_for(user, deployment, *, key=0, lasts_s=60, secret=SECRET):
    return written(Ticket(user.pk, key, deployment.pk, int(time.time()) + lasts_s), secret)


def test_a_ticket_is_read_only_as_it_was_written():
    text = written(Ticket(1, 2, 3, 1_000), SECRET)
    assert read(text, SECRET, now=999) == Ticket(1, 2, 3, 1_000)
    assert read(text, SECRET, now=1_000) is None
    assert read(text, secret_of("another"), now=999) is None
    assert read(text.replace("Ticket 1.", "Ticket 2."), SECRET, now=999) is None
    assert read(text, secret_of(""), now=999) is None and read(written(Ticket(1, 2, 3, 1_000), b""), b"", now=1) is None
    for junk in ("", "Ticket", "Bearer x", text + "0", text.replace(".", ",")):
        assert read(junk, SECRET, now=999) is None


def test_a_call_by_ticket_may_what_its_person_may(call, people, deploy, model):
    deployment = deploy()
    assert call(ticket_for(people.alice, deployment)) == (200, None)
    assert "authorization" not in model.calls[-1][2]
    assert call(ticket_for(people.carol, deployment)) == (403, "permission_denied")
    assert call(ticket_for(people.mallory, deployment)) == (404, "model_not_found")
    assert call(ticket_for(people.alice, deployment, secret=secret_of("guessed"))) == (401, "invalid_api_key")
    assert call(ticket_for(people.alice, deployment, lasts_s=-1)) == (401, "invalid_api_key")
    type(people.alice).objects.filter(pk=people.alice.pk).update(is_active=False)
    assert call(ticket_for(people.alice, deployment)) == (401, "invalid_api_key")


def test_a_key_narrows_the_ticket_and_takes_it_along_when_it_goes(call, people, deploy, model):
    from accounts.access import Actor
    from accounts.actions import create_key, revoke_key

    deployment, by = deploy(), Actor(people.alice)
    narrow = create_key(name="reads", scopes=["read"], by=by)[0]
    plain = create_key(name="plain", by=by)[0]
    assert call(ticket_for(people.alice, deployment, key=narrow.pk)) == (403, "permission_denied")
    assert call(ticket_for(people.alice, deployment, key=plain.pk)) == (200, None)
    revoke_key(key=plain, by=by)
    assert call(ticket_for(people.alice, deployment, key=plain.pk)) == (401, "invalid_api_key")
    assert call(ticket_for(people.alice, deployment, key=2**40)) == (401, "invalid_api_key")
    assert call(ticket_for(people.dana, deployment, key=narrow.pk)) == (401, "invalid_api_key")  # not Dana's


def test_a_model_under_evaluation_has_a_ticket_alone(call, people, deploy, model, key_of):
    deployment = deploy("check", purpose="evaluation", stage="")
    body = {**CHAT, "model": "acme/some-model"}
    assert call(ticket_for(people.alice, deployment), body) == (200, None)
    assert model.calls[-1][1]["model"] == "acme/some-model"
    assert call(f"Bearer {key_of(people.alice)}", {**CHAT, "model": "acme/check"}) == (404, "model_not_found")


def test_a_run_of_the_playground_goes_by_the_gateway(gateway_url, people, deploy, model, settings):
    from accounts.access import Actor
    from playground import actions, runner
    from playground.models import Cell, PlaygroundRun

    settings.GATEWAY_INTERNAL_URL = gateway_url
    deploy()
    column = {"content": {"type": "text", "template": "say {{ x }}"}, "model": "acme/dates"}
    run = actions.start_run(team=people.team, columns=[column], inputs=[{"x": "a"}], by=Actor(people.alice))
    while runner.take_turn(run.pk):
        pass
    cell = Cell.objects.get(run=run)
    assert (PlaygroundRun.objects.get(pk=run.pk).state, cell.state, cell.error) == ("finished", "done", "")
    _, body, headers = model.calls[-1]
    assert body["messages"] == [{"role": "user", "content": "say a"}] and body["stream"] is True
    assert headers["x-request-id"].startswith("req_") and "authorization" not in headers
