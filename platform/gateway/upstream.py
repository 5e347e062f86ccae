"""Calls to models: kept-alive connections, bytes passed through, and errors that say what to do."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp

from gateway import metrics
from gateway.configuration import Configuration
from gateway.errors import ApiError

log = logging.getLogger(__name__)

# Ray Serve closes an idle connection after 90 s; let go of it well before, so that no request meets a closing one.
_KEEP_ALIVE_S = 45
# A replica is replaced, or Serve starts again: connecting fails for a moment, and nothing has been sent yet.
_CONNECT_AGAIN_AFTER_S = 0.2


class Upstream:
    """The pool of connections to models."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._configuration.connect_timeout_s,
                sock_read=self._configuration.silence_timeout_s,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            # A chunk of a stream is small; a large one need not stop at 64 KiB.
            read_bufsize=256 * 1024,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def post(self, url: str, body: bytes, request_id: str) -> aiohttp.ClientResponse:
        """Begin a call. It is repeated only when no connection came about, so that a model never does the work twice."""
        assert self._session is not None
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "x-request-id": request_id,
        }
        for last in (False, True):
            try:
                return await self._session.post(url, data=body, headers=headers, allow_redirects=False)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                if last:
                    raise _unreachable(error) from error
                await asyncio.sleep(_CONNECT_AGAIN_AFTER_S)
            except TimeoutError as error:
                raise self.too_slow() from error
            except aiohttp.ClientError as error:
                raise broken(error) from error
        raise AssertionError("unreachable")

    async def whole(self, response: aiohttp.ClientResponse) -> bytes:
        """All of a plain answer."""
        try:
            return await response.read()
        except TimeoutError as error:
            raise self.too_slow() from error
        except aiohttp.ClientError as error:
            raise broken(error) from error

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """A stream as it comes, byte for byte."""
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except TimeoutError as error:
            raise self.too_slow() from error
        except aiohttp.ClientError as error:
            raise broken(error) from error

    def too_slow(self) -> ApiError:
        metrics.upstream_errors.labels("timeout").inc()
        return ApiError(
            502,
            f"The model said nothing for {self._configuration.silence_timeout_s:g} s. Ask for less, or try again later.",
            code="upstream_timeout",
            final=True,
        )


def _unreachable(error: Exception) -> ApiError:
    metrics.upstream_errors.labels("connect").inc()
    log.warning("a model can't be reached: %s", error)
    return ApiError(503, "The model can't be reached right now. Try again soon.", code="unavailable", retry_after_s=2)


def broken(error: Exception) -> ApiError:
    metrics.upstream_errors.labels("broken").inc()
    log.warning("a model broke off: %s: %s", type(error).__name__, error)
    return ApiError(
        502,
        "The model broke off its answer. Try again; if it stays, look at the deployment's log.",
        code="upstream_error",
    )


def refused(status: int, body: bytes) -> ApiError:
    """An error that is not in the protocol's shape: it comes from Ray Serve, before any replica had the request."""
    metrics.upstream_errors.labels("refused").inc()
    said = body[:300].decode("utf-8", "replace").strip()
    log.warning("Ray Serve answered %s: %s", status, said)
    if status in (404, 408, 503):
        return ApiError(
            503,
            "The model is not ready right now, or has too much to do. Try again soon.",
            code="unavailable",
            retry_after_s=2,
        )
    return ApiError(502, "The model failed to answer; the deployment's log says why.", code="upstream_error")
