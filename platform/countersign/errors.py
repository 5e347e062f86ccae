"""What the site refuses (RFC 9457 problem details), as exceptions, and what can go wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The site refused. `code` is stable; `errors` maps a field to what is wrong with it and the remedy; `link` leads on."""

    def __init__(self, status: int, problem: Mapping[str, Any], site: str = "") -> None:
        self.status = status
        self.code = code_of(problem)
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or self.title or f"The site answered {status}.")
        errors = problem.get("errors")
        self.errors: dict[str, list[str]] = (
            {str(field): [str(text) for text in texts] for field, texts in errors.items()}
            if isinstance(errors, Mapping)
            else {}
        )
        link = str(problem.get("link") or "")
        self.link = f"{site}{link}" if link.startswith("/") else link
        super().__init__(self.detail)


class Invalid(ApiError):
    """A field of what was sent is wrong (400)."""


class Unauthenticated(ApiError):
    """The key is missing, wrong, expired or revoked (401)."""


class Forbidden(ApiError):
    """A permission is missing (403)."""


class ApprovalRequired(Forbidden):
    """A protected alias: only an approved request moves it (403). Who tried has asked for it by that."""

    @property
    def request_id(self) -> int:
        return int(self.link.rpartition("/")[2])


class NotFound(ApiError):
    """It does not exist, or this key may not see it (404)."""


class Conflict(ApiError):
    """The state of the thing does not allow this now (409)."""


class Unreachable(Exception):
    """The site gave no answer, after several attempts."""


class Damaged(Exception):
    """Bytes that are not those they should be."""


def code_of(problem: Mapping[str, Any]) -> str:
    """'name_taken' of 'urn:countersign:problem:name_taken'."""
    return str(problem.get("type") or "").rpartition(":")[2]


_KINDS = {400: Invalid, 401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict}


def from_answer(status: int, body: Any, site: str) -> ApiError:
    """The exception for an answer that is not a success."""
    problem: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    if code_of(problem) == "approval_required":
        return ApprovalRequired(status, problem, site)
    return _KINDS.get(status, ApiError)(status, problem, site)
