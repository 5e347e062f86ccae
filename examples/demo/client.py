"""A small client of the native REST API: JSON in and out, files streamed from disk, problems as exceptions."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

# A site that is starting or restarting gives no answer, or one of these and does nothing; the demo waits for it.
BUSY = frozenset({429, 503})
ATTEMPTS = 8
BLOCK = 1024 * 1024


class ApiError(Exception):
    """The platform refused: its problem document, in one line."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        try:
            body = response.json()
        except ValueError:
            body = {}
        self.problem: dict[str, Any] = body if isinstance(body, dict) else {}
        detail = self.problem.get("detail") or self.problem.get("title") or response.text[:200].strip()
        super().__init__(f"{response.request.method} {response.request.url.path} -> {self.status}: {detail}")


class Client:
    """Requests as one person: by an API key, or in a session after `sign_in`. Close it, or use it in a `with`."""

    def __init__(self, site: str, *, key: str = "") -> None:
        self.site = site.rstrip("/")
        headers = {"Accept": "application/json", "User-Agent": "countersign-demo"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # The platform is on this machine or named by the caller; a proxy in the environment is not meant for it.
        self._http = httpx.Client(
            base_url=self.site, headers=headers, timeout=httpx.Timeout(120, connect=10), trust_env=False
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def sign_in(self, email: str, password: str) -> None:
        """A session, as a browser gets it: the sign-in form with its CSRF token."""
        form = self._send("GET", "/accounts/login/", headers={"Accept": "text/html"})
        token = re.search(r'name="csrfmiddlewaretoken"\s+value="([^"]+)"', form.text)
        if form.status_code != 200 or token is None:
            raise RuntimeError(f"{self.site}/accounts/login/ is not a sign-in form (HTTP {form.status_code}).")
        answer = self._send(
            "POST",
            "/accounts/login/",
            data={"login": email, "password": password, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": f"{self.site}/accounts/login/", "Accept": "text/html"},
        )
        if answer.status_code != 302:
            raise RuntimeError(f"Signing in as {email} failed (HTTP {answer.status_code}): is the password right?")
        csrf = next((cookie.value for cookie in self._http.cookies.jar if "csrf" in cookie.name), None)
        self._http.headers["X-CSRFToken"] = csrf or token[1]
        self._http.headers["Referer"] = f"{self.site}/"

    def get(self, path: str, **params: Any) -> Any:
        return self._json("GET", path, params=params)

    def find(self, path: str) -> Any | None:
        """The resource, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def every(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All results of a list, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["results"]
            cursor = page["next"]

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._json("POST", path, json=body or {})

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._json("PUT", path, json=body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._json("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self._json("DELETE", path)

    def upload(self, path: str, file: Path) -> None:
        """PUT a file's bytes, read block by block; the platform refuses them if they arrive other than they left."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.stat().st_size),
            "X-Content-SHA256": sha256(file),
        }
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.put(path, content=_blocks(file), headers=headers)
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
            else:
                if response.is_success:
                    return
                if response.status_code not in BUSY or attempt == ATTEMPTS:
                    raise ApiError(response)
            time.sleep(_pause(attempt))

    def _json(self, method: str, path: str, **options: Any) -> Any:
        response = self._send(method, path, **options)
        if not response.is_success:
            raise ApiError(response)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, repeated while the site can't be reached or says that it is busy.

        A POST that may have come through is not repeated: it raises, and the caller looks what is there first.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.request(method, path, **options)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if attempt == ATTEMPTS:
                    raise
            except httpx.TransportError:
                if method == "POST" or attempt == ATTEMPTS:
                    raise
            else:
                if response.status_code not in BUSY or attempt == ATTEMPTS:
                    return response
            time.sleep(_pause(attempt))
        raise AssertionError("unreachable")


def sha256(file: Path) -> str:
    """The file's sha256 in hexadecimal figures."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block


def _pause(attempt: int) -> float:
    return float(min(0.25 * 2**attempt, 8.0))
