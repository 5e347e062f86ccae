"""Secrets at rest: encrypted with Fernet, by the newest key of COUNTERSIGN_FERNET_KEYS; older keys still open."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from accounts.errors import Unavailable


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FERNET_KEYS])


def lock(text: str) -> str:
    return _box().encrypt(text.encode()).decode()


def unlock(token: str) -> str:
    """The text; Unavailable when no key of today opens it."""
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unavailable(
            "This secret was encrypted by a key that COUNTERSIGN_FERNET_KEYS no longer holds. Add that key again, or rotate the secret."
        ) from None


def locked_by_newest(token: str) -> bool:
    """Is it encrypted by the key that is in use now?"""
    try:
        Fernet(settings.FERNET_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True
