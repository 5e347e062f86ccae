"""What every address of this door shares: a key, the actor behind it, and errors as the Hub's clients read them."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from accounts import keys, refusals
from accounts.access import Actor
from accounts.authentication import actor_of
from accounts.errors import Forbidden, Invalid, NotFound, Problem, TooLarge, Unauthenticated
from accounts.middleware import address_of
from accounts.rest import storable, unstorable
from registry.revisions import NoSuchRevision

logger = logging.getLogger(__name__)
P = ParamSpec("P")
_NO_KEY = "Send an API key: set HF_TOKEN, or run `hf auth login`."
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class RepoNotFound(NotFound):
    code = "repo_not_found"


class EntryNotFound(NotFound):
    """No such file, at this commit: the client remembers that it is not there."""

    code = "entry_not_found"

    def __init__(self, detail: str, *, commit: str = "") -> None:
        super().__init__(detail)
        self.commit = commit


class BadKey(Unauthenticated):
    code = "invalid_api_key"


def door(*methods: str, public: bool = False, keyless: bool = False) -> Callable[[View[P]], View[P]]:
    """A view of this door. HEAD comes with GET. Keys alone open it: a browser's session does not. `public`: for anybody; `keyless`:
    the view looks itself at what was sent instead of a key.

    config.middleware.foreign_doors calls these views ahead of sessions and pages, so that they see to everything themselves.
    """
    allowed = list(methods)

    def wrap(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                _sign_in(request, keyless=keyless)
                if request.method not in allowed and not (request.method == "HEAD" and "GET" in allowed):
                    return failure(405, f"Use {' or '.join(allowed)} here.", {"Allow": ", ".join(allowed)})
                if not (public or keyless) and actor_of(request).user is None:
                    # Of a repository a stranger hears that it is not there: the client says to send a key.
                    raise (RepoNotFound if "team" in kwargs else Unauthenticated)(_NO_KEY)
                response = view(request, *args, **kwargs)
            except Exception as error:
                response = failed(request, error)
            refusals.write(request, response)
            return response

        checked.csrf_exempt = True  # type: ignore[attr-defined]
        return checked

    return wrap


def by_method(**views: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """One address, a view for each method."""
    allowed = list(views)

    def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        if request.method in allowed:
            return views[request.method](request, **parts)
        return failure(405, f"Use {' or '.join(allowed)} here.", {"Allow": ", ".join(allowed)})

    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def _sign_in(request: HttpRequest, *, keyless: bool = False) -> None:
    """Put the key's actor on the request. Without a key nobody is there, whoever the browser's session may be."""
    address, request_id = address_of(request), getattr(request, "request_id", "")
    request.actor = Actor(None, via="api", address=address, request_id=request_id)  # type: ignore[attr-defined]
    key = None if keyless else keys.from_header(request.headers.get("Authorization", ""))
    if key is None:
        return
    try:
        row = keys.authenticate(key, address=address, request_id=request_id)
    except Unauthenticated as error:
        raise BadKey(error.detail) from None
    request.actor = Actor(row.user, key=row, via="api", address=address, request_id=request_id)  # type: ignore[attr-defined]


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Whatever went wrong, in the Hub's shape."""
    if isinstance(error, DataError):
        error = unstorable(error)
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge(f"A body of this kind has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
    elif isinstance(error, SuspiciousOperation):
        error = Invalid("body", "The form has too many fields, or can't be read.")
    if isinstance(error, Problem):
        return problem(request, error)
    logger.exception("An unexpected error at the Hub's door")
    got_request_exception.send(sender=None, request=request)
    return failure(500, "Something went wrong here. It was written to the log.")


def problem(request: HttpRequest, error: Problem) -> HttpResponse:
    """An error as the Hub says it: its clients read the headers, people the text."""
    refusals.note(request, error)
    headers: dict[str, str] = {}
    status = error.status
    if isinstance(error, BadKey):
        headers["X-Error-Message"] = "Invalid credentials in Authorization header"
    elif isinstance(error, RepoNotFound):
        # Whoever sends no key is told to; the client reads both as "no such repository".
        status = 404 if actor_of(request).user else 401
        headers["X-Error-Code"] = "RepoNotFound"
    elif isinstance(error, NoSuchRevision):
        headers["X-Error-Code"] = "RevisionNotFound"
    elif isinstance(error, EntryNotFound):
        headers["X-Error-Code"] = "EntryNotFound"
        if error.commit:
            headers["X-Repo-Commit"] = error.commit
    elif isinstance(error, Forbidden) and error.code == "gated":
        headers["X-Error-Code"] = "GatedRepo"
    elif error.code == "stale_parent":
        status = 412
    text = error.detail
    if error.link.startswith("/"):
        there = f"{settings.SITE_URL}{error.link}"
        text = text.replace(error.link, there) if error.link in text else f"{text} See {there}"
    return failure(status, text, headers)


def failure(status: int, text: str, headers: dict[str, str] | None = None) -> HttpResponse:
    text = storable(text)
    response = JsonResponse({"error": text}, status=status, headers=headers)
    # A header takes a line of ASCII.
    response.setdefault("X-Error-Message", re.sub(r"[^\x20-\x7e]+", " ", text)[:800])
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="countersign"'
    return response


def json_of(request: HttpRequest) -> dict[str, Any]:
    """The body, an object in JSON."""
    try:
        found = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("body", "Send an object in JSON.")
    return found


def text_of(body: dict[str, Any], field: str, *, default: str | None = None, limit: int = 2_000) -> str:
    """A text field of a JSON body. Missing or null: the default, else Invalid."""
    value = body.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or "\0" in value or len(value) > limit:
        raise Invalid(field, f"'{field}' has to be a text of at most {limit} characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(field, f"'{field}' holds half a character.") from None
    return value


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return JsonResponse(body, status=status, safe=False, headers=headers)
