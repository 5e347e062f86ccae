"""GET /v1/prompts/events?team=…&prompt=…&label=…: server-sent events, until either side closes."""

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from gateway.doors import credentials
from gateway.errors import ApiError
from gateway.exchange import header, while_connected
from gateway.prompts.hub import Hub, Stream
from gateway.prompts.permissions import Permissions

HEARTBEAT_S = 15.0
# A client that takes nothing for so long is gone, whatever TCP believes.
_SEND_TIMEOUT_S = 30.0
_MOST_NAMES = 100
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Events:
    def __init__(self, hub: Hub, permissions: Permissions, trusted_proxies: Sequence[str]) -> None:
        self._hub, self._permissions, self._trusted = hub, permissions, trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        team, prompts, labels = _asked(scope["query_string"])
        listener = await self._permissions.listener(credentials(scope, self._trusted), team, prompts)
        stream = await self._hub.join(listener, labels, header(scope, b"last-event-id"))

        async def work() -> None:
            await _tell(stream, send)

        try:
            await while_connected(receive, work)
        finally:
            self._hub.leave(stream)


async def _tell(stream: Stream, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    try:
        while not stream.ended:
            message = await stream.next(HEARTBEAT_S)
            if not stream.ended:
                async with asyncio.timeout(_SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": message or b":\n\n", "more_body": True})
        end = b"event: end\ndata: " + json.dumps({"reason": stream.ended}).encode() + b"\n\n"
        async with asyncio.timeout(1):
            await send({"type": "http.response.body", "body": end, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        stream.end("slow")


def _asked(query: bytes) -> tuple[str | None, list[str], list[str]]:
    """Team, prompts and labels of a query; ApiError names what is wrong with it."""
    team, prompts, labels = None, [], []
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=2 * _MOST_NAMES + 1, errors="strict"
        )
    except ValueError:
        raise ApiError(400, f"The query can't be read. Name {_MOST_NAMES} prompts and labels at most.") from None
    for name, value in pairs:
        if "\0" in value or not value or len(value) > 200:
            raise ApiError(400, f"'{name}' is empty or is no name.", param=name)
        if name == "team":
            team = value
        elif name == "prompt":
            prompts.append(value)
        elif name == "label":
            labels.append(value)
        else:
            raise ApiError(400, f"There is no '{name}' here. Use team, prompt and label.", param=name)
    return team, prompts, labels
