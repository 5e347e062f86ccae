"""Puts the actor on each request. Keys replace it in `accounts.authentication` (native REST only)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts.access import Actor


def actor(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        def session_actor() -> Actor:
            user = request.user if request.user.is_authenticated else None
            return Actor(
                user=user,
                via="api" if request.path.startswith("/api/") else "ui",
                address=request.META.get("REMOTE_ADDR", ""),
                request_id=getattr(request, "request_id", ""),
            )

        # Lazy: a request with a key never opens the session.
        request.actor = SimpleLazyObject(session_actor)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
