"""One request and its answer at the level of ASGI: reading a body, sending bytes, noticing that the client has gone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import ApiError

# How many times the limit is read and thrown away so that the client gets to read its error.
_PATIENCE = 8
RawHeaders = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed its connection before the answer ended."""


def header(scope: Scope, name: bytes) -> str:
    """A request header's value, '' when there is none. `name` in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; ApiError 413 above the limit. A client that is still sending sees no answer, so what is too much is
    read to its end and thrown away, within reason."""
    patience = _PATIENCE * limit
    announced = header(scope, b"content-length")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > patience):
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        more = bool(message.get("more_body"))
        if size > limit:
            parts.clear()
            if more and size <= patience:
                continue
            raise _too_large(limit)
        parts.append(part)
        if not more:
            return b"".join(parts) if len(parts) > 1 else parts[0]


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        f"The request is larger than {limit:,} bytes. Send less at once.",
        code="request_too_large",
        headers={"connection": "close"},
    )


async def send_whole(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    await send_whole(send, status, body, [(b"content-type", b"application/json"), *headers])


async def while_connected(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, but give it up the moment the client has gone: then the model stops too."""
    working = asyncio.ensure_future(work())
    gone = asyncio.ensure_future(_until_disconnect(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        for task in (working, gone):
            if not task.done():
                task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _until_disconnect(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
