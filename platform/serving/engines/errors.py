"""Errors of the engines, in the two shapes that somebody reads: Serve's status, and OpenAI's error body."""

from __future__ import annotations

from typing import Any


class EngineError(Exception):
    """The deployment cannot start; the text is what its page shows."""


class ApiError(Exception):
    """A request that cannot be answered, in OpenAI's shape: status, message, param, code, type."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.kind = kind

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}
