"""One sealer at a time, by an advisory lock that no writer needs."""

from django.db import connection

_SEALING = 0x5EA1E2


def try_sealing() -> bool:
    """Take the lock until the transaction ends, if nobody has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALING])
        return bool(cursor.fetchone()[0])


def hold_sealing() -> None:
    """Wait for the lock and keep it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEALING])
