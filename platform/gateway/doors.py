"""What the gateway answers to: OpenAI's models, chat completions, completions and embeddings."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
from starlette.types import Receive, Scope, Send

from accounts import tickets
from accounts.networks import client_address
from gateway import metrics, usage
from gateway.access import Access, Caller, Target, look_at
from gateway.configuration import Configuration
from gateway.errors import ApiError
from gateway.exchange import header, read_body, send_json, while_connected
from gateway.media import refuse_addresses
from gateway.upstream import Upstream, broken, refused

_SSE = b"text/event-stream"
# What each door can't do without; the engine checks the rest.
_NEEDED: dict[str, tuple[str, tuple[type, ...], str]] = {
    "/v1/chat/completions": ("messages", (list,), "a list of messages"),
    "/v1/completions": ("prompt", (str, list), "a string or a list"),
    "/v1/embeddings": ("input", (str, list), "a string or a list"),
}


def credentials(scope: Scope, trusted: Sequence[str]) -> Caller:
    """The key that a request brings, and where it comes from."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    peer = scope.get("client") or ("", 0)
    return Caller(header(scope, b"authorization"), client_address(peer[0], forwarded, trusted))


class Models:
    """GET /v1/models and /v1/models/{id}."""

    def __init__(self, access: Access, trusted_proxies: Sequence[str]) -> None:
        self._access, self._trusted = access, trusted_proxies

    async def list(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._access.targets(credentials(scope, self._trusted))
        await send_json(send, 200, json.dumps({"object": "list", "data": [target.card for target in found]}).encode())

    async def show(self, scope: Scope, receive: Receive, send: Send) -> None:
        model = scope["path_params"]["model"]
        target = await self._access.target(credentials(scope, self._trusted), model)
        await send_json(send, 200, json.dumps(target.card).encode())


class Call:
    """A POST that goes through to a model."""

    def __init__(self, access: Access, upstream: Upstream, configuration: Configuration) -> None:
        self._access, self._upstream, self._limit = access, upstream, configuration.max_body_bytes
        self._trusted, self._ticket_secret = configuration.trusted_proxies, configuration.ticket_secret
        self._media_hosts = configuration.media_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        caller = credentials(scope, self._trusted)
        ticket = tickets.read(caller.authorization, self._ticket_secret, now=time.time())
        if ticket is None:
            look_at(caller.authorization)  # what can't be a key sends no megabytes first
        body = await read_body(scope, receive, self._limit)
        caller = replace(caller, ticket=ticket)
        try:
            asked = _read(body, path)
            refuse_addresses(asked, self._media_hosts)
        except ApiError:
            if ticket is None:
                await self._access.check(caller)
            raise
        target = await self._access.target(caller, asked["model"])
        if asked["model"] != target.model and ticket is None:
            # Asked for by another spelling: the engine is told the one name it has.
            body = json.dumps({**asked, "model": target.model}).encode()

        async def work() -> None:
            await self._forward(target, path, body, scope["request_id"], send)

        await while_connected(receive, work)

    async def _forward(self, target: Target, path: str, body: bytes, request_id: str, send: Send) -> None:
        response = await self._upstream.post(target.endpoint + path, body, request_id)
        try:
            kind = response.headers.get("content-type", "").encode("latin-1")
            if response.status == 200 and kind.startswith(_SSE):
                await self._stream(response, kind, send)
                return
            answer = await self._upstream.whole(response)
            if response.status >= 400 and not _is_protocol_error(answer):
                raise refused(response.status, answer)
            if response.status == 200:
                metrics.note_usage(usage.of_answer(answer))
            kept = [
                (name.encode(), response.headers[name].encode("latin-1"))
                for name in ("retry-after", "x-should-retry")
                if name in response.headers
            ]
            await send_json(send, response.status, answer, kept)
        finally:
            # Closes the connection unless the answer was read to its end: that is how a model learns to stop.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _stream(self, response: aiohttp.ClientResponse, kind: bytes, send: Send) -> None:
        """Pass a stream through. Its first bytes are waited for, so that a failure before them is a plain error."""
        chunks = self._upstream.chunks(response)
        tail = usage.Tail()
        first = await anext(chunks, None)
        if first is None:
            raise broken(EOFError("an empty stream"))
        headers = [(b"content-type", kind), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        chunk = first
        try:
            while True:
                tail.add(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                following = await anext(chunks, None)
                if following is None:
                    break
                chunk = following
        except ApiError as error:
            await send({"type": "http.response.body", "body": b"\n\ndata: " + error.body + b"\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        metrics.note_usage(tail.usage)


def _read(body: bytes, path: str) -> dict[str, Any]:
    """The request; raises naming the field that is wrong."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"We could not parse the JSON body of your request: {error}"
        raise ApiError(400, message, code="invalid_json") from None
    if not isinstance(asked, dict):
        raise ApiError(400, "The body must be a JSON object.", code="invalid_json")
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "Name the model: 'model' is a string such as 'team/deployment'.", param="model")
    field, kinds, words = _NEEDED[path]
    if not isinstance(asked.get(field), kinds):
        raise ApiError(400, f"'{field}' is missing or of the wrong type: it is {words}.", param=field)
    return asked


def _is_protocol_error(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and isinstance(answer.get("error"), dict)


Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
