"""DRF authentication by API key, and the actor of a request."""

from typing import Any

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import keys
from accounts.access import Actor
from accounts.models import ApiKey, User


def actor_of(request: HttpRequest | Request) -> Actor:
    """The actor of a request, whichever door it came by."""
    actor: Actor = request.actor  # type: ignore[union-attr]  # set by accounts.middleware.actor
    return actor


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`, or Basic with the key's id and the key."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        key = keys.from_header(request.headers.get("Authorization", ""))
        if key is None:
            return None
        before: Actor = request._request.actor  # type: ignore[attr-defined]
        row = keys.authenticate(key, address=before.address, request_id=before.request_id)
        request._request.actor = Actor(  # type: ignore[attr-defined]
            user=row.user, key=row, via="api", address=before.address, request_id=before.request_id
        )
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="countersign"'


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular is partly typed
    """How the OpenAPI document describes it."""

    target_class = "accounts.authentication.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, made under Settings, API keys."}
