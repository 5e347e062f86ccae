"""One prompt, four doors: native REST and client, Langfuse's SDK and MLflow's see the same versions and labels, under the same rules."""

from pathlib import Path

import pytest

from accounts.access import Actor
from accounts.actions import create_key
from countersign import ApprovalRequired, Client
from tests.clients.driver import ClientProcess

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
HERE = Path(__file__).parent
NAME = "greeting"


@pytest.fixture
def clients(site, cast, api):
    """Langfuse's and MLflow's clients in a process of their own, as Alice."""
    process = ClientProcess(HERE / "client_prompts_agree.py", env={"PYTHONPATH": str(HERE.parent / "mlflow")})
    row, key = create_key(name="clients", team=cast.team, by=Actor(cast.alice))
    process.call("use", site.url, row.key_id, key)
    yield process
    process.stop()


def test_every_door_sees_the_same_prompt_and_moves_labels_by_the_same_rules(cast, api, site, clients):
    from governance.ledger.models import AuditEvent
    from governance.models import ApprovalRequest

    rest = api(cast.alice)
    rest.post("/api/v1/prompts", {"team": "acme", "name": NAME})
    address = f"/api/v1/prompts/acme/{NAME}"
    first = {"type": "text", "format": "mustache", "template": "Hello {{name}}"}
    assert rest.post(f"{address}/versions", first).status_code == 201
    assert rest.put(f"{address}/labels/candidate", {"version": 1}).status_code == 200
    assert clients.call("look", NAME, "candidate") == [[1, "Hello {{name}}"]] * 2

    # A version and a label from either client are there for all.
    assert clients.call("write_with_langfuse", NAME, "Hi {{name}}", "candidate") == 2
    assert clients.call("write_with_mlflow", NAME, "Ahoy {{name}}") == 3
    assert clients.call("move_with_mlflow", NAME, 3, "candidate") == ["", ""]
    assert clients.call("look", NAME, "candidate") == [[3, "Ahoy {{name}}"]] * 2
    with Client(site.url, api(cast.alice).key) as client:
        assert client.prompts.get(f"acme/{NAME}", label="candidate").render(name="Ann") == "Ahoy Ann"
        assert rest.get(f"{address}/labels/candidate").json()["number"] == 3

        # The protected label moves by no door: each asks, and all ask the one request.
        for verb in ("move_with_langfuse", "move_with_mlflow"):
            code, text = clients.call(verb, NAME, 3, "production")
            assert code and "/requests/" in text
        with pytest.raises(ApprovalRequired) as refusal:
            client.http.put(f"/prompts/acme/{NAME}/labels/production", {"version": 3})
        request = ApprovalRequest.objects.get(asset_label=f"acme/{NAME}")
        assert refusal.value.request_id == request.pk
        bob = api(cast.bob)
        seal = bob.get(f"/api/v1/requests/{request.pk}").json()["seal"]
        verdict = {"verdict": "approve", "seal": seal}
        assert bob.post(f"/api/v1/requests/{request.pk}/reviews", verdict).status_code == 201
        assert clients.call("look", NAME, "production") == [[3, "Ahoy {{name}}"]] * 2
    moved = AuditEvent.objects.filter(action="label.moved")
    assert moved.count() == 4
