"""One at a time on one thing: locks that end with their holder, however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_SPACES = {"scan": 7_301, "convert": 7_302, "complete": 7_303, "commit": 7_304}


@contextmanager
def claimed(what: str, pk: int) -> Iterator[bool]:
    """Is this one's turn ours? False where somebody is at it."""
    key = [_SPACES[what], pk % (1 << 31)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        (mine,) = cursor.fetchone() or (False,)
    try:
        yield bool(mine)
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


@contextmanager
def in_turn(what: str, pk: int) -> Iterator[None]:
    """Wait until it is our turn. Nothing that others wait for is held meanwhile: only who comes by here waits."""
    key = [_SPACES[what], pk % (1 << 31)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", key)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
