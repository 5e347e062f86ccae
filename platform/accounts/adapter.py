from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.db import transaction
from django.http import HttpRequest

from accounts.access import Actor
from accounts.middleware import address_of
from governance.ledger.actions import Action, Target, record


def visitor(request: HttpRequest | None, user: Any = None) -> Actor:
    """Who is at the entrance, as the ledger writes it down: middleware knows them only from the next request on."""
    if request is None:
        return Actor(user=user, via="task")
    return Actor(user=user, address=address_of(request), request_id=getattr(request, "request_id", ""))


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """People are invited by an administrator; nobody signs up alone. Sign-ins are events."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        record(Action.USER_SIGNED_IN, by=visitor(request, user), target=Target("user", user.pk, user.email))
        return super().post_login(request, user, **kwargs)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        email = str(credentials.get("email") or credentials.get("username") or "")[:200]
        record(Action.USER_SIGN_IN_FAILED, by=visitor(request), target=Target("user", "", email))
        super().authentication_failed(request, **credentials)

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            user = request.user
            record(Action.USER_SIGNED_OUT, by=visitor(request, user), target=Target("user", user.pk, user.email))
        super().logout(request)

    def set_password(self, user: Any, password: str) -> None:
        with transaction.atomic():  # otherwise a password could change and the event be lost
            super().set_password(user, password)
            record(
                Action.USER_PASSWORD_CHANGED,
                by=visitor(context.request, user),
                target=Target("user", user.pk, user.email),
            )
