"""An instant model, as fast as a Python process answers: what the gateway is measured against (`granian --interface asgi`)."""

import json
from typing import Any

CHUNKS = 50
_PLAIN = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "acme/bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "deep blue"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
).encode()
_CHUNK = (
    b"data: "
    + json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": "deep"}, "finish_reason": None}]}).encode()
    + b"\n\n"
)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    stream = b'"stream": true' in body
    kind = b"text/event-stream" if stream else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if not stream:
        await send({"type": "http.response.body", "body": _PLAIN})
        return
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
