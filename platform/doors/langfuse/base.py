"""What every address of the Langfuse door shares: the key, the body, and errors in Langfuse's own shape.

    @endpoint
    def create(call: Call) -> Answer:
        return {"name": ...}, 201

Plain Django views without DRF or sessions: config.middleware.foreign_doors calls them ahead of what only pages need.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.utils.dateparse import parse_datetime

from accounts import keys, refusals
from accounts.access import Actor, get_team
from accounts.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooLarge, Unauthenticated
from accounts.middleware import address_of
from accounts.models import Team
from accounts.numbers import whole
from accounts.rest import storable, unstorable

logger = logging.getLogger(__name__)
Answer: TypeAlias = tuple[Mapping[str, Any] | None, int]
Handler: TypeAlias = Callable[..., Answer]
View: TypeAlias = Callable[..., HttpResponse]

_SAFE = ("GET", "HEAD")
_NAMES: tuple[tuple[type[Problem], str], ...] = (
    (Unauthenticated, "UnauthorizedError"),
    (Forbidden, "ForbiddenError"),
    (NotFound, "LangfuseNotFoundError"),
    (Conflict, "LangfuseConflictError"),
    (TooLarge, "PayloadTooLargeError"),
    (Invalid, "InvalidRequestError"),
)
_NO_KEY = (
    "Send an API key as Langfuse's two: LANGFUSE_PUBLIC_KEY is its id (csk…), LANGFUSE_SECRET_KEY the whole key (cs_csk…_…). "
    "Make one of your team under Settings, API keys."
)


class MethodNotAllowed(Problem):
    status, title, code = 405, "Method not allowed", "method_not_allowed"


@dataclass(eq=False)
class Call:
    """One request that a key was sent with."""

    request: HttpRequest
    by: Actor
    body: Mapping[str, Any]

    @property
    def team(self) -> Team | None:
        """The project, in Langfuse's words: the key's team. A key of several teams has none, and names prompts 'team/name'."""
        return self.by.key.team if self.by.key else None

    def place(self, name: str) -> tuple[Team, str]:
        """Team and name of a prompt as the client names it."""
        if self.team is not None:
            return self.team, name
        team, slash, rest = name.partition("/")
        if not slash:
            raise Invalid(
                "name", "This API key belongs to no team: name the prompt 'team/name', or use a key of one team."
            )
        return get_team(self.by, team), rest

    def query(self, name: str) -> str:
        return self.request.GET.get(name, "")

    def number(self, name: str) -> int | None:
        """A whole number above zero out of the query; None where it is not given."""
        text = self.query(name)
        if not text:
            return None
        found = whole(text, below=2**31)
        if not found:
            raise Invalid(name, f"'{text[:40]}' is not a number above zero.")
        return found

    def flag(self, name: str, default: bool) -> bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(self.query(name).lower(), default)

    def time(self, name: str) -> datetime | None:
        text = self.query(name)
        if not text:
            return None
        try:
            found = parse_datetime(text.replace(" ", "+"))
        except ValueError:
            found = None
        if found is None:
            raise Invalid(name, f"'{text[:60]}' is not a time. Write it as 2026-05-03T10:00:00Z.")
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def text(self, name: str) -> str:
        """A field of the body that is a text; not given or null is ''."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise Invalid(name, "Use a text.")
        return value or ""

    def texts(self, name: str) -> list[str] | None:
        """A field of the body that is a list of texts; None where it is not given."""
        value = self.body.get(name)
        if value is not None and (not isinstance(value, list) or not all(isinstance(item, str) for item in value)):
            raise Invalid(name, "Use a list of texts.")
        return value


def endpoint(handler: Handler) -> View:
    """Make a view of a handler: it is called with a Call (and what the address holds), and returns a body and a status."""

    @wraps(handler)
    def view(request: HttpRequest, **parts: Any) -> HttpResponse:
        try:
            by = actor_by_key(request)
            response = send(*handler(Call(request, by, {} if request.method in _SAFE else _body(request)), **parts))
        except Exception as error:
            response = failed(request, error)
        refusals.write(request, response)
        return response

    return view


def by_method(**views: View) -> View:
    """One address, a view for each method."""
    allowed = list(views)

    def view(request: HttpRequest, **parts: Any) -> HttpResponse:
        if request.method in allowed:
            return views[request.method](request, **parts)
        response = failed(request, MethodNotAllowed(f"Use {' or '.join(allowed)} here."))
        response["Allow"] = ", ".join(allowed)
        return response

    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def actor_by_key(request: HttpRequest) -> Actor:
    """Who sent the key. A browser's session opens no door of this kind."""
    address, request_id = address_of(request), getattr(request, "request_id", "")
    request.actor = Actor(None, via="api", address=address, request_id=request_id)  # type: ignore[attr-defined]
    key = keys.from_header(request.headers.get("Authorization", ""))
    if not key:
        raise Unauthenticated(_NO_KEY)
    row = keys.authenticate(key, address=address, request_id=request_id)
    by = Actor(row.user, key=row, via="api", address=address, request_id=request_id)
    request.actor = by  # type: ignore[attr-defined]
    return by


def send(body: Mapping[str, Any] | None, status: int = 200) -> HttpResponse:
    return send_bytes(b"" if body is None else encoded(body), status)


def encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def send_bytes(content: bytes, status: int = 200) -> HttpResponse:
    headers = {"Content-Length": str(len(content)), "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """The error in Langfuse's shape. What nobody foresaw is logged, and the caller learns no more than that it happened."""
    refusals.note(request, error)
    if isinstance(error, DataError):
        error = unstorable(error)
    if isinstance(error, RequestDataTooBig):
        error = TooLarge(f"A body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
    if not isinstance(error, Problem):
        logger.exception("%s %s failed", request.method, request.path)
        got_request_exception.send(sender=None, request=request)
        return send({"message": "Something went wrong here. The log says what.", "error": "InternalServerError"}, 500)
    name = next(
        (name for kind, name in _NAMES if isinstance(error, kind)), error.title.title().replace(" ", "") + "Error"
    )
    body: dict[str, Any] = {"message": storable(told(error)), "error": name}
    if error.errors:
        body["errors"] = {storable(field): [storable(text) for text in texts] for field, texts in error.errors.items()}
    response = send(body, error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="countersign"'
    return response


def told(error: Problem) -> str:
    """The text of an error with the whole address of where to go on."""
    if not error.link:
        return error.detail
    link = error.link if error.link.startswith(("http:", "https:")) else f"{settings.SITE_URL}{error.link}"
    return f"{error.detail} See {link}"


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        content = request.body
    except RawPostDataException:
        raise Invalid("body", "The body was read already.") from None
    if not content.strip():
        return {}
    try:
        values = json.loads(content, parse_constant=_no_constant)
        _check(values)
    except RecursionError:
        raise Invalid("body", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Invalid("body", f"The body is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise Invalid("body", "The body has to be a JSON object.")
    return values


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _check(data: Any) -> None:
    """Refuse text that no column holds, wherever it stands."""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if "\0" in value:
                raise Invalid("body", "Take out the NUL character (\\u0000).")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Invalid(
                    "body", "This holds half of a character (a lone surrogate): write the whole one."
                ) from None
        elif isinstance(value, dict):
            left.extend(value)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
