"""How allauth's sign-in becomes this site's: who may, what is written down, what is encrypted."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from accounts import sessions
from accounts.access import Actor
from accounts.actions.common import user_target
from accounts.actions.sessions import end_sessions
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

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request) or sessions.NO_ADDRESS

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        sessions.begin(request)
        record(Action.USER_SIGNED_IN, by=visitor(request, user), target=user_target(user))
        return super().post_login(request, user, **kwargs)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        email = str(credentials.get("email") or credentials.get("username") or "")[:200]
        record(Action.USER_SIGN_IN_FAILED, by=visitor(request), target=Target("user", "", email))
        super().authentication_failed(request, **credentials)

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            record(Action.USER_SIGNED_OUT, by=visitor(request, request.user), target=user_target(request.user))  # type: ignore[arg-type]
        super().logout(request)

    def set_password(self, user: Any, password: str) -> None:
        """With a new password every other session ends: whoever knew the old one is out."""
        request = context.request
        by = visitor(request, user)
        here = request.session.session_key if request and request.user == user else ""
        with transaction.atomic():  # otherwise a password could change and the event be lost
            super().set_password(user, password)
            record(Action.USER_PASSWORD_CHANGED, by=by, target=user_target(user))
            end_sessions(user, by=by, keep=here or "", reason="The password was changed.")


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """The secrets of second factors are encrypted at rest."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FERNET_KEYS])
