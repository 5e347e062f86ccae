"""What every answer has: a request id, CORS for the site's own pages, numbers for /metrics, errors in the protocol's shape."""

import logging
import re
import secrets
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import metrics
from gateway.errors import ApiError
from gateway.exchange import ClientGone, RawHeaders, header, send_json, send_whole

log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,80}")
DOORS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/models": "models",
    "/v1/prompts/events": "events",
}


class Envelope:
    """The outermost layer; `site_url` is the one origin that browsers may call from."""

    def __init__(self, app: ASGIApp, site_url: str) -> None:
        self._app = app
        self._origin = site_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        extra: RawHeaders = [(b"x-request-id", request_id.encode())]
        if origin := header(scope, b"origin"):
            extra += self._cors(origin)
        scope["request_id"] = request_id
        scope["app"] = self  # makes Starlette's router raise what is a wrong address or method
        door = DOORS.get(scope["path"], "models" if scope["path"].startswith("/v1/models/") else "other")
        started = time.perf_counter()
        status = 0

        async def send_wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *extra]
                metrics.first_byte.labels(door).observe(time.perf_counter() - started)
            await send(message)

        metrics.under_way.inc()
        try:
            if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
                await send_whole(send_wrapped, 204, b"", self._preflight(scope, origin))
            else:
                await self._app(scope, receive, send_wrapped)
        except ClientGone:
            status = 499
        except ApiError as error:
            await self._send_error(error, status, send_wrapped)
        except HTTPException as error:
            await self._send_error(_misdirected(scope, error), status, send_wrapped)
        except Exception:
            log.exception("request %s failed", request_id)
            problem = ApiError(
                500, f"Something went wrong on our side. It was logged as {request_id}.", code="internal_error"
            )
            await self._send_error(problem, status, send_wrapped)
        finally:
            metrics.under_way.dec()
            metrics.requests.labels(door, str(status)).inc()
            metrics.seconds.labels(door).observe(time.perf_counter() - started)

    async def _send_error(self, error: ApiError, status: int, send: Send) -> None:
        if status:  # the answer has begun: all that is left is to break it off
            raise error
        headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
        await send_json(send, error.status, error.body, headers)

    def _cors(self, origin: str) -> RawHeaders:
        if origin != self._origin:
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", self._origin.encode()),
            (b"access-control-expose-headers", b"x-request-id, retry-after"),
            (b"vary", b"origin"),
        ]

    def _preflight(self, scope: Scope, origin: str) -> RawHeaders:
        if origin != self._origin:
            return []
        return [
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", header(scope, b"access-control-request-headers").encode("latin-1")),
            (b"access-control-max-age", b"600"),
        ]


def _misdirected(scope: Scope, error: HTTPException) -> ApiError:
    path = scope["path"]
    if error.status_code == 405:
        headers = dict(error.headers or {})
        return ApiError(
            405, f"{scope['method']} is not what {path} answers to: use {headers.get('Allow', '')}.", headers=headers
        )
    return ApiError(error.status_code, f"There is nothing at {path}. The protocol's doors are under /v1/.")
