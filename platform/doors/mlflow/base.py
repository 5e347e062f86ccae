"""What every address of the MLflow door shares: the key, the body, the key's team, and errors in MLflow's own shape.

    @endpoint("POST")
    def create(call: Call) -> Answer:
        name = call.text("name", required=True)
        ...
        return {"registered_model": {...}}

Plain Django views without DRF or sessions: config.middleware.foreign_doors calls them ahead of what only pages need.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.request import RawPostDataException

from accounts import keys, refusals
from accounts.access import Actor, get_team
from accounts.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooLarge, Unauthenticated, Unavailable
from accounts.middleware import address_of
from accounts.models import Team
from accounts.rest import storable, unstorable
from registry import storage
from tracking.actions import takes_parts

logger = logging.getLogger(__name__)
Answer: TypeAlias = Mapping[str, Any] | HttpResponseBase
Handler: TypeAlias = Callable[..., Answer]
View: TypeAlias = Callable[..., HttpResponseBase]

_SAFE = ("GET", "HEAD")
VERSION = "3.18.0"  # of MLflow's API: what `/version` answers, from which clients tell what they may ask for
WORKSPACE = "X-Mlflow-Workspace"
STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "BAD_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
_KINDS: tuple[tuple[type[Problem], str], ...] = (
    (Unauthenticated, "UNAUTHENTICATED"),
    (Forbidden, "PERMISSION_DENIED"),
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (Invalid, "INVALID_PARAMETER_VALUE"),
    (TooLarge, "INVALID_PARAMETER_VALUE"),
    (storage.StorageFull, "INTERNAL_ERROR"),
)


class MlflowError(Exception):
    """An answer of MLflow's: one of STATUS, and the text that the client's user reads."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> MlflowError:
    return MlflowError("INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> MlflowError:
    return MlflowError("RESOURCE_DOES_NOT_EXIST", message)


@dataclass(eq=False)
class Call:
    """One request that a key was sent with. Fields of a body and of a query are read alike."""

    request: HttpRequest
    by: Actor
    values: Mapping[str, Any]  # a query's: lists of texts

    @property
    def method(self) -> str:
        return self.request.method or ""

    @cached_property
    def team(self) -> Team:
        """The team in which MLflow's flat names are names: the key's, or of a key without one the workspace that the client names."""
        workspace = self.request.headers.get(WORKSPACE, "").strip()
        own = self.by.key.team if self.by.key else None
        if own is not None:
            if workspace not in ("", "default", own.name):
                raise Forbidden(f"This key belongs to the team '{own.name}', and the workspace is '{workspace}'.")
            return own
        if workspace:
            return get_team(self.by, workspace)
        raise invalid(
            "This API key belongs to no team, so that MLflow's names say nothing. Use a key of one team (Settings, API keys), "
            "or name the team as the workspace: MLFLOW_WORKSPACE=<team>."
        )

    def has(self, name: str) -> bool:
        """Was the field sent, and not as null?"""
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "", *, required: bool = False) -> str:
        """A field as text; numbers become text, as protobuf's JSON allows."""
        value = self._one(name)
        if value is None or (required and value == ""):
            if required:
                raise absent(name)
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise wrong(name, value, "a text")
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number: int64 travels as a number or as text."""
        value = self._one(name)
        if value is None:
            return default
        try:
            if isinstance(value, bool | float) and (isinstance(value, bool) or value != int(value)):
                raise ValueError
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            raise wrong(name, value, "a whole number") from None
        if not -(2**63) <= number < 2**63:
            raise wrong(name, value, "a number of at most 63 bits")
        return number

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._one(name)
        if value is None:
            return default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise wrong(name, value, "true or false")
        return value

    def texts(self, name: str) -> list[str]:
        """A repeated field of texts."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong(name, value, "a list of texts")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """A repeated field of messages."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise wrong(name, value, "a list of objects")
        return value

    def pairs(self, name: str) -> dict[str, str]:
        """[{key, value}] as a dict: tags, parameters. The last of two wins, as in MLflow."""
        found: dict[str, str] = {}
        for item in self.objects(name):
            key, value = item.get("key"), item.get("value")
            if not isinstance(key, str) or not key:
                raise invalid(f"Missing value for required parameter '{name}.key'.")
            if isinstance(value, bool | dict | list):
                raise wrong(f"{name}.value", value, "a text")
            found[key] = "" if value is None else str(value)
        return found

    def _one(self, name: str) -> Any:
        value = self.values.get(name)
        if self.method == "GET" and isinstance(value, list):
            return value[-1] if value else None
        return value


@contextmanager
def gone_already() -> Iterator[None]:
    """Take away what was there a moment ago: where somebody else has meanwhile, nothing is left to do, as MLflow says of what never was."""
    try:
        yield
    except NotFound as error:
        logger.debug("taken away by somebody else: %s", error)


def absent(name: str) -> MlflowError:
    return invalid(
        f"Missing value for required parameter '{name}'. See the API docs for more information about request parameters."
    )


def wrong(name: str, value: object, kind: str) -> MlflowError:
    return invalid(f"Invalid value {str(value)[:100]!r} for parameter '{name}' supplied: use {kind}.")


def endpoint(*methods: str, raw: bool = False, public: bool = False) -> Callable[[Handler], View]:
    """Make a view of a handler: it is called with a Call (and what the address holds) and returns what is sent as JSON, or a
    whole response. `raw`: the body is not JSON, and the handler reads it off the request itself. `public`: without a key."""
    allowed = list(methods)

    def decorate(handler: Handler) -> View:
        @wraps(handler)
        def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
            try:
                by = stranger(request) if public else actor_by_key(request)
                if request.method not in allowed:
                    raise _no_such(request)
                call = Call(request, by, _query(request) if raw or request.method in _SAFE else _body(request))
                answer = handler(call, **parts)
                response = answer if isinstance(answer, HttpResponseBase) else send(answer)
            except Exception as error:
                response = failed(request, error)
            refusals.write(request, response)
            return response

        view.csrf_exempt = True  # type: ignore[attr-defined]
        return view

    return decorate


def by_method(**views: View) -> View:
    """One address, a view for each method."""
    allowed = list(views)

    def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        return views[request.method](request, **parts) if request.method in allowed else unknown(request)

    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def stranger(request: HttpRequest) -> Actor:
    """Somebody of whom nothing but the address is known yet."""
    by = Actor(None, via="api", address=address_of(request), request_id=getattr(request, "request_id", ""))
    request.actor = by  # type: ignore[attr-defined]
    return by


def actor_by_key(request: HttpRequest) -> Actor:
    """Who sent the key. A browser's session opens no door of this kind."""
    before = stranger(request)
    key = keys.from_header(request.headers.get("Authorization", ""))
    if key is None:
        raise Unauthenticated(
            "Send an API key: set MLFLOW_TRACKING_TOKEN to one that you made under Settings, API keys."
        )
    row = keys.authenticate(key, address=before.address, request_id=before.request_id)
    by = Actor(row.user, key=row, via="api", address=before.address, request_id=before.request_id)
    request.actor = by  # type: ignore[attr-defined]
    return by


def send(body: Mapping[str, Any], status: int = 200) -> HttpResponse:
    return send_bytes(encoded(body), status)


def encoded(body: Mapping[str, Any]) -> bytes:
    """JSON as protobuf's clients read it: NaN and Infinity stand as words."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def send_bytes(content: bytes, status: int = 200) -> HttpResponse:
    headers = {
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """The error in MLflow's shape. What nobody foresaw is logged, and the caller learns no more than that it happened."""
    refusals.note(request, error)
    if isinstance(error, DataError):
        error = unstorable(error)
    if isinstance(error, RequestDataTooBig):
        error = TooLarge(f"A body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
    if isinstance(error, MlflowError):
        code, message = error.code, error.message
    elif isinstance(error, Problem):
        code, message = code_of(error), _told(error)
    else:
        logger.exception("%s %s failed", request.method, request.path)
        got_request_exception.send(sender=None, request=request)
        code, message = "INTERNAL_ERROR", "Something went wrong on the server. Its log says what."
    body = {"error_code": code, "message": storable(message)}
    # Neither is tried again by the client, as 500 and 503 would be for minutes.
    status = error.status if isinstance(error, TooLarge | storage.StorageFull) else STATUS[code]
    response = send(body, status)
    if code == "UNAUTHENTICATED":
        response["WWW-Authenticate"] = 'Bearer realm="countersign"'
    return response


def code_of(error: Problem) -> str:
    """MLflow's name for an error of ours."""
    if isinstance(error, Conflict):
        return "RESOURCE_ALREADY_EXISTS" if error.code == "name_taken" else "RESOURCE_CONFLICT"
    for kind, code in _KINDS:
        if isinstance(error, kind):
            return code
    return "PERMISSION_DENIED" if error.status == 403 else "INVALID_PARAMETER_VALUE"


def _told(error: Problem) -> str:
    link = error.link if error.link.startswith(("http:", "https:")) else f"{settings.SITE_URL}{error.link}"
    return f"{error.detail} See {link}" if error.link else error.detail


def _no_such(request: HttpRequest) -> MlflowError:
    return MlflowError("ENDPOINT_NOT_FOUND", f"No API found for {request.method} {request.path[:300]}")


@endpoint("GET", public=True)
def version(call: Call) -> Answer:
    """From this text a client tells what the server understands."""
    return HttpResponse(VERSION, content_type="text/plain")


@endpoint("GET", public=True)
def server_info(call: Call) -> Answer:
    """What a client may use. A workspace is a team: a key of several teams names one by it."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": True,
        "trace_archival_enabled": False,
        # Into and out of a bucket the client's bytes go by themselves.
        "multipart_uploads_enabled": takes_parts(),
        "multipart_downloads_enabled": storage.store().direct,
        "artifact_serving_enabled": True,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "model_artifact_presigned_downloads_supported": False,
        "features_enabled": {"gateway": False, "scheduled_issue_detection": False},
        "tracking_auth": "",
        "artifacts_presigned_only": False,
    }


def no_endpoint(call: Call, rest: str = "") -> Answer:
    """Whatever else a client asks for under MLflow's addresses."""
    raise _no_such(call.request)


unknown = endpoint("GET", "POST", "PUT", "PATCH", "DELETE", raw=True)(no_endpoint)


def _query(request: HttpRequest) -> dict[str, Any]:
    values = dict(request.GET.lists())
    check_texts(values)
    return values


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        content = request.body
    except RawPostDataException:
        raise invalid("The body was read already.") from None
    if not content.strip():
        return {}
    try:
        values = json.loads(content)
    except RecursionError:
        raise invalid("The body is nested too deeply.") from None
    except ValueError as error:
        raise MlflowError("BAD_REQUEST", f"The body is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise MlflowError("BAD_REQUEST", "The body has to be a JSON object.")
    check_texts(values)
    return values


def check_texts(data: Any) -> None:
    """Refuse text that no column holds, wherever it stands. (NaN and Infinity are values here.)"""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if "\0" in value:
                raise invalid("Take out the NUL character (\\u0000).")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise invalid("This holds half of a character (a lone surrogate): write the whole one.") from None
        elif isinstance(value, dict):
            left.extend(value)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
