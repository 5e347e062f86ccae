"""Pages of deployments: what each person sees, and that every form works without JavaScript."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Actor
from governance.ledger.models import AuditEvent
from registry.models import Version
from serving import actions
from serving.models import Deployment
from tests.serving.conftest import make_version

pytestmark = pytest.mark.usefixtures("machine")
PAGE = "/deployments/acme/dates"


@pytest.fixture
def deployment(approved: Version, dana: Actor) -> Deployment:
    return actions.create_deployment(
        team=approved.asset.team, name="dates", version=approved, stage="production", by=dana
    )


def text(response: Any) -> str:
    found: str = response.content.decode()
    return found


FORM = {"version": 1, "name": "dates", "replicas": 1, "num_gpus": 0, "engine": "transformers", "engine_options": ""}
NEW = "/deployments/new?model=acme/date-normaliser&version=1&stage=production"


def test_new_page_shows_the_gates_word_before_anybody_presses(
    approved: Version, cast: SimpleNamespace, client_of: Any
) -> None:
    make_version(cast, number=2)
    page = text(client_of(cast.dana).get("/deployments/new?model=acme/date-normaliser&version=2"))
    assert page.count("Approved for production") == 1
    assert page.count("Not approved for production") == 1
    assert "/requests/new?kind=model" not in page, "a deployer asks for no promotion"
    assert "/requests/new?kind=model" in text(client_of(cast.admin).get("/deployments/new?model=acme/date-normaliser"))
    assert "2" in page.split("<dt>CPUs</dt>")[1][:30]


def test_form_deploys(approved: Version, cast: SimpleNamespace, client_of: Any) -> None:
    client = client_of(cast.dana)
    answer = client.post(NEW, FORM)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    page = text(client.get(PAGE))
    assert "Queued" in page and 'hx-trigger="every 2s"' in page
    assert "curl http" in page and "acme/dates" in page


def test_refusal_is_shown_with_its_reason_and_recorded(version: Version, cast: SimpleNamespace, client_of: Any) -> None:
    answer = client_of(cast.dana).post(NEW, FORM)
    assert answer.status_code == 422
    assert "is not approved for production" in text(answer)
    assert AuditEvent.objects.filter(action="deployment.refused", via="ui").count() == 1
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Dates!"}, "Use lower-case letters"),
        ({"replicas": 0}, "greater than or equal to 1"),
        ({"num_gpus": 1}, "The cluster has 2 CPUs, no GPU"),
        ({"engine_options": "{"}, "This is not JSON"),
        ({"engine_options": '{"dtype": "int3"}'}, "choose one of"),
        ({"version": 77}, "has no version 77"),
    ],
)
def test_bad_input_is_shown_at_its_field(
    approved: Version, cast: SimpleNamespace, client_of: Any, change: dict[str, Any], words: str
) -> None:
    answer = client_of(cast.dana).post(NEW, FORM | change)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not Deployment.objects.exists()


def test_stop_start_scale_and_delete_by_forms(deployment: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    client = client_of(cast.dana)
    assert client.post(f"{PAGE}/scale", {"replicas": 2}).status_code == 302
    deployment.refresh_from_db()
    assert deployment.replicas == 2
    refused = client.post(f"{PAGE}/scale", {"replicas": 60})
    assert refused.status_code == 422
    assert "Ask for fewer" in text(refused)
    assert client.post(f"{PAGE}/stop").status_code == 302
    assert "Start" in text(client.get(PAGE))
    assert client.post(f"{PAGE}/start").status_code == 302
    wrong = client.post(f"{PAGE}/delete", {"confirm": "nope"})
    assert wrong.status_code == 400
    assert client.post(f"{PAGE}/delete", {"confirm": "dates"})["Location"] == "/deployments/"
    assert not Deployment.objects.exists()


def test_new_revision_by_form_asks_the_gate(deployment: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    make_version(cast, number=2)
    form = {"version": 2, "engine": "transformers", "num_gpus": 0, "engine_options": '{"max_concurrency": 2}'}
    refused = client_of(cast.dana).post(f"{PAGE}/revisions", form)
    assert refused.status_code == 422
    assert "is not approved for production" in text(refused)
    assert client_of(cast.dana).post(f"{PAGE}/revisions", form | {"version": 1}).status_code == 302
    deployment.refresh_from_db()
    assert deployment.revision is not None
    assert deployment.revision.engine_options == {"max_concurrency": 2}


PAGES = [PAGE, f"{PAGE}/live", f"{PAGE}/logs", f"{PAGE}/revisions", f"{PAGE}/history"]


@pytest.mark.parametrize("page", PAGES)
def test_who_sees_each_page(deployment: Deployment, cast: SimpleNamespace, client_of: Any, page: str) -> None:
    for name in ("victor", "alice", "carol", "dana"):
        assert client_of(getattr(cast, name)).get(page).status_code == 200, name
    assert client_of(cast.mallory).get(page).status_code == 404


def test_only_deployers_see_buttons_and_auditors_cannot_invoke(
    deployment: Deployment, cast: SimpleNamespace, client_of: Any
) -> None:
    dana, victor, carol = (text(client_of(who).get(PAGE)) for who in (cast.dana, cast.victor, cast.carol))
    assert f"{PAGE}/stop" in dana
    assert f"{PAGE}/stop" not in victor and f"{PAGE}/stop" not in carol
    assert "data-try" in victor
    assert "data-try" not in carol


@pytest.mark.parametrize("door", ["stop", "start", "scale", "delete", "revisions"])
def test_forms_are_refused_to_others_and_to_get(
    deployment: Deployment, cast: SimpleNamespace, client_of: Any, door: str
) -> None:
    for name in ("victor", "alice", "bob", "carol"):
        answer = client_of(getattr(cast, name)).post(
            f"{PAGE}/{door}", {"replicas": 2, "confirm": "dates", "version": 1}
        )
        assert answer.status_code == 403, (name, answer.status_code)
    assert client_of(cast.mallory).post(f"{PAGE}/{door}").status_code == 404
    if door != "revisions":
        assert client_of(cast.dana).get(f"{PAGE}/{door}").status_code == 405
    deployment.refresh_from_db()
    assert (deployment.generation, deployment.replicas, deployment.desired) == (1, 1, "running")


def test_live_part_stops_asking_when_nothing_can_happen(
    deployment: Deployment, cast: SimpleNamespace, client_of: Any
) -> None:
    client = client_of(cast.victor)
    for state, desired, poll in (
        ("starting", "running", "every 2s"),
        ("running", "running", "every 10s"),
        ("stopped", "stopped", None),
    ):
        Deployment.objects.update(state=state, desired=desired)
        page = text(client.get(f"{PAGE}/live"))
        assert ('hx-trigger="' in page) == bool(poll)
        assert not poll or poll in page
        assert 'id="state-badge"' in page


def test_failure_shows_the_engines_words_and_when_it_is_tried_again(
    deployment: Deployment, cast: SimpleNamespace, client_of: Any
) -> None:
    from django.utils import timezone

    Deployment.objects.update(
        state="failed",
        message="model.safetensors is cut off",
        detail="Traceback …",
        failures=2,
        retry_at=timezone.now(),
    )
    page = text(client_of(cast.dana).get(PAGE))
    for words in ("model.safetensors is cut off", "Failed 2 times in a row", "All that Ray said", "Try now"):
        assert words in page


def test_lists_and_the_models_tab(deployment: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    client = client_of(cast.victor)
    assert PAGE in text(client.get("/deployments/"))
    assert PAGE in text(client.get("/deployments/?q=date&state=queued&stage=production"))
    assert "Nothing fits" in text(client.get("/deployments/?q=nothing"))
    part = text(client.get("/deployments/?live=1"))
    assert part.lstrip().startswith("<div") and "every 3s" in part
    assert PAGE in text(client.get("/models/acme/date-normaliser/deployments"))
    assert PAGE not in text(client_of(cast.mallory).get("/deployments/"))
    assert client_of(cast.mallory).get("/models/acme/date-normaliser/deployments").status_code == 404


def test_pages_cost_the_same_with_one_and_with_many(
    approved: Version, cast: SimpleNamespace, dana: Actor, client_of: Any
) -> None:
    client = client_of(cast.dana)

    def make(number: int) -> None:
        actions.create_deployment(
            team=cast.team, name=f"d{number}", version=approved, stage="production",
            engine_options={"num_cpus": 0.01}, by=dana,
        )  # fmt: skip

    def queries(page: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page).status_code == 200
        return len(captured)

    make(0)
    pages = ("/deployments/", "/models/acme/date-normaliser/deployments", "/deployments/acme/d0")
    few = [queries(page) for page in pages]
    for number in range(1, 12):
        make(number)
    assert [queries(page) for page in pages] == few
    assert max(few) <= 16


class Engine(BaseHTTPRequestHandler):
    """Speaks just enough of the protocol; what the engine does is tested with the engine."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            vectors = [[1.0, 0.0], [0.6, 0.8]]
            self.answer(200, {"data": [{"embedding": vector} for vector in vectors]})
        elif body["messages"][0]["content"] == "too long":
            self.answer(400, {"error": {"message": "This model's context is 512 tokens."}})
        elif body.get("stream"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for piece in ("2021", "-03-03"):
                self.wfile.write(f"data: {json.dumps({'choices': [{'delta': {'content': piece}}]})}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            usage = {"prompt_tokens": 4, "completion_tokens": 6}
            self.answer(200, {"choices": [{"message": {"content": "2021-03-03"}}], "usage": usage})

    def answer(self, status: int, body: Any) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        """Quietly."""


@pytest.fixture
def running(deployment: Deployment) -> Iterator[Deployment]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Deployment.objects.update(state="running", endpoint=f"http://127.0.0.1:{server.server_port}/deployment-1-1")
    yield deployment
    server.shutdown()
    server.server_close()


TRY = {"prompt": "3 March 2021", "max_tokens": 16, "temperature": 0}


def test_trying_streams_the_engines_bytes(running: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    answer = client_of(cast.victor).post(f"{PAGE}/try", TRY, headers={"accept": "text/event-stream"})
    assert answer["Content-Type"] == "text/event-stream"
    got = b"".join(answer.streaming_content).decode()
    assert '"2021"' in got and got.endswith("data: [DONE]\n\n")


def test_trying_without_javascript_shows_the_answer(running: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    page = text(client_of(cast.victor).post(f"{PAGE}/try", TRY))
    assert "2021-03-03" in page
    assert "6 tokens in" in page


def test_trying_says_what_the_engine_says(running: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    bad = TRY | {"prompt": "too long"}
    client = client_of(cast.victor)
    answer = client.post(f"{PAGE}/try", bad, headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "This model's context is 512 tokens.")
    assert "context is 512 tokens" in text(client.post(f"{PAGE}/try", bad))
    empty = client.post(f"{PAGE}/try", TRY | {"prompt": ""}, headers={"accept": "text/event-stream"})
    assert empty.status_code == 422


def test_trying_needs_the_permission_and_something_that_runs(
    running: Deployment, cast: SimpleNamespace, client_of: Any
) -> None:
    sse = {"accept": "text/event-stream"}
    assert client_of(cast.carol).post(f"{PAGE}/try", TRY, headers=sse).status_code == 403
    assert client_of(cast.mallory).post(f"{PAGE}/try", TRY, headers=sse).status_code == 404
    Deployment.objects.update(endpoint="http://127.0.0.1:9/gone")
    assert client_of(cast.victor).post(f"{PAGE}/try", TRY, headers=sse).status_code == 503
    Deployment.objects.update(state="starting", endpoint="")
    assert client_of(cast.victor).post(f"{PAGE}/try", TRY, headers=sse).status_code == 409


def test_two_texts_are_compared(running: Deployment, cast: SimpleNamespace, client_of: Any) -> None:
    client = client_of(cast.victor)
    part = text(client.post(f"{PAGE}/compare", {"first": "a", "second": "b"}, headers={"hx-request": "true"}))
    assert "0.6000" in part
    assert "<html" not in part
    from registry.models import Asset

    Asset.objects.update(task="feature-extraction")
    whole = text(client.post(f"{PAGE}/compare", {"first": "a", "second": "b"}))
    assert "0.6000" in whole
    assert "<html" in whole
