"""Puts the actor on each request. Keys replace it in `accounts.authentication` (native REST only)."""

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts import factors, refusals, sessions
from accounts.access import Actor
from accounts.networks import client_address

GetResponse = Callable[[HttpRequest], HttpResponseBase]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: past the proxies that settings.TRUSTED_PROXIES names, and past no others."""
    return client_address(
        request.META.get("REMOTE_ADDR", ""), [request.META.get("HTTP_X_FORWARDED_FOR", "")], settings.TRUSTED_PROXIES
    )


def actor(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        def session_actor() -> Actor:
            user = request.user if request.user.is_authenticated else None
            if user is not None:
                sessions.touch(request, address_of(request))
            return Actor(
                user=user,
                via="api" if request.path.startswith("/api/") else "ui",
                address=address_of(request),
                request_id=getattr(request, "request_id", ""),
            )

        # Lazy: a request with a key never opens the session.
        request.actor = SimpleLazyObject(session_actor)  # type: ignore[attr-defined]
        response = get_response(request)
        refusals.write(request, response)
        return response

    return middleware


def sign_in_whole(get_response: GetResponse) -> GetResponse:
    """allauth's pages know nothing of the ledger: what one of them changes and its event commit together."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method not in _SAFE and request.path.startswith("/accounts/"):
            with transaction.atomic():
                if not request.path.startswith("/accounts/2fa/"):
                    return get_response(request)
                by: Actor = request.actor  # type: ignore[attr-defined]  # set just before
                with factors.changes_told(by):
                    return get_response(request)
        return get_response(request)

    return middleware
