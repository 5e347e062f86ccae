"""The gateway's routes × every caller: the same roles, read by its own SQL in a process without Django."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from accounts.roles import Permission, Role
from gateway.asgi import build
from gateway.configuration import Configuration
from tests.conftest import truncate_everything
from tests.matrix.rules import IN, UNKNOWN, Rule, account, may, public, sees, verdict
from tests.matrix.test_matrix import CALLERS
from tests.matrix.world import WORDS, World
from tests.matrix.world import build as build_world

P = Permission
INVOKE = may(P.MODEL_INVOKE, see=P.DEPLOYMENT_VIEW)
STREAM = "/v1/prompts/events"
MODEL = {"model": "acme/dep"}
# A deployment that has not started answers 503 to whoever is let in: no model is needed to ask who is.
TABLE: dict[tuple[str, str], Rule] = {
    ("POST", "/v1/chat/completions"): INVOKE.but(body={**MODEL, "messages": []}, ok=(503,)),
    ("POST", "/v1/completions"): INVOKE.but(body={**MODEL, "prompt": "x"}, ok=(503,)),
    ("POST", "/v1/embeddings"): INVOKE.but(body={**MODEL, "input": "x"}, ok=(503,)),
    ("GET", "/v1/models"): account(ok=(200,)),
    ("GET", "/v1/models/{model:path}"): INVOKE.but(ok=(503,)),
    ("GET", STREAM): sees(P.ASSET_VIEW, ok=(200,)),
    ("GET", "/healthz"): public(ok=(200,)),
    ("GET", "/readyz"): public(ok=(200,)),
    ("GET", "/metrics"): public(ok=(200,)),
}


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[World]:
    """The world, written for good: the gateway reads it by connections of its own."""
    from django.conf import settings

    from serving import cluster

    patch = pytest.MonkeyPatch()
    patch.setattr(settings, "STORAGE", tmp_path_factory.mktemp("gateway") / "storage")
    node = cluster.Node("n1", "127.0.0.1", cpus=8, gpus=0, memory_bytes=24 * 1024**3)
    patch.setattr(cluster, "resources", lambda **_: cluster.Resources([node]))
    with django_db_blocker.unblock():
        yield build_world()
        truncate_everything()
    patch.undo()


@asynccontextmanager
async def running() -> AsyncIterator[Any]:
    """The gateway's application, started as a server would start it."""
    app = build(Configuration(os.environ["DATABASE_URL"], "http://127.0.0.1:8000", pool_size=2))
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, outbox.put)
    )
    for word in ("startup", "shutdown"):
        await inbox.put({"type": f"lifespan.{word}"})
        assert (await outbox.get())["type"] == f"lifespan.{word}.complete"
        if word == "startup":
            yield app
    await life


def test_every_route_of_the_gateway_has_an_expectation():
    app = build(Configuration(os.environ["DATABASE_URL"], "http://127.0.0.1:8000"))
    routes = [route for route in app._app.routes if isinstance(route, Route)]
    assert len(routes) == len(app._app.routes), "something is mounted that the matrix does not walk"
    found = {(method, route.path) for route in routes for method in (route.methods or {"GET"}) - {"HEAD"}}
    assert found == set(TABLE), "add it to TABLE, with who may call it"


def test_who_is_let_in_by_the_gateway(committed):
    wrong = asyncio.run(_walk(committed))
    assert not wrong, "\n  ".join(["", *wrong])


async def _walk(world: World) -> list[str]:
    wrong = []
    async with (
        running() as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        for (method, path), rule in TABLE.items():
            for who in CALLERS:
                caller = world.callers[who]
                key = caller.rest.defaults.get("HTTP_AUTHORIZATION", "")
                address = path.replace("{model:path}", "acme/dep")
                headers = {"authorization": key} if key else {}
                if path == STREAM:
                    answer = await _begun(app, path, b"team=acme", headers)
                else:
                    answer = await client.request(method, address, json=rule.body, headers=headers)
                expected = verdict(rule, caller, rest=True)
                right = {IN: rule.ok, UNKNOWN: (401,), "unseen": (404,), "refused": (403,)}[expected]
                if answer.status_code not in right:
                    wrong.append(
                        f"{method} {path} {who}: {answer.status_code}, expected {expected}: {answer.text[:120]}"
                    )
                leaked = [word for word in caller.strange_words() if word in answer.text.lower()]
                if leaked and expected != IN:
                    wrong.append(f"{method} {path} {who}: shows {leaked}")
    return wrong


async def _begun(app: Any, path: str, query: bytes, headers: dict[str, str]) -> httpx.Response:
    """The beginning of an answer that has no end: the client goes away after its first bytes."""
    gone, sent = asyncio.Event(), []

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            gone.set()

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query,
        "headers": raw,
        "client": ("127.0.0.1", 1),
    }
    await asyncio.wait_for(app(scope, receive, send), 20)
    return httpx.Response(sent[0]["status"], content=b"".join(message.get("body", b"") for message in sent))


def test_models_are_listed_to_those_who_may_invoke_them(committed):
    from serving.models import Deployment

    Deployment.objects.filter(name="dep").update(state="running", endpoint="http://127.0.0.1:9/x")

    async def listed(who: str) -> list[str]:
        async with (
            running() as app,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
        ):
            key = committed.callers[who].rest.defaults["HTTP_AUTHORIZATION"]
            answer = await client.get("/v1/models", headers={"authorization": key})
            return [model["id"] for model in answer.json()["data"]]

    found = {who: asyncio.run(listed(who)) for who in CALLERS if who != "anonymous"}
    may_call = {Role.VIEWER, Role.CONTRIBUTOR, Role.REVIEWER, Role.DEPLOYER, Role.ADMIN}
    for side, team in (("own", "acme"), ("other", "rival")):
        for role in Role:
            assert found[f"{side}:{role.value}"] == ([f"{team}/dep"] if role in may_call else []), role
    assert found["nobody"] == []
    assert found["root"] == ["acme/dep", "rival/dep"]
    assert set(WORDS) == {"acme", "rival"}
