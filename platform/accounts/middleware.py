"""Puts the actor on each request. Keys replace it in `accounts.authentication` (native REST only)."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts.access import Actor
from accounts.networks import client_address


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: past the proxies that settings.TRUSTED_PROXIES names, and past no others."""
    return client_address(
        request.META.get("REMOTE_ADDR", ""), [request.headers.get("X-Forwarded-For", "")], settings.TRUSTED_PROXIES
    )


def actor(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        def session_actor() -> Actor:
            user = request.user if request.user.is_authenticated else None
            return Actor(
                user=user,
                via="api" if request.path.startswith("/api/") else "ui",
                address=address_of(request),
                request_id=getattr(request, "request_id", ""),
            )

        # Lazy: a request with a key never opens the session.
        request.actor = SimpleLazyObject(session_actor)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
