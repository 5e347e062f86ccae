"""The engine's HTTP door: routes, errors in OpenAI's shape, and work that ends when its client goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import torch
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving.engines.arguments import EngineArguments
from serving.engines.errors import ApiError, EngineError
from serving.engines.transformers_engine import loading
from serving.engines.transformers_engine.answers import DONE, Envelope, event
from serving.engines.transformers_engine.chat import answer_chat, plan_chat, stream_chat
from serving.engines.transformers_engine.completions import answer_completion, plan_completion, stream_completion
from serving.engines.transformers_engine.embeddings import Vector, answer_embeddings, embed, plan_embeddings
from serving.engines.transformers_engine.generation import Delta, generate
from serving.engines.transformers_engine.jobs import Job, Workers
from serving.engines.transformers_engine.protocol import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    parse_request,
)

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
Result = TypeVar("Result")


def create_app(arguments: EngineArguments, folder: Path, *, device: str) -> Starlette:
    """Load the model in `folder` and build the ASGI app that serves it. Raises EngineError."""
    options = arguments.options
    threads = loading.use_threads(options.threads)
    door: LanguageDoor | EmbeddingDoor
    workers = Workers(options.max_concurrency, initialise=lambda: torch.set_num_threads(threads))
    if arguments.task == "feature-extraction":
        door = EmbeddingDoor(arguments, loading.load_encoder(folder, options, device=device), workers)
    else:
        door = LanguageDoor(arguments, loading.load_language_model(folder, options, device=device), workers)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        workers.close()

    app = Starlette(
        routes=[
            Route("/health", door.health),
            Route("/v1/models", door.list_models),
            Route("/v1/models/{model:path}", door.show_model),
            Route("/v1/chat/completions", door.chat, methods=["POST"]),
            Route("/v1/completions", door.complete, methods=["POST"]),
            Route("/v1/embeddings", door.embed, methods=["POST"]),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _server_error},
        lifespan=lifespan,
    )
    app.state.workers = workers
    return app


def require_health(app: Starlette) -> None:
    """Raises EngineError when the app's device has failed, so that its process must be replaced."""
    if broken := app.state.workers.broken:
        raise EngineError(f"the device has failed, and only a new replica can use it again: {broken}")


class Door:
    """What every engine answers, whatever its model does."""

    def __init__(self, arguments: EngineArguments, workers: Workers, *, device: torch.device) -> None:
        self.workers = workers
        self._model = arguments.model
        self._digest = arguments.digest
        self._task = arguments.task
        self._device = device

    def model_name(self, asked: str | None) -> str:
        """The name to answer under: the one asked for, since routes name a deployment as they like."""
        return asked or self._model

    def envelope(self, asked: str | None, prefix: str) -> Envelope:
        fingerprint = "fp_" + self._digest.removeprefix("sha256:")[:12]
        return Envelope(model=self.model_name(asked), fingerprint=fingerprint, prefix=prefix)

    async def health(self, request: Request) -> Response:
        if broken := self.workers.broken:
            raise ApiError(f"the model's device has failed: {broken}", status=503, kind="server_error")
        return JSONResponse({"status": "ok", "model": self._model, "digest": self._digest, "device": str(self._device)})

    async def list_models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def show_model(self, request: Request) -> Response:
        if request.path_params["model"] != self._model:
            raise ApiError("no such model", status=404, param="model", code="model_not_found")
        return JSONResponse(self._card())

    async def chat(self, request: Request) -> Response:
        raise self._cannot("/v1/chat/completions")

    async def complete(self, request: Request) -> Response:
        raise self._cannot("/v1/completions")

    async def embed(self, request: Request) -> Response:
        raise self._cannot("/v1/embeddings")

    def _card(self) -> dict[str, Any]:
        owner = self._model.partition("/")[0]
        return {"id": self._model, "object": "model", "created": 0, "owned_by": owner}

    def _cannot(self, path: str) -> ApiError:
        works = "/v1/embeddings" if self._task == "feature-extraction" else "/v1/chat/completions or /v1/completions"
        return ApiError(f"{self._model} is a model for {self._task}; use {works} instead of {path}", param="model")


class LanguageDoor(Door):
    """Chat and completions of a causal model."""

    def __init__(self, arguments: EngineArguments, model: loading.LanguageModel, workers: Workers) -> None:
        super().__init__(arguments, workers, device=model.device)
        self._language_model = model

    async def chat(self, request: Request) -> Response:
        model = self._language_model
        asked = parse_request(ChatRequest, await request.body())
        chat = await asyncio.to_thread(plan_chat, asked, model)
        envelope = self.envelope(asked.model, "chatcmpl")
        job: Job[Delta] = self.workers.start(
            lambda emit, cancelled: generate(model, chat.plan, emit=emit, cancelled=cancelled)
        )
        if asked.stream:
            return await _stream(request, job, stream_chat(chat, job, model, envelope))
        return await _plain(request, job, answer_chat(chat, job, model, envelope))

    async def complete(self, request: Request) -> Response:
        model = self._language_model
        asked = parse_request(CompletionRequest, await request.body())
        completion = await asyncio.to_thread(plan_completion, asked, model)
        envelope = self.envelope(asked.model, "cmpl")
        job: Job[Delta] = self.workers.start(lambda emit, cancelled: completion.run(model, emit, cancelled))
        if asked.stream:
            return await _stream(request, job, stream_completion(completion, job, model, envelope))
        return await _plain(request, job, answer_completion(completion, job, model, envelope))


class EmbeddingDoor(Door):
    """Embeddings of an encoder."""

    def __init__(self, arguments: EngineArguments, encoder: loading.Encoder, workers: Workers) -> None:
        super().__init__(arguments, workers, device=encoder.device)
        self._encoder = encoder

    async def embed(self, request: Request) -> Response:
        encoder = self._encoder
        asked = parse_request(EmbeddingRequest, await request.body())
        inputs = await asyncio.to_thread(plan_embeddings, asked, encoder)
        job: Job[tuple[int, Vector]] = self.workers.start(
            lambda emit, cancelled: embed(encoder, inputs, emit=emit, cancelled=cancelled)
        )

        async def answer() -> dict[str, Any]:
            vectors = {index: vector async for index, vector in job}
            return answer_embeddings(asked, inputs, vectors, self.model_name(asked.model))

        return await _plain(request, job, answer())


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of `work`, or None if the client went first."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _plain(request: Request, job: Job[Any], work: Coroutine[Any, Any, dict[str, Any]]) -> Response:
    try:
        body = await _unless_gone(request.receive, work)
    finally:
        job.cancel()
    return Response(status_code=CLIENT_CLOSED_REQUEST) if body is None else JSONResponse(body)


async def _stream(request: Request, job: Job[Any], events: AsyncIterator[bytes]) -> Response:
    """A stream, once its first event exists: an error before it is a plain answer with a status."""
    try:
        first = await _unless_gone(request.receive, _next(events))
    except BaseException:
        job.cancel()
        raise
    if first is None:
        job.cancel()
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return EventStream(first, events, job)


async def _next(events: AsyncIterator[bytes]) -> bytes:
    return await anext(events)


class EventStream(Response):
    """Server-sent events that stop their job when the client goes, however the server tells of it."""

    media_type = "text/event-stream"

    def __init__(self, first: bytes, events: AsyncIterator[bytes], job: Job[Any]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._first = first
        self._events = events
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write() -> bool:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for data in self._without_failing():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return True

        try:
            await _unless_gone(receive, write())
        except OSError:  # a server may tell of a lost client by failing to send
            logger.debug("the client of a stream went away")
        finally:
            self._job.cancel()

    async def _without_failing(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._events:
                yield data
        except Exception as error:  # the status is sent already, so the stream itself has to say it
            logger.exception("a stream failed")
            yield event(_as_api_error(error).body())
            yield DONE


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        return ApiError(
            "the model's device is out of memory; try again or ask for less", status=503, kind="server_error"
        )
    return ApiError(f"the engine failed: {type(error).__name__}: {error}", status=500, kind="server_error")


async def _api_error(request: Request, error: Exception) -> Response:
    answer = _as_api_error(error)
    return JSONResponse(answer.body(), status_code=answer.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "method not allowed" if error.status_code == 405 else str(error.detail).lower()
    answer = ApiError(message, status=error.status_code)
    return JSONResponse(answer.body(), status_code=answer.status, headers=error.headers)


async def _server_error(request: Request, error: Exception) -> Response:
    logger.error("a request failed", exc_info=error)
    return await _api_error(request, error)
