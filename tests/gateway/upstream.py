"""A small model that speaks the protocol, on a real socket, and remembers what happened to it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from aiohttp import web


@contextmanager
def running() -> Iterator[SimpleNamespace]:
    """What it saw: .calls [(path, body, headers)], .cancelled (streams that were given up), .url."""
    seen = SimpleNamespace(calls=[], cancelled=threading.Event(), url="", started=threading.Event())
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = web.AppRunner(_app(seen), handler_cancellation=True)
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        loop.run_until_complete(site.start())
        seen.url = f"http://127.0.0.1:{runner.addresses[0][1]}/deployment-1-1"
        seen.started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert seen.started.wait(10)
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def chunk(**fields: object) -> bytes:
    base = {"id": "cmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**base, **fields}).encode() + b"\n\n"


def _app(seen: SimpleNamespace) -> web.Application:
    async def call(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        seen.calls.append((request.path, body, {name.lower(): value for name, value in request.headers.items()}))
        said = body["messages"][-1]["content"] if "messages" in body else ""
        if said == "fail":
            return web.json_response(
                {
                    "error": {
                        "message": "too long",
                        "type": "invalid_request_error",
                        "param": "messages",
                        "code": "context_length_exceeded",
                    }
                },
                status=400,
            )
        if said == "serve-404":
            return web.Response(status=404, text="Path '/x' not found. Ping http://.../-/routes for available routes.")
        if said == "crash":
            return web.Response(status=500, text="Internal Server Error")
        if said == "hang":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.cancelled.set()
                raise
        if body.get("stream"):
            return await stream(request, body, said)
        if "input" in request.path or request.path.endswith("embeddings"):
            return web.json_response(
                {
                    "object": "list",
                    "model": body["model"],
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}],
                    "usage": {"prompt_tokens": 3, "total_tokens": 3},
                }
            )
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        if request.path.endswith("/v1/completions"):
            return web.json_response(
                {
                    "id": "c",
                    "object": "text_completion",
                    "created": 1,
                    "model": body["model"],
                    "choices": [{"index": 0, "text": "deep blue", "finish_reason": "stop", "logprobs": None}],
                    "usage": usage,
                }
            )
        return web.json_response(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "deep blue"}, "finish_reason": "stop"}
                ],
                "usage": usage,
            }
        )

    async def stream(request: web.Request, body: dict, said: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            await response.write(
                chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
            )
            for number in range(1000 if said == "long" else 5):
                await asyncio.sleep(0.02)
                await response.write(
                    chunk(choices=[{"index": 0, "delta": {"content": f"{number} é "}, "finish_reason": None}])
                )
                if said == "break" and number == 2:
                    assert request.transport
                    request.transport.abort()
                    return response
            await response.write(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
            if body.get("stream_options", {}).get("include_usage"):
                await response.write(
                    chunk(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10})
                )
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionResetError):
            seen.cancelled.set()
            raise
        return response

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", call)
    return app
