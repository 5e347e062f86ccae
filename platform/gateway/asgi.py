"""The gateway: `granian --interface asgi --loop uvloop gateway.asgi:application`. A process of its own, without Django."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import metrics
from gateway.access import Access
from gateway.configuration import Configuration
from gateway.doors import Call, Handler, Models
from gateway.envelope import Envelope
from gateway.prompts.door import Events
from gateway.prompts.hub import Hub
from gateway.prompts.permissions import Permissions
from gateway.upstream import Upstream


class _Door:
    """A handler as an ASGI application, which Starlette then leaves alone but for the method."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._handler(scope, receive, send)


def build(configuration: Configuration) -> ASGIApp:
    """The application of one process."""
    access = Access(configuration.database_url, configuration.pool_size)
    upstream = Upstream(configuration)
    models = Models(access, configuration.trusted_proxies)
    permissions = Permissions(access)
    hub = Hub(
        configuration.database_url, permissions, per_key=configuration.streams_per_key, at_all=configuration.streams
    )
    events = Events(hub, permissions, configuration.trusted_proxies)
    call = Call(access, upstream, configuration)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        await access.open()
        await upstream.open()
        yield
        await hub.close()
        await upstream.close()
        await access.close()

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(request: Request) -> Response:
        ready = await access.ready()
        return PlainTextResponse("ok" if ready else "PostgreSQL does not answer", 200 if ready else 503)

    async def numbers(request: Request) -> Response:
        body, kind = metrics.text()
        return Response(body, media_type=kind)

    # The router alone: of Starlette's further layers each costs a few microseconds, and Envelope does their work.
    app = Router(
        routes=[
            Route("/v1/chat/completions", _Door(call), methods=["POST"]),
            Route("/v1/completions", _Door(call), methods=["POST"]),
            Route("/v1/embeddings", _Door(call), methods=["POST"]),
            Route("/v1/models", _Door(models.list), methods=["GET"]),
            Route("/v1/models/{model:path}", _Door(models.show), methods=["GET"]),
            Route("/v1/prompts/events", _Door(events), methods=["GET"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", numbers),
        ],
        redirect_slashes=False,
        lifespan=lifespan,
    )
    return Envelope(app, configuration.site_url)


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
application = build(Configuration.from_environment())
